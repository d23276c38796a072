// The lines of a log, made from its pieces as they come. Knows nothing of the view.

import type { LogStream } from "../messages.generated";

export interface LogLine {
  readonly text: string;
  readonly stream: LogStream;
  /** Colours that an earlier line began and did not end, as the sequences that begin them. */
  readonly carried: string;
}

const STREAMS: readonly LogStream[] = ["out", "err", "sys"];
/** A sequence that sets colours. */
const COLOUR = /\u001b\[[0-9;:]*m/g;
/** One that ends all of them, also as the first of several. */
const RESET = /^\u001b\[(?:0*|0*;.*)m$/;

/** Most characters of sequences that are carried on; a program that never ends its colours keeps the last. */
const MAX_CARRIED = 96;

/** Lines by number from 0. Only text and stream are kept for each; what few lines carry is kept apart. */
export class LogLines {
  private readonly texts: string[] = [];
  private readonly streams: number[] = [];
  private readonly carried = new Map<number, string>();
  private isOpen = false;
  private colours = "";

  get count(): number {
    return this.texts.length;
  }

  /** The line; undefined beyond the end. */
  at(number: number): LogLine | undefined {
    const text = this.texts[number];
    if (text === undefined) return undefined;
    return { text, stream: STREAMS[this.streams[number] ?? 0] ?? "out", carried: this.carried.get(number) ?? "" };
  }

  /** Appends a piece. Another stream begins a line of its own. */
  append(text: string, stream: LogStream): void {
    const code = STREAMS.indexOf(stream);
    if (this.isOpen && this.streams.at(-1) !== code) this.isOpen = false;
    for (let from = 0; from < text.length; ) {
      const end = text.indexOf("\n", from);
      this.put(text.slice(from, end < 0 ? text.length : end), code);
      if (end < 0) return;
      this.isOpen = false;
      from = end + 1;
    }
  }

  private put(part: string, code: number): void {
    const number = this.isOpen ? this.texts.length - 1 : this.texts.length;
    if (!this.isOpen && this.colours) this.carried.set(number, this.colours);
    this.texts[number] = overwritten((this.isOpen ? (this.texts[number] ?? "") : "") + part);
    this.streams[number] = code;
    this.isOpen = true;
    if (part.includes("\u001b")) for (const [colour] of part.matchAll(COLOUR)) this.colours = RESET.test(colour) ? "" : (this.colours + colour).length > MAX_CARRIED ? colour : this.colours + colour;
  }
}

/** What is left to see when the cursor went back to the beginning of the line: what was written last. */
function overwritten(line: string): string {
  if (!line.includes("\r")) return line;
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1);
}
