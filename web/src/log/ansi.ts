// Colours of terminal output: which hold at the beginning of a line, and a line's text in pieces of one look each.

import { createAnsiSequenceParser, createColorPalette, type Color, type ParseToken } from "ansi-sequence-parser";

const SGR = /\u001b\[[\d;:]*m/g;
const RESET = /^\u001b\[0*m$/;
/** Everything a terminal would act on that is no colour: moves, titles, links, character sets. */
const OTHER = /\u001b(?:\[[0-?]*[ -/]*[@-ln-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()*+][A-Z0-9]|[=>78@-Z\\-_](?<!\[))/g;
/** Colours that are set one after the other without a reset are remembered up to this length, in characters. */
const MAX_STYLE_CHARS = 256;

const palette = createColorPalette();

/** A piece of a line of one look. */
export interface Span {
  text: string;
  classes: string;
  /** Colours that are no theme colour, as CSS. */
  colour?: string;
  ground?: string;
}

/** The colour sequences that hold after `text`, given those that held before it; empty when none do. */
export function styleAfter(style: string, text: string): string {
  if (!text.includes("\u001b")) return style;
  for (const [sequence] of text.matchAll(SGR)) style = RESET.test(sequence) ? "" : style + sequence;
  return style.length <= MAX_STYLE_CHARS ? style : style.slice(style.indexOf("\u001b", style.length - MAX_STYLE_CHARS));
}

/** Text without the sequences that a terminal would act on. */
export function plainText(text: string): string {
  return text.includes("\u001b") ? text.replace(OTHER, "").replace(SGR, "") : text;
}

/** A line in pieces. */
export function spansOf(style: string, text: string): Span[] {
  if (!style && !text.includes("\u001b")) return [{ text, classes: "" }];
  const tokens = createAnsiSequenceParser().parse(style + text.replace(OTHER, ""));
  return tokens.filter(({ value }) => value).map(spanOf);
}

function spanOf({ value, foreground, background, decorations }: ParseToken): Span {
  const isReversed = decorations.has("reverse");
  const [front, back] = isReversed ? [background, foreground] : [foreground, background];
  const classes = [...decorations].filter((decoration) => decoration !== "reverse").map((decoration) => `ansi-${decoration}`);
  if (isReversed && !front) classes.push("ansi-front-none");
  if (isReversed && !back) classes.push("ansi-back-none");
  const span: Span = { text: value, classes: "" };
  if (front) put(front, "front", classes, (css) => (span.colour = css));
  if (back) put(back, "back", classes, (css) => (span.ground = css));
  span.classes = classes.join(" ");
  return span;
}

/** The sixteen names are the theme's; the others are what they are. */
function put(colour: Color, place: "front" | "back", classes: string[], set: (css: string) => void): void {
  if (colour.type === "named") classes.push(`ansi-${place}-${colour.name}`);
  else set(palette.value(colour));
}
