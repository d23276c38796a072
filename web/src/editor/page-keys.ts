// Keys that work everywhere on a task's page.

import { signal } from "@preact/signals";
import { submit } from "../runs/submit";
import { leftPane } from "./left-pane-state";
import { sizes, toggleFiles } from "./panes";
import type { TaskContext } from "./task-context";

/** Whether the list to go to a file is open. */
export const quickOpen = signal(false);

/** Does what a key means on the page; gives whether it means anything. */
export function pageKey({ room, tabs }: TaskContext, event: KeyboardEvent): boolean {
  // A dialog has its own keys.
  if (document.querySelector("dialog[open]") && !quickOpen.value) return false;
  if (event.altKey && !event.ctrlKey && !event.metaKey) {
    if (event.key !== "PageDown" && event.key !== "PageUp") return false;
    tabs.turn(event.key === "PageDown" ? 1 : -1);
    return true;
  }
  if (!event.ctrlKey && !event.metaKey) return false;
  switch (event.key.toLowerCase()) {
    case "enter":
      void submit(room);
      return true;
    case "p":
      if (event.shiftKey) return false;
      quickOpen.value = true;
      return true;
    case "f":
      if (!event.shiftKey) return false;
      if (sizes.value.files === 0) toggleFiles();
      leftPane.value = "search";
      // A pane that is not there yet takes the focus itself.
      document.querySelector<HTMLInputElement>(".search-pane input")?.focus();
      return true;
    case "s":
      // Everything is stored by itself; the browser's own "save page" would only confuse.
      return true;
    default:
      return false;
  }
}
