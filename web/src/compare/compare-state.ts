// Which two states of the task's files are compared.

import { signal } from "@preact/signals";

/** The files as they are now; every other side is the id of a run. */
export const NOW = "now";

export interface Comparison {
  left: string;
  right: string;
}

export const comparison = signal<Comparison | null>(null);

/** Opens the comparison. */
export function compare(left: string, right: string): void {
  comparison.value = { left, right };
}
