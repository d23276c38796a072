// Whether the server can store edits, by what it said: it says so once for each file when storing begins to fail, and again when it works.

import { computed, signal, type ReadonlySignal } from "@preact/signals-core";
import type { FileId, NoticeCode } from "../messages.generated";

export class Storing {
  /** Storing fails for at least one file. */
  readonly fails: ReadonlySignal<boolean>;
  private readonly failing = signal<ReadonlySet<FileId | null>>(new Set());

  constructor() {
    this.fails = computed(() => this.failing.value.size > 0);
  }

  /** A notice about a file, or about all. A file that takes no edits is not one whose edits wait: those were refused. */
  take(code: NoticeCode, file: FileId | null): void {
    if (code !== "not_stored" && code !== "stored") return;
    const failing = new Set(this.failing.peek());
    if (code === "not_stored") failing.add(file);
    else failing.delete(file);
    this.failing.value = failing;
  }

  /** A new connection: what holds now is said again. */
  forget(): void {
    this.failing.value = new Set();
  }
}
