// Names as they are shown. Others chose them, and some characters, not seen themselves, have a name read as another one:
// with U+202E in it, `txt.py` can look like `yp.txt`.

/** What changes the direction of writing without being a letter. */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** Blocks of letters that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name or path to be read: changes of direction are written out, and no part turns what stands beside it. */
export function shownName(path: string): string {
  return path.split("/").map(shownPart).join("/");
}

function shownPart(part: string): string {
  const readable = part.replace(DIRECTIONS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  // Isolated by characters, since names stand in sentences and labels too; from left to right, so that the ending is at the end.
  return RIGHT_TO_LEFT.test(readable) ? `\u2066${readable}\u2069` : readable;
}
