// Open documents of a room: each is attached to the shared socket, has its copy on this device, and knows what is stored.

import { HocuspocusProvider } from "@hocuspocus/provider";
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals-core";
import type { Awareness } from "y-protocols/awareness";
import { Doc, type Text } from "yjs";
import { ROOT } from "../messages.generated";
import type { EditFrame } from "./frames";
import { LocalCopy } from "./local-copy";
import type { UnsentFiles } from "./unsent-files";
import type { RoomSocket } from "./socket";
import { StoredState } from "./stored-state";

/** What a document can be told apart by: `gone` when its file was deleted while edits waited here. */
export type Standing = "loading" | "ready" | "gone";

export interface OpenDocument {
  readonly file: string;
  readonly text: Text;
  /** Cursors of those who have the document open. */
  readonly awareness: Awareness;
  readonly stored: StoredState;
  /** `ready` once there is something to show: from the server, or from this device while there is no connection. */
  readonly standing: ReadonlySignal<Standing>;
}

interface Entry extends OpenDocument {
  readonly provider: HocuspocusProvider;
  readonly copy: LocalCopy;
  readonly state: ReturnType<typeof signal<Standing>>;
  holders: number;
  stopWatching(): void;
  frame(frame: EditFrame): void;
}

export class Documents {
  /** All open documents. */
  readonly open: ReadonlySignal<readonly OpenDocument[]>;
  private readonly entries = signal<readonly Entry[]>([]);
  private readonly leave: () => void;

  constructor(
    private readonly socket: RoomSocket,
    private readonly user: string,
    private readonly unsent: UnsentFiles,
  ) {
    this.open = computed(() => this.entries.value);
    const leaveFrames = socket.onEditFrame((frame) => this.entries.peek().find((entry) => entry.file === frame.address)?.frame(frame));
    const leaveStatus = effect(() => {
      if (socket.connection.value !== "online") for (const entry of this.entries.peek()) entry.stored.disconnected();
    });
    const leavePage = () => {
      for (const { file, stored } of this.entries.peek()) if (stored.waiting.peek() > 0) this.unsent.set(file, true);
    };
    addEventListener("pagehide", leavePage);
    this.leave = () => (leaveFrames(), leaveStatus(), removeEventListener("pagehide", leavePage));
  }

  /** Opens a file's document, or the one that is open already. Each call needs its {@link release}. */
  hold(file: string): OpenDocument {
    const known = this.entries.peek().find((entry) => entry.file === file);
    if (known) {
      known.holders++;
      return known;
    }
    const entry = this.begin(file);
    this.entries.value = [...this.entries.peek(), entry];
    return entry;
  }

  /** Gives a document back; the last one closes it, once everything in it is stored or it must wait on this device. */
  release(file: string): void {
    const entry = this.entries.peek().find((candidate) => candidate.file === file);
    if (!entry || --entry.holders > 0) return;
    // A document with edits on their way stays open until they are answered, or until the room closes.
    const stop = effect(() => {
      const isDone = entry.stored.waiting.value === 0 || entry.state.value === "gone";
      if (isDone && entry.holders === 0) queueMicrotask(() => (stop(), this.end(entry)));
      else if (entry.holders > 0) queueMicrotask(() => stop());
    });
  }

  /** The server has no such file any more. Edits that wait here stay in the open document. */
  fileIsGone(file: string): void {
    const entry = this.entries.peek().find((candidate) => candidate.file === file);
    if (!entry) return;
    entry.state.value = "gone";
    entry.stored.fileIsGone();
  }

  closeAll(): void {
    this.leave();
    for (const entry of this.entries.peek()) this.end(entry, true);
  }

  private begin(file: string): Entry {
    const document = new Doc();
    const state = signal<Standing>("loading");
    const copy = new LocalCopy(this.user, file, document);
    const stored = new StoredState(copy.kept);
    const text = document.getText(ROOT);
    const provider = new HocuspocusProvider({
      websocketProvider: this.socket.stock,
      name: file,
      token: "",
      document,
      onSynced: () => {
        if (state.value === "loading") state.value = "ready";
      },
      onAuthenticationFailed: () => this.fileIsGone(file),
    });
    const hasUnsent = this.unsent.all().includes(file);
    if (hasUnsent) stored.keptHere();
    document.on("update", (_update: Uint8Array, origin: unknown) => {
      const isMine = origin !== provider && origin !== copy.origin;
      if (isMine && this.socket.connection.peek() !== "online") stored.keptHere();
    });
    void copy.loaded(hasUnsent).then(() => {
      provider.attach();
      // Without a connection the copy is what there is; an empty copy would look like an empty file.
      if (state.value === "loading" && text.length > 0 && this.socket.connection.peek() !== "online") state.value = "ready";
    });
    const stopWatching = effect(() => {
      // What waits for a file that is gone is kept until its document is closed: somebody may want to save it elsewhere.
      if (state.value === "gone") return;
      if (stored.waiting.value === 0) this.unsent.set(file, false);
      else if (this.socket.connection.value !== "online") this.unsent.set(file, true);
    });
    const frame = ({ kind }: EditFrame) => {
      if (kind === "step2" || kind === "update") stored.sent(kind);
      else stored.answered(kind === "stored");
    };
    const awareness = provider.awareness;
    if (!awareness) throw new Error("a provider without awareness");
    return { file, text, awareness, stored, standing: state, state, provider, copy, holders: 1, stopWatching, frame };
  }

  /** `keep`: the page goes; what waits for a file that is gone is shown again at the next visit. */
  private end(entry: Entry, keep = false): void {
    if (!this.entries.peek().includes(entry)) return;
    this.entries.value = this.entries.peek().filter((other) => other !== entry);
    entry.stopWatching();
    if (!keep && entry.state.peek() === "gone") this.unsent.set(entry.file, false);
    entry.provider.destroy();
    void entry.copy.close().then(() => entry.text.doc?.destroy());
  }
}
