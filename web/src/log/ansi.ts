// A line with escape sequences as parts with classes. Only colours and weights count; all other sequences are left out.

import Anser from "anser";

export interface Part {
  text: string;
  /** Class names of log.css; empty for plain text. */
  classes: string;
  /** A colour of its own, as `r, g, b`, where the program asked for one beyond the sixteen. */
  colour: string;
}

/** All sequences but those that set colours: CSI, OSC, DCS, APC, PM (up to BEL or ST), and those of two characters. */
const OTHERS = /\u001b(?:\[[0-?]*[ -/]*[@-ln-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** The parts of a line. */
export function partsOf(line: string): Part[] {
  if (!line.includes("\u001b")) return [{ text: line, classes: "", colour: "" }];
  return Anser.ansiToJson(line.replace(OTHERS, ""), { json: true, use_classes: true, remove_empty: true }).map(({ content, fg, bg, fg_truecolor, decorations }) => ({
    text: content,
    classes: [named(fg, "fg"), named(bg, "bg"), ...decorations.map((each) => `ansi-${each}`)].filter(Boolean).join(" "),
    colour: /^[\d, ]+$/.test(fg_truecolor ?? "") ? fg_truecolor : "",
  }));
}

function named(colour: string | null, ground: "fg" | "bg"): string {
  return colour && /^ansi-(?:bright-)?[a-z]+$/.test(colour) ? `${colour}-${ground}` : "";
}
