// Runs of the task and the log of the one that is looked at.

import { logUrl } from "../api/tasks";
import { toastError } from "../app/toasts";
import { useTask } from "../editor/task-context";
import { LogPanel } from "../log/log-panel";
import type { Run } from "../messages.generated";
import { t, when } from "../texts/texts";
import { selectedRun } from "./selected-run";
import "./runs.css";

/** Whether nothing can change the run any more. */
export const isFinal = (run: Run) => run.state >= 3;

export function RunPanel() {
  const { room } = useTask();
  const runs = room.runs.value;
  const run = runs.find((each) => each.id === selectedRun.value) ?? runs[0];
  const texts = t.value.runs;
  if (!run) return <p class="nothing quiet">{texts.none}</p>;
  const stop = () => void room.request({ type: "stop", run: run.id }).catch(toastError);
  const again = () => void room.request({ type: "rerun", run: run.id }).then(() => (selectedRun.value = null), toastError);
  return (
    <>
      <div class="run-bar">
        <select aria-label={texts.list} value={run.id} onChange={(event) => (selectedRun.value = event.currentTarget.value === runs[0]?.id ? null : event.currentTarget.value)}>
          {runs.map((each) => (
            <option key={each.id} value={each.id}>
              {texts.line(each.number, each.user_name, when(each.submitted_at))}
            </option>
          ))}
        </select>
        <span class={`run-state state-${run.state}`} role="status">
          {isFinal(run) ? (run.message ?? texts.state[run.state]) : run.phase || texts.state[run.state]}
        </span>
        {!isFinal(run) && room.mayEdit.value && <button onClick={stop}>{texts.stop}</button>}
        {isFinal(run) && room.mayEdit.value && <button onClick={again}>{texts.again}</button>}
        <a class="button" href={logUrl(run.id)} download="">
          {texts.downloadLog}
        </a>
      </div>
      <LogPanel key={run.id} run={run.id} />
    </>
  );
}
