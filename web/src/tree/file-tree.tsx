// The tree of files: its rows, keys, drags and drops. Only rows in view are in the page, so that 50,000 files are no matter.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { MenuButton, openMenu } from "../app/menu";
import { toast, toastError } from "../app/toasts";
import { useTask } from "../editor/task-context";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { DeleteDialog } from "./delete-dialog";
import { MoveDialog } from "./move-dialog";
import { NameInput } from "./name-input";
import { treeKey } from "./tree-keys";
import { rootItems, rowItems } from "./tree-menu";
import { DRAGGED, rowId, TreeRow } from "./tree-row";
import { TreeState } from "./tree-state";
import { droppedFiles, upload } from "./upload";
import "./tree.css";

/** Height of a row; the same as in tree.css. */
const ROW = matchMedia("(pointer: coarse)").matches ? 40 : 28;
/** Rows beyond the view that are drawn too. */
const MARGIN = 12;

export function FileTree() {
  const task = useTask();
  const { room } = task;
  const state = useMemo(() => new TreeState(task), [task]);
  const list = useRef<HTMLDivElement>(null);
  const view = useSignal({ top: 0, height: 600 });
  const target = useSignal<string | null>(null);

  const rows = state.rows.value;
  const focused = Math.max(0, rows.findIndex(({ node }) => node.path === state.focused.value));
  const first = Math.max(0, Math.floor(view.value.top / ROW) - MARGIN);
  const last = Math.min(rows.length, Math.ceil((view.value.top + view.value.height) / ROW) + MARGIN);

  useEffect(() => {
    const element = list.current;
    if (!element) return undefined;
    const measure = () => (view.value = { top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => observer.disconnect();
  }, []);

  const focusRow = (index: number) => {
    const [row, element] = [rows[index], list.current];
    if (!row || !element) return;
    state.focused.value = row.node.path;
    if (index * ROW < element.scrollTop) element.scrollTop = index * ROW;
    else if ((index + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (index + 1) * ROW - element.clientHeight;
    requestAnimationFrame(() => document.getElementById(rowId(row.node.path))?.focus());
  };
  const wanted = state.wanted.value;
  const wantedAt = wanted === null ? -1 : rows.findIndex(({ node }) => node.path === wanted);
  useEffect(() => {
    if (wantedAt < 0) return;
    state.wanted.value = null;
    const here = document.activeElement;
    if (here === document.body || here?.closest(".pane.files")) focusRow(wantedAt);
  }, [wantedAt]);
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[focused];
    if (row && treeKey(state, rows, focused, event, focusRow, () => openMenu(t.value.tree.actions(shownName(row.node.path)), rowItems(state, row.node), document.getElementById(rowId(row.node.path)) ?? { x: 0, y: 0 }))) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  const folderUnder = (event: DragEvent) => state.folderOf((event.target as Element).closest<HTMLElement>("[data-path]")?.dataset["path"] ?? null);
  const onDragOver = (event: DragEvent) => {
    const types = event.dataTransfer?.types ?? [];
    if (!(types.includes(DRAGGED) || types.includes("Files"))) return;
    // Also for viewers: the browser would leave the page for the dropped file.
    event.preventDefault();
    if (room.mayEdit.peek()) target.value = folderUnder(event);
  };
  const onDrop = (event: DragEvent) => {
    const data = event.dataTransfer;
    target.value = null;
    if (!data) return;
    event.preventDefault();
    if (!room.mayEdit.peek()) return toast(t.peek().editor.storedHint["read-only"]);
    const folder = folderUnder(event);
    const path = data.getData(DRAGGED);
    if (path) state.moveInto(path, folder);
    else void droppedFiles(data, folder).then((files) => upload(room.id, files)).catch(toastError);
  };

  const texts = t.value.tree;
  const naming = state.naming.value;
  const newName = naming && naming.kind !== "rename" && (
    <div class="row new-name">
      <Icon name={naming.kind} />
      <NameInput key={naming.kind + naming.folder} label={texts.newNameIn(shownName(naming.folder))} value="" placeholder={naming.folder ? `${shownName(naming.folder)}/…` : naming.kind === "file" ? texts.namePlaceholder : texts.newFolder} onDone={(typed) => state.finishNaming(typed)} />
    </div>
  );
  return (
    <>
      <div class="tree-bar">
        {room.mayEdit.value && (
          <button class="plain icon-only" aria-label={texts.newFile} title={texts.newFile} onClick={() => state.beginNew("file", "")}>
            <Icon name="add" />
          </button>
        )}
        <MenuButton class="plain icon-only" name={texts.menu} items={() => rootItems(state)}>
          <Icon name="menu" />
        </MenuButton>
      </div>
      {newName}
      <div
        class={target.value === "" ? "tree target" : "tree"}
        role="tree"
        aria-label={texts.label}
        ref={list}
        onKeyDown={onKeyDown}
        onDragOver={onDragOver}
        onDragLeave={() => (target.value = null)}
        onDrop={onDrop}
      >
        <div role="presentation" style={{ height: `${rows.length * ROW}px`, paddingTop: `${first * ROW}px` }}>
          {rows.slice(first, last).map((row) => (
            <TreeRow key={row.node.id ?? `/${row.node.path}`} state={state} row={row} isFocusable={row === rows[focused]} isTarget={target.value !== null && target.value !== "" && row.node.path === target.value} />
          ))}
        </div>
      </div>
      {room.mayEdit.value && <p class="tree-hint quiet">{texts.uploadHint}</p>}
      <DeleteDialog state={state} />
      <MoveDialog state={state} />
    </>
  );
}
