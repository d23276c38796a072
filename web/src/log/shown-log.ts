// Which log the page shows, for what is done with it from outside: copying.

import { signal } from "@preact/signals";
import { copyText } from "../app/clipboard";
import type { OpenLog } from "./open-log";

export const shownLog = signal<OpenLog | null>(null);

/** A longer log is not copied but downloaded, in characters. */
export const MAX_COPY_CHARS = 16 * 1024 * 1024;

/** Puts the log's text on the clipboard; false when it is too long for that. */
export async function copyLog(): Promise<boolean> {
  const text = shownLog.peek()?.model.allPlain() ?? "";
  if (text.length > MAX_COPY_CHARS) return false;
  await copyText(text);
  return true;
}
