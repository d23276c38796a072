// Whether what was typed is stored. Its methods only peek: they are called from effects. Counts frames, not hopes: the server answers every frame that carries edits, in
// order, and says "stored" only after the commit.

import { computed, signal, type ReadonlySignal } from "@preact/signals-core";

/** What people are told about their edits in one document, or in all of them together. */
export type Stored = "saved" | "saving" | "loading" | "refused" | "gone" | "offline" | "offline-keeping" | "offline-with-edits" | "read-only";

/** Frames of one document that wait for their answer. */
export class StoredState {
  /** Edits that no answer covers yet: frames on their way and edits made while there is no connection. */
  readonly waiting: ReadonlySignal<number>;
  /** The server did not take an edit and nothing after it made up for it. */
  readonly refused: ReadonlySignal<boolean>;
  /** The file was deleted while edits waited: nobody will answer them. */
  readonly lost: ReadonlySignal<boolean>;
  /** The first exchange of this connection is done. */
  readonly synced: ReadonlySignal<boolean>;
  private readonly frames = signal<readonly ("step2" | "update")[]>([]);
  private readonly unsent = signal(0);
  private readonly isRefused = signal(false);
  private readonly isSynced = signal(false);
  private readonly isGone = signal(false);

  /** `kept`: whether this device's storage has everything that was typed. */
  constructor(readonly kept: ReadonlySignal<boolean> = signal(true)) {
    this.waiting = computed(() => this.frames.value.length + this.unsent.value);
    this.refused = this.isRefused;
    this.lost = computed(() => this.isGone.value && this.waiting.value > 0);
    this.synced = this.isSynced;
  }

  /** An edit was made while nothing can be sent, or was found in the copy on this device. */
  keptHere(): void {
    this.unsent.value = this.unsent.peek() + 1;
  }

  /** A frame with edits was sent. A step 2 has all that the server lacks. */
  sent(kind: "step2" | "update"): void {
    this.frames.value = [...this.frames.peek(), kind];
  }

  /** The server's answer to the oldest frame. */
  answered(stored: boolean): void {
    const [kind, ...rest] = this.frames.peek();
    if (!kind) return;
    this.frames.value = rest;
    if (!stored) this.isRefused.value = true;
    else if (kind === "step2") {
      this.unsent.value = 0;
      this.isRefused.value = false;
      this.isSynced.value = true;
    }
  }

  /** The file was deleted. */
  fileIsGone(): void {
    this.isGone.value = true;
  }

  /** The connection is gone: what had no answer must be sent again. */
  disconnected(): void {
    const lost = this.frames.peek().filter((kind) => kind === "update").length;
    if (lost > 0) this.unsent.value = this.unsent.peek() + lost;
    this.frames.value = [];
    this.isSynced.value = false;
  }
}

/** What holds for several documents together: the worst of them. */
export function worst(states: readonly StoredState[], online: boolean, mayEdit: boolean): Stored {
  const waiting = states.filter((state) => state.waiting.value > 0);
  const waits = waiting.length > 0;
  // Before the first exchange after a connect one does not know what waits: only what was typed meanwhile is certain.
  if (!online && !waits) return "offline";
  if (!online) return waiting.every((state) => state.kept.value) ? "offline-with-edits" : "offline-keeping";
  if (states.some((state) => state.refused.value) && mayEdit) return "refused";
  if (!mayEdit) return "read-only";
  if (states.some((state) => state.lost.value)) return "gone";
  if (states.some((state) => !state.synced.value && state.waiting.value === 0)) return "loading";
  return waits ? "saving" : "saved";
}
