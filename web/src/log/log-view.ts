// Draws the lines of a log that can be seen, and no others. It goes with the end until somebody scrolls up.

import { signal } from "@preact/signals-core";
import { spansOf } from "./ansi";
import type { LogSearch } from "./find";
import type { LogModel } from "./log-model";

/** Height of a line in pixels; log.css has the same. */
const LINE_PX = 20;
/** Lines drawn beyond the edges, so that fast scrolling shows no gap. */
const MARGIN_LINES = 20;
/** Browsers cannot make anything much higher. A longer log scrolls proportionally. */
const MAX_HEIGHT_PX = 16_000_000;
/** This near to the end counts as at the end, in pixels. */
const AT_END_PX = 4;
/** Space above the first and below the last line in pixels. */
const PADDING_PX = 8;

interface Row {
  element: HTMLElement;
  version: number;
}

export class LogView {
  /** Whether new lines scroll it. */
  readonly isFollowing = signal(true);
  private readonly sizer = document.createElement("div");
  private readonly shown = document.createElement("div");
  private rows = new Map<number, Row>();
  private frame = 0;
  private readonly resized: ResizeObserver;

  constructor(
    private readonly host: HTMLElement,
    private readonly model: LogModel,
    private readonly search: LogSearch,
  ) {
    this.sizer.className = "log-sizer";
    this.shown.className = "log-lines";
    this.sizer.append(this.shown);
    host.replaceChildren(this.sizer);
    host.addEventListener("scroll", this.onScroll, { passive: true });
    host.addEventListener("keydown", this.onKey);
    this.resized = new ResizeObserver(() => this.refresh());
    this.resized.observe(host);
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.resized.disconnect();
    this.host.removeEventListener("scroll", this.onScroll);
    this.host.removeEventListener("keydown", this.onKey);
  }

  /** Draws at the next frame, however often it is called before. */
  refresh(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Draws everything anew: what is found has changed. */
  refreshAll(): void {
    this.rows.clear();
    this.refresh();
  }

  toEnd(): void {
    this.isFollowing.value = true;
    this.refresh();
  }

  /** Brings a line to the middle. */
  toLine(line: number): void {
    this.isFollowing.value = false;
    this.scrollTo(line * LINE_PX - this.host.clientHeight / 2);
    this.rows.clear();
    this.refresh();
  }

  /** Pixels that all lines would need. */
  private get wanted(): number {
    return this.model.length * LINE_PX + 2 * PADDING_PX;
  }

  /** Pixels of the log that one pixel of the scroll bar stands for. */
  private get scale(): number {
    const real = Math.min(this.wanted, MAX_HEIGHT_PX) - this.host.clientHeight;
    return real > 0 ? (this.wanted - this.host.clientHeight) / real : 1;
  }

  private scrollTo(top: number): void {
    this.host.scrollTop = Math.max(0, top) / this.scale;
  }

  private readonly onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this.host;
    this.isFollowing.value = scrollHeight - clientHeight - scrollTop <= AT_END_PX;
    this.refresh();
  };

  /** A page is a page, also where the scroll bar is proportional. */
  private readonly onKey = (event: KeyboardEvent): void => {
    const page = Math.max(LINE_PX, this.host.clientHeight - 2 * LINE_PX);
    const steps: Record<string, number> = { ArrowDown: LINE_PX, ArrowUp: -LINE_PX, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (step === Infinity) return this.toEnd();
    this.scrollTo(this.host.scrollTop * this.scale + step);
  };

  private draw(): void {
    const { host, model } = this;
    this.sizer.style.height = `${Math.min(this.wanted, MAX_HEIGHT_PX)}px`;
    if (this.isFollowing.peek()) host.scrollTop = host.scrollHeight;
    const top = host.scrollTop * this.scale - PADDING_PX;
    const first = Math.max(0, Math.floor(top / LINE_PX) - MARGIN_LINES);
    const last = Math.min(model.length, Math.ceil((top + host.clientHeight) / LINE_PX) + MARGIN_LINES);
    this.shown.style.transform = `translateY(${host.scrollTop - (top - first * LINE_PX)}px)`;
    const rows = new Map<number, Row>();
    for (let line = first; line < last; line++) {
      const kept = this.rows.get(line);
      const version = model.version(line);
      rows.set(line, kept?.version === version ? kept : { element: this.row(line), version });
    }
    const isSame = rows.size === this.rows.size && [...rows].every(([line, row]) => this.rows.get(line) === row);
    this.rows = rows;
    host.dataset["lines"] = String(model.length);
    if (!isSame) this.shown.replaceChildren(...[...rows.values()].map(({ element }) => element));
  }

  private row(index: number): HTMLElement {
    const { text, stream, style } = this.model.line(index);
    const row = document.createElement("div");
    row.className = `log-line ${stream}`;
    const places = this.search.placesIn(this.model.plain(index));
    if (places.length > 0 && this.search.matches.peek()[this.search.current.peek()] === index) row.classList.add("current");
    let at = 0;
    for (const span of spansOf(style, text)) {
      for (const [part, isFound] of cut(span.text, at, places)) {
        if (!isFound && !span.classes && !span.colour && !span.ground) {
          row.append(part);
          continue;
        }
        const element = document.createElement(isFound ? "mark" : "span");
        element.className = span.classes;
        element.textContent = part;
        if (span.colour) element.style.color = span.colour;
        if (span.ground && !isFound) element.style.backgroundColor = span.ground;
        row.append(element);
      }
      at += span.text.length;
    }
    return row;
  }
}

/** Cuts a piece that begins at `at` of its line into what was found and what was not. */
function cut(text: string, at: number, places: readonly (readonly [number, number])[]): [part: string, isFound: boolean][] {
  const parts: [string, boolean][] = [];
  let done = 0;
  for (const [from, to] of places) {
    const [begin, end] = [Math.max(done, from - at), Math.min(text.length, to - at)];
    if (end <= begin) continue;
    if (begin > done) parts.push([text.slice(done, begin), false]);
    parts.push([text.slice(begin, end), true]);
    done = end;
  }
  if (done < text.length || parts.length === 0) parts.push([text.slice(done), false]);
  return parts;
}
