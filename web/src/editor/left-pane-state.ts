// What the left pane shows.

import { signal } from "@preact/signals";

export const leftPane = signal<"files" | "search">("files");
