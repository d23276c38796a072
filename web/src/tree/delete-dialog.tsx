// Asks before a file or folder is deleted for everybody; where the main file goes with it, asks for the next one.

import { useSignal } from "@preact/signals";
import { Dialog } from "../app/dialog";
import type { Node } from "../messages.generated";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { filesOf } from "./apply-changes";
import type { TreeState } from "./tree-state";

export function DeleteDialog({ state }: { state: TreeState }) {
  const node = state.deleting.value;
  return node && <Question key={node.path} state={state} node={node} />;
}

function Question({ state, node }: { state: TreeState; node: Node }) {
  const texts = t.value.tree;
  const files = node.children ? filesOf(node) : [node];
  const ids = new Set(files.map(({ id }) => id));
  const root = state.task.room.tree.value;
  const others = (root ? filesOf(root) : []).filter((file) => file.kind === "text" && !ids.has(file.id));
  const needsMain = files.some((file) => file.main);
  const newMain = useSignal(others[0]?.path ?? "");
  const close = () => (state.deleting.value = null);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    close();
    state.remove(node, needsMain ? newMain.value : undefined);
  };
  const isImpossible = needsMain && others.length === 0;
  return (
    <Dialog title={texts.deleteTitle(shownName(node.name))} onClose={close}>
      <form onSubmit={onSubmit}>
        <p>{isImpossible ? texts.noOtherMain : node.children ? texts.deleteFolder(files.length) : texts.deleteText}</p>
        {needsMain && !isImpossible && (
          <label class="field">
            {texts.needsMain}
            <select value={newMain.value} onChange={(event) => (newMain.value = event.currentTarget.value)}>
              {others.map(({ path }) => (
                <option key={path} value={path}>
                  {shownName(path)}
                </option>
              ))}
            </select>
          </label>
        )}
        <div class="actions">
          <button type="button" onClick={close}>
            {t.value.common.cancel}
          </button>
          {!isImpossible && (
            <button class="danger" autofocus>
              {t.value.common.delete}
            </button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
