// Changes a task's name and remarks.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { changeTask } from "../api/tasks";
import { Dialog } from "../app/dialog";
import { sentenceOf } from "../app/sentence-of";
import type { TaskLine } from "../messages.generated";
import { t } from "../texts/texts";

export function EditTaskDialog({ task, onClose, onChanged }: { task: TaskLine; onClose(): void; onChanged(): void }) {
  const problem = useSignal("");
  const name = useRef<HTMLInputElement>(null);
  const remarks = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => name.current?.select(), []);
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    try {
      await changeTask(task.id, { name: name.current?.value.trim() ?? "", remarks: remarks.current?.value ?? "" });
      onClose();
      onChanged();
    } catch (error) {
      problem.value = sentenceOf(error);
    }
  };
  const texts = t.value.tasks;
  return (
    <Dialog title={texts.edit} onClose={onClose}>
      <form onSubmit={(event) => void onSubmit(event)}>
        <label class="field">
          {t.value.common.name}
          <input ref={name} required maxLength={200} defaultValue={task.name} autocomplete="off" />
        </label>
        <label class="field">
          {texts.remarks}
          <textarea ref={remarks} rows={3} maxLength={4000} defaultValue={task.remarks} />
        </label>
        <p class="problem" role="alert">
          {problem.value}
        </p>
        <div class="actions">
          <button type="button" onClick={onClose}>
            {t.value.common.cancel}
          </button>
          <button class="primary">{t.value.common.save}</button>
        </div>
      </form>
    </Dialog>
  );
}
