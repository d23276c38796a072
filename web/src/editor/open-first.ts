// Opens what was open at the last visit; at the first one the main file.

import { effect } from "@preact/signals";
import { filesOf } from "../tree/apply-changes";
import type { TaskContext } from "./task-context";

/** Waits for the tree, then opens files; returns the end of waiting. Closes tabs of files that are gone for good. */
export function openFirstFiles({ room, tabs }: TaskContext): () => void {
  let isDone = false;
  return effect(() => {
    const tree = room.tree.value;
    if (!tree || isDone) return;
    isDone = true;
    const files = filesOf(tree);
    const known = new Set(files.map((file) => file.id));
    const { files: remembered, shown } = tabs.remembered();
    const kept = remembered.filter((id) => known.has(id));
    kept.forEach((id) => tabs.openFile(id));
    if (shown && kept.includes(shown)) tabs.show(shown);
    const first = files.find((file) => file.main) ?? files.find((file) => file.kind === "text");
    if (kept.length === 0 && first?.id) tabs.openFile(first.id);
  });
}
