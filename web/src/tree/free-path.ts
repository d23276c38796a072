// A path that is not taken yet.

import type { Node } from "../messages.generated";
import { filesOf } from "./apply-changes";

/** `wanted`, or the same with a number before its ending. Letter case counts as the server counts it: not at all. */
export function freePath(root: Node | null, wanted: string): string {
  const taken = new Set(root ? filesOf(root).map((file) => file.path.toLowerCase()) : []);
  const dot = wanted.lastIndexOf(".");
  const [stem, ending] = dot > wanted.lastIndexOf("/") + 1 ? [wanted.slice(0, dot), wanted.slice(dot)] : [wanted, ""];
  for (let number = 1; ; number++) {
    const path = number === 1 ? wanted : `${stem}-${number}${ending}`;
    if (!taken.has(path.toLowerCase())) return path;
  }
}
