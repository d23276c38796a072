// The lines of the tree that are to be seen, in order. Pure.

import type { Node } from "../messages.generated";

export interface Row {
  node: Node;
  /** 1 at the top. */
  level: number;
  /** Place among its siblings, from 1, and their number: what a screen reader says. */
  place: number;
  siblings: number;
  isOpen: boolean;
}

/** All rows of open folders. */
export function visibleRows(root: Node, isOpen: (path: string) => boolean): Row[] {
  const rows: Row[] = [];
  const walk = (folder: Node, level: number) => {
    const children = folder.children ?? [];
    children.forEach((node, index) => {
      const open = node.children !== null && isOpen(node.path);
      rows.push({ node, level, place: index + 1, siblings: children.length, isOpen: open });
      if (open) walk(node, level + 1);
    });
  };
  walk(root, 1);
  return rows;
}

/** The row that a key leads to from row `at`; the same one when the key leads nowhere. */
export function rowByKey(rows: readonly Row[], at: number, key: string): number {
  const row = rows[at];
  switch (key) {
    case "ArrowDown":
      return Math.min(at + 1, rows.length - 1);
    case "ArrowUp":
      return Math.max(at - 1, 0);
    case "Home":
      return 0;
    case "End":
      return rows.length - 1;
    case "ArrowLeft": {
      if (!row || row.level === 1) return at;
      const parent = rows.slice(0, at).findLastIndex(({ level }) => level === row.level - 1);
      return parent >= 0 ? parent : at;
    }
    default: {
      // A letter: the next name that begins with it, around the end.
      if ([...key].length !== 1) return at;
      const letter = key.toLowerCase();
      for (let step = 1; step <= rows.length; step++) {
        const next = (at + step) % rows.length;
        if (rows[next]?.node.name.toLowerCase().startsWith(letter)) return next;
      }
      return at;
    }
  }
}

/** Path of the row that has the focus once a file or folder is deleted: the next one, else the one before. */
export function rowAfterDeleting(rows: readonly Row[], path: string): string | null {
  const stays = ({ node }: Row) => node.path !== path && !node.path.startsWith(`${path}/`);
  const at = rows.findIndex(({ node }) => node.path === path);
  return (rows.slice(at + 1).find(stays) ?? rows.slice(0, Math.max(0, at)).findLast(stays))?.node.path ?? null;
}

/** Whether a file or folder may go into a folder: not into itself, and not where it is already. */
export function mayMove(from: string, folder: string): boolean {
  const parent = from.slice(0, Math.max(0, from.lastIndexOf("/")));
  return parent !== folder && folder !== from && !folder.startsWith(`${from}/`);
}
