// Files from this device into the task: chosen, or dropped with their folders.

import { importZip, putFile } from "../api/tasks";
import { ApiError } from "../api/http";
import { confirmed } from "../app/dialog";
import { toast, toastError } from "../app/toasts";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { join } from "./apply-changes";

/** Uploads at the same time. */
const LANES = 3;
/** Most files of one drop; more belong into a zip. */
const MAX_FILES = 2_000;

export interface Upload {
  path: string;
  file: File;
}

/** Uploads one after the other, a few at a time; the first error is said and ends it. */
export async function upload(task: string, uploads: readonly Upload[]): Promise<void> {
  if (uploads.length === 0) return;
  const texts = t.peek().tree;
  toast(texts.uploading(uploads.length));
  const waiting = [...uploads];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await putFile(task, next.path, next.file);
  };
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
    toast(texts.uploaded(uploads.length));
  } catch (error) {
    waiting.length = 0;
    toastError(error);
  }
}

/** Lets people choose files; gives them when they did. */
export function chooseFiles(accept = "", multiple = true): Promise<File[]> {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = accept;
  input.multiple = multiple;
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve([...(input.files ?? [])]));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  });
}

/** Unpacks a zip into a folder; asks before files that are there give way. */
export async function unpack(task: string, zip: File, folder: string): Promise<void> {
  const texts = t.peek().tree;
  try {
    await importZip(task, zip, folder).catch(async (error: unknown) => {
      const isTaken = error instanceof ApiError && error.code === "path_taken";
      if (!isTaken || !(await confirmed(texts.replaceTitle, texts.replaceText, texts.replace))) throw error;
      return importZip(task, zip, folder, true);
    });
    toast(texts.unpacked(shownName(zip.name)));
  } catch (error) {
    toastError(error);
  }
}

/** What was dropped, folders with all that is in them. Must be called while the event is handled. */
export async function droppedFiles(data: DataTransfer, folder: string): Promise<Upload[]> {
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  // What a program puts together has files and no entries.
  if (entries.length === 0) return [...data.files].map((file) => ({ path: join(folder, file.name), file }));
  const found: Upload[] = [];
  let isCut = false;
  const walk = async (entry: FileSystemEntry, into: string): Promise<void> => {
    const path = join(into, entry.name);
    if (entry.isFile) {
      isCut ||= found.length >= MAX_FILES;
      if (isCut) return;
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push({ path, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    // A reader gives at most 100 entries at a time.
    for (;;) {
      const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (part.length === 0 || isCut) return;
      for (const child of part) await walk(child, path);
    }
  };
  for (const entry of entries) await walk(entry, folder);
  if (isCut) toast(t.peek().tree.dropIsCut(MAX_FILES));
  return found;
}
