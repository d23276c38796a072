// Shows the lines of a log: only those in view are in the page, drawn at most once a frame. Stays at the end while one is
// there, and lets go when one scrolls up.

import { signal, type ReadonlySignal } from "@preact/signals-core";
import { partsOf } from "./ansi";
import type { LogLine, LogLines } from "./log-lines";

/** Height of a line in pixels; the same as in log.css. */
const LINE = 20;
/** Lines drawn beyond the view, so that quick scrolling shows text. */
const MARGIN = 20;
/** Browsers cannot lay out more than about 33 million pixels; beyond this many lines the height stands for more lines. */
const MAX_HEIGHT = 16_000_000;
/** Characters of a line that are drawn; the download has the rest. */
const MAX_COLUMNS = 4_000;

export class LogView {
  /** Whether new lines are shown as they come. */
  readonly follows: ReadonlySignal<boolean>;
  private readonly isFollowing = signal(true);
  private readonly space = document.createElement("div");
  private readonly window = document.createElement("div");
  private readonly observer: ResizeObserver;
  private frame = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly lines: LogLines,
  ) {
    this.follows = this.isFollowing;
    this.space.className = "log-space";
    this.window.className = "log-window";
    this.space.append(this.window);
    element.replaceChildren(this.space);
    element.addEventListener("scroll", this.onScroll, { passive: true });
    this.observer = new ResizeObserver(() => this.changed());
    this.observer.observe(element);
  }

  /** Lines came, or the view did change: draws in the next frame. */
  changed(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Goes to the end and stays there. */
  follow(): void {
    this.isFollowing.value = true;
    this.changed();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.element.removeEventListener("scroll", this.onScroll);
  }

  private readonly onScroll = () => {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    this.isFollowing.value = scrollHeight - scrollTop - clientHeight < 1.5 * LINE;
    this.changed();
  };

  private draw(): void {
    const { element, lines, space } = this;
    const height = Math.min(MAX_HEIGHT, lines.count * LINE);
    space.style.height = `${height}px`;
    if (this.isFollowing.peek()) element.scrollTop = element.scrollHeight;
    const top = element.scrollTop;
    const rows = Math.ceil(element.clientHeight / LINE);
    // Up to MAX_HEIGHT a pixel is a pixel; beyond it the way through the height is the way through the lines.
    const way = height > element.clientHeight ? top / (height - element.clientHeight) : 0;
    const first = height < MAX_HEIGHT ? Math.floor(top / LINE) : Math.round(way * Math.max(0, lines.count - rows));
    const from = Math.max(0, first - MARGIN);
    const until = Math.min(lines.count, first + rows + MARGIN);
    this.window.style.transform = `translateY(${height < MAX_HEIGHT ? from * LINE : top - (first - from) * LINE}px)`;
    const drawn: HTMLElement[] = [];
    for (let number = from; number < until; number++) {
      const line = lines.at(number);
      if (line) drawn.push(elementOf(line));
    }
    this.window.replaceChildren(...drawn);
    element.dataset["lines"] = String(lines.count);
  }
}

function elementOf({ text, stream, carried }: LogLine): HTMLElement {
  const row = document.createElement("div");
  row.className = stream;
  const shown = text.endsWith("\r") ? text.slice(0, -1) : text;
  for (const { text: content, classes, colour } of partsOf((carried + shown).slice(0, MAX_COLUMNS))) {
    if (!classes && !colour) {
      row.append(content);
      continue;
    }
    const part = document.createElement("span");
    part.className = classes;
    if (colour) part.style.color = `rgb(${colour})`;
    part.textContent = content;
    row.append(part);
  }
  return row;
}
