// The copy of a document on this device, so that edits which were not sent yet survive a reload.

import { signal, type ReadonlySignal } from "@preact/signals-core";
import { IndexeddbPersistence, PREFERRED_TRIM_SIZE, storeState } from "y-indexeddb";
import { encodeStateAsUpdate, mergeUpdates, type Doc, type Transaction } from "yjs";
import { PREFIX } from "./unsent-files";

/** How long to wait for the device's storage before going on without it (some private windows never answer). */
const STORAGE_PATIENCE_MS = 1_500;

/** The same for a document that is known to have edits there: without them it would be shown, and called stored, without them. */
const UNSENT_PATIENCE_MS = 15_000;

/** What others typed is on the server already; it is written to the device this late, together. */
const OTHERS_LATER_MS = 400;

/** Many small updates are made into one this long after there are too many. */
const TRIM_LATER_MS = 1_000;

/** Where y-indexeddb keeps updates. */
const UPDATES = "updates";

/** Its name has the user in it, so that people who share a machine stay apart. */
export class LocalCopy {
  /** Whether the device's storage has confirmed everything that was typed. */
  readonly kept: ReadonlySignal<boolean>;
  private readonly isKept = signal(true);
  private readonly persistence: IndexeddbPersistence;
  private gathered: Uint8Array[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private trimming: ReturnType<typeof setTimeout> | undefined;
  /** Number of the newest write. */
  private writes = 0;
  /** The storage did not get something: the next write is of the whole document. */
  private isBehind = false;

  constructor(
    user: string,
    file: string,
    private readonly document: Doc,
  ) {
    this.kept = this.isKept;
    this.persistence = new IndexeddbPersistence(`${PREFIX}/${user}/${file}`, document);
    // Its own listener opens a transaction of the device's storage for every key of everybody, and does not say when it is done.
    document.off("update", this.persistence._storeUpdate);
    document.on("update", this.take);
    void this.persistence.whenSynced.then(() => {
      if (this.isBehind) this.store([]);
    });
  }

  /** What updates have as origin that come from this copy. */
  get origin(): unknown {
    return this.persistence;
  }

  /** Resolves when the document has what the device had, or when the device does not answer. */
  async loaded(hasUnsent: boolean): Promise<void> {
    const patience = hasUnsent ? UNSENT_PATIENCE_MS : STORAGE_PATIENCE_MS;
    await Promise.race([this.persistence.whenSynced, new Promise((resolve) => setTimeout(resolve, patience))]);
  }

  /** Ends the copying; the copy stays until a sweep. */
  async close(): Promise<void> {
    this.document.off("update", this.take);
    this.write();
    clearTimeout(this.trimming);
    await this.persistence.destroy();
  }

  private readonly take = (update: Uint8Array, origin: unknown, _document: Doc, { local }: Transaction) => {
    if (origin === this.persistence) return;
    this.gathered.push(update);
    if (local) this.write();
    else this.timer ??= setTimeout(() => this.write(), OTHERS_LATER_MS);
  };

  private write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const updates = this.gathered;
    this.gathered = [];
    if (updates.length > 0) this.store(updates);
  }

  private store(updates: Uint8Array[]): void {
    const { db } = this.persistence;
    const mine = ++this.writes;
    this.isKept.value = false;
    if (!db) {
      this.isBehind = true;
      return;
    }
    const update = this.isBehind ? encodeStateAsUpdate(this.document) : mergeUpdates(updates);
    this.isBehind = false;
    const turn = db.transaction(UPDATES, "readwrite");
    turn.objectStore(UPDATES).add(update);
    // Writes end in their order, so that the newest one speaks for all.
    turn.oncomplete = () => {
      if (mine === this.writes && !this.isBehind) this.isKept.value = true;
    };
    turn.onabort = () => {
      this.isBehind = true;
    };
    // At once: by itself it would ask this page once more, which may be gone by then.
    turn.commit();
    if (++this.persistence._dbsize < PREFERRED_TRIM_SIZE) return;
    this.trimming ??= setTimeout(() => {
      this.trimming = undefined;
      void storeState(this.persistence, false);
    }, TRIM_LATER_MS);
  }
}
