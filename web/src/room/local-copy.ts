// The copy of a document on this device, so that edits which were not sent yet survive a reload.

import { IndexeddbPersistence } from "y-indexeddb";
import { mergeUpdates, type Doc, type Transaction } from "yjs";
import { PREFIX } from "./unsent-files";

/** How long to wait for the device's storage before going on without it (some private windows never answer). */
const STORAGE_PATIENCE_MS = 1_500;

/** What others typed is on the server already; it is written to the device this late, together. */
const OTHERS_LATER_MS = 400;

/** Its name has the user in it, so that people who share a machine stay apart. */
export class LocalCopy {
  private readonly persistence: IndexeddbPersistence;
  private gathered: Uint8Array[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    user: string,
    file: string,
    private readonly document: Doc,
  ) {
    this.persistence = new IndexeddbPersistence(`${PREFIX}/${user}/${file}`, document);
    // Its own listener opens a transaction of the device's storage for every key of everybody.
    document.off("update", this.persistence._storeUpdate);
    document.on("update", this.take);
  }

  /** What updates have as origin that come from this copy. */
  get origin(): unknown {
    return this.persistence;
  }

  /** Resolves when the document has what the device had, or when the device does not answer. */
  async loaded(): Promise<void> {
    await Promise.race([this.persistence.whenSynced, new Promise((resolve) => setTimeout(resolve, STORAGE_PATIENCE_MS))]);
  }

  /** Ends the copying; the copy stays until a sweep. */
  async close(): Promise<void> {
    this.document.off("update", this.take);
    this.write();
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
    if (updates.length > 0) this.persistence._storeUpdate(updates.length === 1 && updates[0] ? updates[0] : mergeUpdates(updates), null);
  }
}
