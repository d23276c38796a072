// Moves a file or folder to a folder that is chosen from a list: for keyboards and fingers.

import { useSignal } from "@preact/signals";
import { Dialog } from "../app/dialog";
import type { Node } from "../messages.generated";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { mayMove } from "./rows";
import type { TreeState } from "./tree-state";

export function MoveDialog({ state }: { state: TreeState }) {
  const node = state.moving.value;
  return node && <Choice key={node.path} state={state} node={node} />;
}

function foldersOf(root: Node): string[] {
  const folders = [root.path];
  for (const child of root.children ?? []) if (child.children) folders.push(...foldersOf(child));
  return folders;
}

function Choice({ state, node }: { state: TreeState; node: Node }) {
  const texts = t.value.tree;
  const folders = (state.root.value ? foldersOf(state.root.value) : []).filter((folder) => mayMove(node.path, folder));
  const chosen = useSignal(folders[0] ?? "");
  const close = () => (state.moving.value = null);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    close();
    state.moveInto(node.path, chosen.value);
  };
  return (
    <Dialog title={texts.moveToTitle(shownName(node.path))} onClose={close}>
      <form onSubmit={onSubmit}>
        {folders.length === 0 ? (
          <p>{texts.nowhere}</p>
        ) : (
          <select aria-label={texts.moveTo} size={Math.min(12, Math.max(4, folders.length))} value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
            {folders.map((folder) => (
              <option key={folder} value={folder}>
                {shownName(folder) || texts.root}
              </option>
            ))}
          </select>
        )}
        <div class="actions">
          <button type="button" onClick={close}>
            {t.value.common.cancel}
          </button>
          {folders.length > 0 && <button class="primary">{texts.move}</button>}
        </div>
      </form>
    </Dialog>
  );
}
