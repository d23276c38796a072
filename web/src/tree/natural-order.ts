// The order of names in the tree, as the server has it: folders first, numbers by their value.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Compares two names: `file2` comes before `file10`. */
export function compareNames(left: string, right: string): number {
  return collator.compare(left, right) || (left < right ? -1 : left > right ? 1 : 0);
}
