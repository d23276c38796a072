// A log as lines. Takes the pieces in order and remembers for each line its text, its stream and its first colours.
// Nothing here knows the page.

import type { LogStream } from "../messages.generated";
import { plainText, styleAfter } from "./ansi";

/** A longer line is shown as several, so that no line is too large to draw, in characters. */
export const MAX_LINE_CHARS = 4_000;

const STREAMS: readonly LogStream[] = ["out", "err", "sys"];

/** Small numbers, one a line, that grow without a copy for each. */
class Growing {
  private numbers = new Uint16Array(1024);
  private count = 0;

  push(value: number): void {
    if (this.count === this.numbers.length) {
      const larger = new Uint16Array(this.count * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers[this.count++] = value;
  }

  at(index: number): number {
    return this.numbers[index] ?? 0;
  }
}

export interface LogLine {
  text: string;
  stream: LogStream;
  /** The colour sequences that hold at its beginning. */
  style: string;
}

export class LogModel {
  private readonly texts: string[] = [];
  private readonly streams = new Growing();
  private readonly lineStyles = new Growing();
  /** Each look that some line begins with, once. */
  private readonly styles: string[] = [""];
  private readonly styleNumbers = new Map([["", 0]]);
  private style = "";
  private stream: LogStream = "out";
  /** Whether the last line may still grow. */
  private isOpen = false;

  /** How many lines there are, the one that still grows included. */
  get length(): number {
    return this.texts.length;
  }

  /** Takes the next piece. */
  append(stream: LogStream, text: string): void {
    // What another stream says begins a line of its own, though the first did not end its line.
    if (stream !== this.stream && this.isOpen) this.close();
    this.stream = stream;
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      this.extend(text.slice(from, at));
      this.close();
      from = at + 1;
    }
    if (from < text.length) this.extend(text.slice(from));
  }

  line(index: number): LogLine {
    return { text: shown(this.texts[index] ?? ""), stream: STREAMS[this.streams.at(index)] ?? "out", style: this.styles[this.lineStyles.at(index)] ?? "" };
  }

  /** Changes whenever the line would look different: only lines that still grow do. */
  version(index: number): number {
    return this.texts[index]?.length ?? 0;
  }

  /** A line's text without colours. */
  plain(index: number): string {
    return plainText(shown(this.texts[index] ?? ""));
  }

  /** All lines as text. */
  allPlain(): string {
    const lines = this.texts.map((_, index) => this.plain(index));
    return lines.join("\n") + (this.isOpen || lines.length === 0 ? "" : "\n");
  }

  private extend(part: string): void {
    if (!this.isOpen) this.open();
    for (;;) {
      const last = this.texts.length - 1;
      const whole = (this.texts[last] ?? "") + part;
      if (whole.length <= MAX_LINE_CHARS) {
        this.texts[last] = whole;
        return;
      }
      // Not between the two halves of one character.
      const half = whole.charCodeAt(MAX_LINE_CHARS - 1);
      const end = half >= 0xd800 && half < 0xdc00 ? MAX_LINE_CHARS - 1 : MAX_LINE_CHARS;
      this.texts[last] = whole.slice(0, end);
      part = whole.slice(end);
      this.close();
      this.open();
    }
  }

  private open(): void {
    this.texts.push("");
    this.streams.push(STREAMS.indexOf(this.stream));
    this.lineStyles.push(this.styleNumber());
    this.isOpen = true;
  }

  private close(): void {
    this.style = styleAfter(this.style, this.texts.at(-1) ?? "");
    this.isOpen = false;
  }

  private styleNumber(): number {
    let number = this.styleNumbers.get(this.style);
    if (number === undefined) {
      // A log with more looks than that is noise; its lines begin plain.
      if (this.styles.length > 0xffff) return 0;
      number = this.styles.push(this.style) - 1;
      this.styleNumbers.set(this.style, number);
    }
    return number;
  }
}

/** What a terminal would have on the line at its end: a carriage return begins the line anew (progress bars). */
function shown(text: string): string {
  if (!text.includes("\r")) return text;
  const ended = text.replace(/\r+$/, "");
  return ended.slice(ended.lastIndexOf("\r") + 1);
}
