// Searches a log without holding up the page, and goes on while the log grows.

import { signal } from "@preact/signals-core";
import type { LogModel } from "./log-model";

/** More matches than these are not counted. */
export const MAX_MATCHES = 10_000;
/** Longest time for which the page waits for the search, in milliseconds. */
const SLICE_MS = 8;

export class LogSearch {
  /** The lines that have the words, in order. */
  readonly matches = signal<readonly number[]>([]);
  /** Which of the matches is looked at; -1 when there is none. */
  readonly current = signal(-1);
  private words = "";
  private isCaseSensitive = false;
  private next = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly model: LogModel) {}

  /** Begins anew. Capital letters in the words count; without any, upper and lower case are the same. */
  search(words: string): void {
    this.words = words;
    this.isCaseSensitive = words !== words.toLowerCase();
    this.next = 0;
    this.matches.value = [];
    this.current.value = -1;
    this.goOn();
  }

  /** Looks at what has come since. */
  goOn(): void {
    if (this.words && this.timer === undefined) this.timer = setTimeout(() => this.slice());
  }

  /** Goes to the match `step` further, round the end; gives its line. */
  move(step: number): number | undefined {
    const all = this.matches.peek();
    if (all.length === 0) return undefined;
    this.current.value = (this.current.peek() + step + all.length) % all.length;
    return all[this.current.peek()];
  }

  /** Where the words are in a line's plain text. */
  placesIn(text: string): [from: number, to: number][] {
    const places: [number, number][] = [];
    if (!this.words) return places;
    const inside = this.isCaseSensitive ? text : text.toLowerCase();
    for (let at = inside.indexOf(this.words); at >= 0; at = inside.indexOf(this.words, at + this.words.length)) places.push([at, at + this.words.length]);
    return places;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private slice(): void {
    this.timer = undefined;
    const until = performance.now() + SLICE_MS;
    const found: number[] = [];
    const room = MAX_MATCHES - this.matches.peek().length;
    while (this.next < this.model.length && found.length < room && performance.now() < until) {
      if (this.placesIn(this.model.plain(this.next)).length > 0) found.push(this.next);
      this.next++;
    }
    if (found.length > 0) this.matches.value = [...this.matches.peek(), ...found];
    if (this.next < this.model.length && found.length < room) this.goOn();
  }
}
