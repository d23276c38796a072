// Shows a run's log: pieces arrive in order by offset; only a window of lines is kept in the page.

import { el } from "./dom";
import type { LogStream } from "./messages.generated";

/** Lines kept in the page; older ones leave it and can be downloaded. */
export const MAX_LINES = 5_000;

/** One piece of a log, as the `log` event brings it. */
export interface Piece {
  offset: number;
  end: number;
  stream: LogStream;
  text: string;
}

/** Keeps the next expected offset, so that a piece that comes twice after a reconnect is shown once. */
export class LogCursor {
  next = 0;

  /** Whether the piece is new (and moves the cursor), or was shown before. */
  accept(piece: Pick<Piece, "offset" | "end">): boolean {
    if (piece.end <= this.next) return false;
    this.next = piece.end;
    return true;
  }
}

/** Removes escape sequences (colours, titles, links) that a terminal would act on. */
export function plainText(text: string): string {
  // CSI … final byte; OSC, DCS, APC, PM up to BEL or ST; two-character escapes.
  return text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g, "");
}

/** The scrolling element with the lines. */
export class LogView {
  readonly element = el("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Log of the run" });
  private open: HTMLElement | null = null;
  private openStream: LogStream | null = null;

  clear(): void {
    this.element.replaceChildren();
    this.open = null;
    this.openStream = null;
  }

  append(piece: Piece): void {
    const atEnd = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 40;
    for (const part of plainText(piece.text).split(/(?<=\n)/)) {
      if (!this.open || this.openStream !== piece.stream) {
        this.open = el("div", { class: `line ${piece.stream}` });
        this.openStream = piece.stream;
        this.element.append(this.open);
      }
      this.open.append(part.replace(/\r?\n$/, ""));
      if (part.endsWith("\n")) this.open = null;
    }
    while (this.element.childElementCount > MAX_LINES) this.element.firstElementChild?.remove();
    if (atEnd) this.element.scrollTop = this.element.scrollHeight;
  }
}
