// The tree after what the server says has changed. Pure: gives a new tree and leaves the old one alone.

import type { Node, TreeChange } from "../messages.generated";
import { compareNames } from "./natural-order";

/** All files of the tree, in the order in which they are shown. */
export function filesOf(root: Node): Node[] {
  const files: Node[] = [];
  const walk = (node: Node) => {
    if (node.children) node.children.forEach(walk);
    else files.push(node);
  };
  walk(root);
  return files;
}

/** Applies changes in their order. Sizes of new files are 0 until the tree is read again. */
export function applyChanges(root: Node, changes: readonly TreeChange[]): Node {
  const files = new Map(filesOf(root).map((file) => [file.id ?? file.path, file]));
  for (const change of changes) {
    const known = files.get(change.file);
    switch (change.op) {
      case "created":
        files.set(change.file, { id: change.file, name: "", path: change.path, kind: change.kind, size: 0, main: false, children: null });
        break;
      case "moved":
        if (known) files.set(change.file, { ...known, path: change.to });
        break;
      case "deleted":
        files.delete(change.file);
        break;
      case "replaced":
        break;
      case "main":
        for (const [id, file] of files) if (file.main !== (id === change.file)) files.set(id, { ...file, main: id === change.file });
        break;
      default: {
        const unknown: never = change;
        console.warn("unknown change", unknown);
      }
    }
  }
  return buildTree([...files.values()]);
}

/** The nested tree of a list of files; folders are what their paths imply, and those in `empty`. */
export function buildTree(files: readonly Node[], empty: readonly string[] = []): Node {
  const root = folder("", "");
  const folders = new Map([["", root]]);
  const folderAt = (path: string): Node => {
    const known = folders.get(path);
    if (known) return known;
    const made = folder(lastOf(path), path);
    folders.set(path, made);
    folderAt(parentOf(path)).children?.push(made);
    return made;
  };
  for (const file of files) folderAt(parentOf(file.path)).children?.push({ ...file, name: lastOf(file.path) });
  empty.forEach(folderAt);
  finish(root);
  return root;
}

/** The tree with folders that have no file yet. */
export function withFolders(root: Node, paths: readonly string[]): Node {
  return paths.length === 0 ? root : buildTree(filesOf(root), paths);
}

/** The path of the folder that a path is in; empty for the root. */
export const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
/** The last component of a path. */
export const lastOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
/** A path below a folder. */
export const join = (folder: string, name: string) => (folder ? `${folder}/${name}` : name);

function folder(name: string, path: string): Node {
  return { id: null, name, path, kind: "folder", size: 0, main: false, children: [] };
}

function finish(node: Node): number {
  if (!node.children) return node.size;
  node.size = node.children.reduce((sum, child) => sum + finish(child), 0);
  node.children.sort((left, right) => Number(left.children === null) - Number(right.children === null) || compareNames(left.name, right.name));
  return node.size;
}
