// Whether the list of all runs is open.

import { signal } from "@preact/signals";

export const historyIsOpen = signal(false);
