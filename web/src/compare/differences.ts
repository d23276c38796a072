// Two lists of files, and what differs between them.

import { compareNames } from "../tree/natural-order";

/** A file of one side. */
export interface SideFile {
  path: string;
  size: number;
  /** Of its content, lower-case hexadecimal; null where it is not known. */
  sha256: string | null;
  isText: boolean;
}

export interface Difference {
  path: string;
  change: "added" | "removed" | "changed" | "same";
  left: SideFile | undefined;
  right: SideFile | undefined;
}

/** Every path of either side, in natural order. */
export function differences(left: readonly SideFile[], right: readonly SideFile[]): Difference[] {
  const [before, after] = [new Map(left.map((file) => [file.path, file])), new Map(right.map((file) => [file.path, file]))];
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(compareNames);
  return paths.map((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    return { path, left: was, right: is, change: !was ? "added" : !is ? "removed" : isSame(was, is) ? "same" : "changed" };
  });
}

function isSame(left: SideFile, right: SideFile): boolean {
  if (left.size !== right.size) return false;
  // Of the same size and of unknown content: shown, so that nothing is hidden that may differ.
  return left.sha256 !== null && left.sha256 === right.sha256;
}
