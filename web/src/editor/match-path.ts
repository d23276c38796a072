// How well a few letters fit a path.

/** Whether the letters are in the path in this order; less is better: names before folders, early before late. */
export function matchOf(path: string, letters: string): number | null {
  const lower = path.toLowerCase();
  let at = -1;
  let distance = 0;
  for (const letter of letters.toLowerCase().replace(/\s/g, "")) {
    const next = lower.indexOf(letter, at + 1);
    if (next < 0) return null;
    distance += next - at;
    at = next;
  }
  const name = lower.slice(lower.lastIndexOf("/") + 1);
  return distance + (name.includes(letters.toLowerCase()) ? 0 : 100) + path.length / 100;
}
