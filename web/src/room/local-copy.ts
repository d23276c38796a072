// The copy of a document on this device, so that edits which were not sent yet survive a reload.

import { IndexeddbPersistence } from "y-indexeddb";
import type { Doc } from "yjs";
import { PREFIX } from "./unsent-files";

/** How long to wait for the device's storage before going on without it (some private windows never answer). */
const STORAGE_PATIENCE_MS = 1_500;

/** Its name has the user in it, so that people who share a machine stay apart. */
export class LocalCopy {
  private readonly persistence: IndexeddbPersistence;

  constructor(user: string, file: string, document: Doc) {
    this.persistence = new IndexeddbPersistence(`${PREFIX}/${user}/${file}`, document);
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
    await this.persistence.destroy();
  }
}
