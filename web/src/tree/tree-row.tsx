// One line of the tree: a file or a folder, who is there, and its menu.

import { Icon } from "../app/icons";
import { openMenu } from "../app/menu";
import type { Node } from "../messages.generated";
import { colourOf } from "../people/colours";
import { shownName } from "../texts/shown-name";
import { bytes, t } from "../texts/texts";
import { NameInput } from "./name-input";
import type { Row } from "./rows";
import { rowItems } from "./tree-menu";
import type { TreeState } from "./tree-state";

/** The type of what is dragged inside the tree; files from outside have the browser's own. */
export const DRAGGED = "application/x-coderoom-path";

interface TreeRowProps {
  state: TreeState;
  row: Row;
  isFocusable: boolean;
  /** A drag is over the folder of this row. */
  isTarget: boolean;
}

export function TreeRow({ state, row, isFocusable, isTarget }: TreeRowProps) {
  const { node, level } = row;
  const { room, tabs } = state.task;
  const isFolder = node.children !== null;
  const isShown = node.id !== null && tabs.shown.value?.key === node.id;
  const naming = state.naming.value;
  const isRenamed = naming?.kind === "rename" && naming.path === node.path;
  const mayEdit = room.mayEdit.value;

  const onContextMenu = (event: MouseEvent) => {
    event.preventDefault();
    state.focused.value = node.path;
    openMenu(t.value.tree.actions(shownName(node.path)), rowItems(state, node), { x: event.clientX, y: event.clientY });
  };
  const onMore = (event: MouseEvent) => {
    event.stopPropagation();
    state.focused.value = node.path;
    openMenu(t.value.tree.actions(shownName(node.path)), rowItems(state, node), event.currentTarget as Element);
  };
  const classes = ["row", isShown && "shown-row", isTarget && "target", state.cut.value === node.path && "cut"].filter(Boolean).join(" ");
  return (
    <div
      class={classes}
      role="treeitem"
      id={rowId(node.path)}
      data-path={node.path}
      aria-level={level}
      aria-posinset={row.place}
      aria-setsize={row.siblings}
      aria-expanded={isFolder ? row.isOpen : undefined}
      aria-selected={isShown}
      aria-label={labelOf(state, node)}
      tabIndex={isFocusable ? 0 : -1}
      style={{ "--level": level - 1 }}
      draggable={mayEdit && !isRenamed}
      onClick={() => {
        state.focused.value = node.path;
        if (!isRenamed) state.activate(node);
      }}
      onFocus={() => (state.focused.value = node.path)}
      onContextMenu={onContextMenu}
      onDragStart={(event) => event.dataTransfer?.setData(DRAGGED, node.path)}
    >
      <span class={isFolder ? (row.isOpen ? "twist open" : "twist") : "twist none"}>{isFolder && <Icon name="chevron" />}</span>
      <Icon name={isFolder ? "folder" : node.kind === "blob" ? "blob" : "file"} />
      {isRenamed ? (
        <NameInput label={t.value.tree.nameOf(shownName(node.path))} value={node.name} onDone={(typed) => state.finishNaming(typed)} />
      ) : (
        <>
          <span class="name" title={node.kind === "blob" ? `${shownName(node.path)} (${bytes(node.size)})` : shownName(node.path)}>
            {shownName(node.name)}
          </span>
          {node.main && (
            <span class="main-mark" title={t.value.tree.main}>
              <Icon name="star" />
            </span>
          )}
          <PeopleDots state={state} node={node} isOpen={row.isOpen} />
          <button class="plain more" tabIndex={-1} aria-hidden="true" title={t.value.tree.actions(shownName(node.name))} onClick={onMore}>
            <Icon name="menu" />
          </button>
        </>
      )}
    </div>
  );
}

/** The id of a row's element. */
export const rowId = (path: string) => `row-${encodeURIComponent(path)}`;

function peopleAt(state: TreeState, node: Node, isOpen: boolean) {
  const { room } = state.task;
  const others = room.presence.people.value.filter((person) => person.id !== room.user.id);
  const { id, path } = node;
  if (id) return others.filter((person) => person.files.includes(id));
  // A closed folder stands for all that is in it.
  return isOpen ? [] : others.filter((person) => person.files.some((file) => room.files.value.get(file)?.path.startsWith(`${path}/`)));
}

function PeopleDots({ state, node, isOpen }: { state: TreeState; node: Node; isOpen: boolean }) {
  const people = peopleAt(state, node, isOpen);
  if (people.length === 0) return null;
  return (
    <span class="dots" title={t.value.tree.here(people.map(({ name }) => name).join(", "))}>
      {people.slice(0, 4).map(({ id }) => (
        <i key={id} style={{ background: colourOf(id) }} />
      ))}
    </span>
  );
}

function labelOf(state: TreeState, node: Node): string {
  const people = peopleAt(state, node, false).map(({ name }) => name);
  const texts = t.value.tree;
  const parts = [shownName(node.name), node.main && texts.main, node.kind === "blob" && texts.blob(bytes(node.size)), people.length > 0 && texts.here(people.join(", "))];
  return parts.filter(Boolean).join(", ");
}
