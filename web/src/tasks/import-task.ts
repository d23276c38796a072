// Makes a task from a zip: its name is the file's, its language what most of its files are in.

import { createTask, deleteTask, importZip } from "../api/tasks";
import { go } from "../app/router";
import { toast, toastError } from "../app/toasts";
import { t } from "../texts/texts";
import { chooseFiles } from "../tree/upload";
import { languageOfNames, zipNames } from "./zip-names";

/** Asks for a zip, makes the task and opens it. A zip that is refused leaves no task behind. */
export async function importTask(): Promise<void> {
  const [zip] = await chooseFiles(".zip,application/zip", false);
  if (!zip) return;
  toast(t.peek().tasks.importing(zip.name));
  let made: string | undefined;
  try {
    const language = languageOfNames(await zipNames(zip));
    made = (await createTask({ name: zip.name.replace(/\.zip$/i, "") || zip.name, language })).id;
    await importZip(made, zip, "", true);
    go(`/tasks/${made}`);
  } catch (error) {
    if (made) await deleteTask(made).catch(() => undefined);
    toastError(error);
  }
}
