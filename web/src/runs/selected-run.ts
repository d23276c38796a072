// Which run is looked at.

import { signal } from "@preact/signals";

/** The id of an older run that somebody chose; null shows the newest, whoever started it. */
export const selectedRun = signal<string | null>(null);
