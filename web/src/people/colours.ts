// A steady colour for each person, as a variable of the theme: who looks decides how light or dark it is.

/** Number of `--person-N` colours in theme/tokens.css. */
const COLOURS = 8;

/** The number of a person's colour; the same on every page. */
export function colourNumber(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % COLOURS;
}

/** The colour of a person for a style. */
export const colourOf = (id: string) => `var(--person-${colourNumber(id)})`;

/** One or two letters for a small round sign: first letters of two words, or the first of one. Whole characters only. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/).filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? "");
  const first = letters[0] ?? "";
  // Chinese names read well with one character.
  return (/\p{Script=Han}/u.test(first) ? first : letters.join("")).toUpperCase() || "?";
}
