// All runs of the task: who, when, how they ended. One is chosen to look at its log, or two to compare their files.

import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { listRuns } from "../api/tasks";
import { Dialog } from "../app/dialog";
import { Icon } from "../app/icons";
import { MenuButton } from "../app/menu";
import { toastError } from "../app/toasts";
import { compare, NOW } from "../compare/compare-state";
import { useTask } from "../editor/task-context";
import type { Run } from "../messages.generated";
import { t, when } from "../texts/texts";
import { historyIsOpen } from "./history-state";
import { stateOf, timeOf } from "./run-words";
import { selectedRun, shownRun } from "./selected-run";

export function History() {
  return historyIsOpen.value ? <Runs /> : null;
}

function Runs() {
  const { room } = useTask();
  const older = useSignal<readonly Run[]>([]);
  const next = useSignal<string | null>(null);
  const read = (cursor?: string) =>
    listRuns(room.id, cursor).then((page) => {
      older.value = [...older.peek(), ...page.runs];
      next.value = page.next;
    }, toastError);
  const ready = useMemo(() => read(), []);
  const live = room.runs.value;
  const known = new Set(live.map(({ id }) => id));
  const runs = [...live, ...older.value.filter(({ id }) => !known.has(id))];
  const shown = shownRun(room);
  const close = () => (historyIsOpen.value = false);
  const look = (run: Run) => {
    selectedRun.value = run.id === room.runs.peek()[0]?.id ? null : run;
    close();
  };
  const texts = t.value.runs;
  return (
    <Dialog title={texts.list} onClose={close} ready={ready}>
      <ul class="run-list">
        {runs.map((run) => (
          <li key={run.id} class={run.id === shown?.id ? "chosen" : ""}>
            <button class="plain run-row" aria-current={run.id === shown?.id} onClick={() => look(run)}>
              <span class={`dot state-${run.state}`} />
              <span class="run-what">
                <b>#{run.number}</b> {stateOf(run)} <span class="quiet">{timeOf(run)}</span>
                <span class="quiet run-who" title={[run.command, run.remarks].filter(Boolean).join(" · ")}>
                  {run.user_name} · {when(run.submitted_at)} · <code>{run.command}</code>
                  {run.remarks && ` · ${run.remarks}`}
                </span>
              </span>
            </button>
            <MenuButton name={texts.actions(run.number)} class="plain" items={() => comparisons(run, runs, close)}>
              <Icon name="compare" />
              <span class="wide-only">{t.value.compare.title}</span>
            </MenuButton>
          </li>
        ))}
      </ul>
      {next.value && <button onClick={() => void read(next.value ?? undefined)}>{t.value.tasks.more}</button>}
      <div class="actions">
        <button onClick={close}>{t.value.common.close}</button>
      </div>
    </Dialog>
  );
}

/** Most runs that the menu offers to compare with. */
const MAX_OFFERED = 12;

function comparisons(run: Run, runs: readonly Run[], close: () => void) {
  const texts = t.value.runs;
  const begin = (left: string, right: string) => () => {
    close();
    compare(left, right);
  };
  const others = runs.filter(({ id }) => id !== run.id).slice(0, MAX_OFFERED);
  return [
    { title: texts.compareWith },
    { label: texts.now, act: begin(run.id, NOW) },
    // The older one stands on the left.
    ...others.map((other) => ({ label: texts.line(other.number, other.user_name, when(other.submitted_at)), act: other.number < run.number ? begin(other.id, run.id) : begin(run.id, other.id) })),
  ];
}
