// The keys of the tree, as people know them from other trees: arrows, letters, Enter, F2, Delete, cut and paste to move.

import { rowByKey, type Row } from "./rows";
import type { TreeState } from "./tree-state";

/** Does what the key means on row `at`; gives whether it means anything. */
export function treeKey(state: TreeState, rows: readonly Row[], at: number, event: KeyboardEvent, focusRow: (index: number) => void, menu: () => void): boolean {
  const row = rows[at];
  if (!row) return false;
  const { node } = row;
  const mayEdit = state.task.room.mayEdit.peek();
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand) {
    if (!mayEdit) return false;
    if (event.key === "x") state.cut.value = node.path;
    else if (event.key === "v" && state.cut.peek() !== null) state.moveInto(state.cut.peek() ?? "", state.folderOf(node.path));
    else return false;
    return true;
  }
  if (event.altKey) return false;
  switch (event.key) {
    case "Enter":
    case " ":
      state.activate(node);
      return true;
    case "Escape":
      if (state.cut.peek() === null) return false;
      state.cut.value = null;
      return true;
    case "ArrowRight":
      if (!node.children) return true;
      if (row.isOpen) focusRow(at + 1);
      else state.setOpen(node.path, true);
      return true;
    case "ArrowLeft":
      if (row.isOpen) state.setOpen(node.path, false);
      else focusRow(rowByKey(rows, at, event.key));
      return true;
    case "F2":
      if (mayEdit) state.naming.value = { kind: "rename", path: node.path };
      return true;
    case "Delete":
      if (mayEdit) state.deleting.value = node;
      return true;
    case "ContextMenu":
      menu();
      return true;
    case "F10":
      if (event.shiftKey) menu();
      return event.shiftKey;
    case "Tab":
      return false;
    default: {
      const next = rowByKey(rows, at, event.key);
      if (next !== at) focusRow(next);
      return next !== at;
    }
  }
}
