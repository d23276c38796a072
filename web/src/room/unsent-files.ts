// Which files have edits that are on this device only; and the sweep of copies that hold nothing of the kind.
// Copies are swept when no page of this site has a room open.

/** Begins the names of all databases with copies. */
export const PREFIX = "coderoom";
/** Begins the names of lists of files with unsent edits in the page's small storage. */
const UNSENT = `${PREFIX}.unsent.`;
/** Held by every page with an open room; the sweep wants it alone. */
const LOCK = `${PREFIX}.copies`;

/** Which files of a task have edits that are on this device only. */
export class UnsentFiles {
  private readonly key: string;
  private readonly files: Set<string>;

  constructor(user: string, task: string) {
    this.key = `${UNSENT}${user}.${task}`;
    this.files = new Set(listIn(this.key));
  }

  all(): string[] {
    return [...this.files];
  }

  set(file: string, hasUnsent: boolean): void {
    if (this.files.has(file) === hasUnsent) return;
    if (hasUnsent) this.files.add(file);
    else this.files.delete(file);
    if (this.files.size > 0) localStorage.setItem(this.key, JSON.stringify([...this.files]));
    else localStorage.removeItem(this.key);
  }
}

/** Says that this page uses copies, so that no other sweeps them; returns the end of that. */
export function useCopies(): () => void {
  let done: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (done = resolve));
  void navigator.locks?.request(LOCK, { mode: "shared" }, () => until);
  return done;
}

/** Removes the copies that hold nothing unsent, unless a page has a room open. Browsers without locks keep them. */
export async function sweepCopies(): Promise<void> {
  await navigator.locks?.request(LOCK, { ifAvailable: true }, async (lock) => {
    if (!lock || !indexedDB.databases) return;
    const unsent = new Set(unsentKeys().flatMap(listIn));
    for (const { name } of await indexedDB.databases()) {
      const file = name?.startsWith(`${PREFIX}/`) ? name.split("/")[2] : undefined;
      if (name && file && !unsent.has(file)) await removed(name);
    }
  });
}

/** Whether edits of any task wait on this device. */
export const hasUnsentEdits = () => unsentKeys().length > 0;

function unsentKeys(): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(UNSENT));
}

function listIn(key: string): string[] {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "[]") as string[];
  } catch {
    return [];
  }
}

function removed(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = request.onerror = request.onblocked = () => resolve();
  });
}
