// A run in words: where it stands, how it ended and what to do.

import type { Run } from "../messages.generated";
import { t } from "../texts/texts";
import { duration } from "./duration";

/** Whether nothing can change the run any more. */
export const isFinal = (run: Run) => run.state >= 3;

/** Where the run stands, or how it ended, in a few words. */
export function stateOf(run: Run): string {
  const texts = t.value.runs;
  if (run.state === 1 && run.queue_position !== null) return texts.place(run.queue_position);
  if (run.state === 2) return texts.phases[run.phase] ?? (run.phase || texts.state[2]);
  return texts.state[run.state];
}

/** What ended the run and what to do, in sentences; empty while it goes on. The server's own are English. */
export function endOf(run: Run): string {
  if (!isFinal(run)) return "";
  const known = run.reason && t.value.runs.reasons?.[run.reason];
  return known ? known(run) : (run.message ?? "");
}

/** How long it ran, when it did. */
export function timeOf(run: Run, now = Date.now()): string {
  return run.started_at === null ? "" : duration((run.ended_at ?? now) - run.started_at);
}
