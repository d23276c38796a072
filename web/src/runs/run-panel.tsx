// The run that is looked at: where it stands, what can be done with it, and its log.

import { outputUrl, logUrl, snapshotUrl } from "../api/tasks";
import { Icon } from "../app/icons";
import { MenuButton, type MenuItem } from "../app/menu";
import { toast, toastError } from "../app/toasts";
import { compare, NOW } from "../compare/compare-state";
import { useTask } from "../editor/task-context";
import { LogPanel } from "../log/log-panel";
import { copyLog } from "../log/shown-log";
import type { Run } from "../messages.generated";
import { t, when } from "../texts/texts";
import { historyIsOpen } from "./history-state";
import { endOf, isFinal, stateOf, timeOf } from "./run-words";
import { runIsAsked } from "./run-form-state";
import { selectedRun, shownRun } from "./selected-run";
import "./runs.css";

export function RunPanel() {
  const { room } = useTask();
  const run = shownRun(room);
  const texts = t.value.runs;
  const mayEdit = room.mayEdit.value;
  if (!room.task.value) return <p class="nothing quiet">{t.value.common.loading}</p>;
  if (!run) {
    return (
      <p class="nothing quiet">
        {texts.none} {mayEdit && texts.noneHint}
      </p>
    );
  }
  const stop = () => void room.request({ type: "stop", run: run.id }).catch(toastError);
  const again = () => void room.request({ type: "rerun", run: run.id }).then(() => (selectedRun.value = null), toastError);
  return (
    <>
      <div class="run-bar">
        <button class="plain run-name" title={texts.history} onClick={() => (historyIsOpen.value = true)}>
          <span class={`dot state-${run.state}`} />
          <span>{texts.line(run.number, run.user_name, when(run.submitted_at))}</span>
          <Icon name="chevron" />
        </button>
        <span class={`run-state state-${run.state}`} role="status">
          {stateOf(run)}
        </span>
        <span class="quiet run-time">{isFinal(run) ? timeOf(run) : ""}</span>
        <span class="space" />
        {!isFinal(run) && mayEdit && (
          <button onClick={stop}>
            <Icon name="stop" />
            {texts.stop}
          </button>
        )}
        {isFinal(run) && mayEdit && (
          <button onClick={again} title={texts.againHint}>
            <Icon name="again" />
            {texts.again}
          </button>
        )}
        <button class="compare-now" onClick={() => compare(run.id, NOW)}>
          <Icon name="compare" />
          {texts.compareNow}
        </button>
        <MenuButton name={texts.more} class="plain icon-only" items={() => itemsOf(run)}>
          <Icon name="menu" />
        </MenuButton>
      </div>
      <LogPanel key={run.id} run={run.id} />
      {/* Below the log, where it was last looked at and where it moves no line. */}
      {endOf(run) && <p class={`run-end state-${run.state}`}>{endOf(run)}</p>}
    </>
  );
}

/** What else can be done with a run. */
export function itemsOf(run: Run): MenuItem[] {
  const texts = t.value.runs;
  const copy = () => void copyLog().then((fits) => toast(fits ? texts.copied : texts.tooLongToCopy), toastError);
  return [
    { label: texts.history, act: () => (historyIsOpen.value = true) },
    { label: texts.withCommand, act: () => (runIsAsked.value = true) },
    "line",
    { label: texts.compareNow, act: () => compare(run.id, NOW) },
    { label: texts.copyLog, act: copy },
    { label: texts.downloadLog, href: logUrl(run.id), download: `run-${run.number}.log` },
    ...(run.has_output ? [{ label: texts.downloadOutput, href: outputUrl(run.id) }] : []),
    { label: texts.downloadFiles, href: snapshotUrl(run.id) },
  ];
}
