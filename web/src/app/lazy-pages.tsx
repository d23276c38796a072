// The editor is loaded when a task is opened, so that sign-in and the list of tasks are there at once.

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { t } from "../texts/texts";

const taskPage = signal<ComponentType<{ id: string }> | null>(null);

/** Begins to load the editor; called early by pages that lead to it. */
export function loadEditor(): void {
  if (!taskPage.peek()) void import("../editor/task-page").then((module) => (taskPage.value = module.TaskPage));
}

export function LazyTaskPage({ id }: { id: string }) {
  loadEditor();
  const Shown = taskPage.value;
  return Shown ? <Shown id={id} /> : <main class="loading">{t.value.common.loading}</main>;
}
