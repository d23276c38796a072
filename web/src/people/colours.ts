// A steady colour for each person, as a variable of the theme: who looks decides how light or dark it is.

import { signal } from "@preact/signals-core";
import { usualColour } from "../room/colour-claims";

/** The colours of the people in the open room, by their ids: no two of them have the same, as long as there are colours. */
export const roomColours = signal<ReadonlyMap<string, number>>(new Map());

/** The number of a person's colour. */
export const colourNumber = (id: string) => roomColours.value.get(id) ?? usualColour(id);

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
