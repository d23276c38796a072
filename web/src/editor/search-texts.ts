// Finds words in the texts of a task. Pure.

import type { Node } from "../messages.generated";

export interface Hit {
  file: string;
  path: string;
  /** From 1. */
  line: number;
  /** From 0, in UTF-16 units as the editor counts. */
  column: number;
  length: number;
  /** The line, cut around the hit, and where the hit is in it. */
  shown: string;
  shownAt: number;
}

/** Characters shown before a hit. */
const BEFORE = 12;
/** Characters shown of a line. */
const SHOWN = 160;

/** The places of `wanted`, file by file, at most `most`. */
export function findInTexts(files: readonly Node[], wanted: string, matchCase: boolean, most: number): { hits: Hit[]; isCut: boolean } {
  const hits: Hit[] = [];
  if (!wanted) return { hits, isCut: false };
  // A pattern keeps the places right where lower case has another length (İ); lines are looked at one by one.
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), matchCase ? "gu" : "giu");
  for (const { id, path, text } of files) {
    if (!id || !text) continue;
    const lines = text.split(/\r?\n/);
    for (const [index, line] of lines.entries()) {
      for (const match of line.matchAll(pattern)) {
        if (hits.length >= most) return { hits, isCut: true };
        // Indentation says nothing here and would push the hit out of a narrow pane.
        const indent = line.length - line.trimStart().length;
        const begin = Math.max(Math.min(indent, match.index), match.index - BEFORE);
        hits.push({ file: id, path, line: index + 1, column: match.index, length: match[0].length, shown: line.slice(begin, begin + SHOWN), shownAt: match.index - begin });
      }
    }
  }
  return { hits, isCut: false };
}
