// Whether the page asks how to run: with another command, with remarks.

import { signal } from "@preact/signals";

export const runIsAsked = signal(false);
