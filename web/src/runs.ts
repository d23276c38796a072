// Words for runs.

import type { Run, RunState } from "./messages.generated";

/** The state in a word. */
export function stateWord(state: RunState): string {
  switch (state) {
    case 0:
      return "not run yet";
    case 1:
      return "waiting";
    case 2:
      return "running";
    case 3:
      return "done";
    case 4:
      return "failed";
    case 5:
      return "stopped";
    default: {
      const unknown: never = state;
      return String(unknown);
    }
  }
}

/** Whether nothing can change the run any more. */
export function isFinal(run: Run): boolean {
  return run.state >= 3;
}

/** One line about the run for people. */
export function describe(run: Run): string {
  if (isFinal(run)) return run.message ?? stateWord(run.state);
  return run.phase || stateWord(run.state);
}
