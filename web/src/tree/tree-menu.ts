// What can be done with a file, a folder, or the task's files as a whole.

import { archiveUrl, fileUrl } from "../api/tasks";
import type { MenuItem } from "../app/menu";
import type { Node } from "../messages.generated";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { join, lastOf } from "./apply-changes";
import { mayMove } from "./rows";
import type { TreeState } from "./tree-state";
import { chooseFiles, unpack, upload } from "./upload";

/** The menu of a row. */
export function rowItems(state: TreeState, node: Node): MenuItem[] {
  const texts = t.value.tree;
  const { room } = state.task;
  const isFolder = node.children !== null;
  const download: MenuItem = isFolder
    ? { label: texts.downloadZip, href: archiveUrl(room.id, node.path) }
    : { label: t.value.common.download, href: fileUrl(room.id, node.path), download: node.name };
  if (!room.mayEdit.value) return [download];
  const cut = state.cut.value;
  const items: (MenuItem | false)[] = [
    ...(isFolder ? folderItems(state, node.path) : []),
    isFolder && "line",
    node.kind === "text" && !node.main && { label: texts.setMain, act: () => state.setMain(node) },
    { label: texts.rename, act: () => void (state.naming.value = { kind: "rename", path: node.path }) },
    { label: texts.moveTo, act: () => void (state.moving.value = node) },
    isFolder && cut !== null && mayMove(cut, node.path) && { label: texts.paste(shownName(lastOf(cut))), act: () => void state.moveInto(cut, node.path) },
    download,
    "line",
    { label: t.value.common.delete, act: () => void (state.deleting.value = node) },
  ];
  return items.filter((item) => item !== false);
}

/** The menu of the task's files as a whole. */
export function rootItems(state: TreeState): MenuItem[] {
  const { room } = state.task;
  const download: MenuItem = { label: t.value.tree.downloadAll, href: archiveUrl(room.id) };
  return room.mayEdit.value ? [...folderItems(state, ""), "line", download] : [download];
}

function folderItems(state: TreeState, folder: string): MenuItem[] {
  const texts = t.value.tree;
  const { id } = state.task.room;
  const choose = async () => upload(id, (await chooseFiles()).map((file) => ({ path: join(folder, file.name), file })));
  const chooseZip = async () => {
    const [zip] = await chooseFiles(".zip,application/zip", false);
    if (zip) await unpack(id, zip, folder);
  };
  return [
    { label: texts.newFile, act: () => state.beginNew("file", folder) },
    { label: texts.newFolder, act: () => state.beginNew("folder", folder) },
    { label: texts.upload, act: () => void choose() },
    { label: texts.importZip, act: () => void chooseZip() },
  ];
}
