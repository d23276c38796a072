// Makes a task: language, name, remarks.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { createTask } from "../api/tasks";
import { Dialog } from "../app/dialog";
import { go } from "../app/router";
import { sentenceOf } from "../app/sentence-of";
import type { Language } from "../messages.generated";
import { t } from "../texts/texts";

/** The language of the last task on this device. */
const KEY = "coderoom.task-language";

function lastLanguage(): Language {
  const stored = localStorage.getItem(KEY);
  return stored === "scala" || stored === "r" ? stored : "python";
}

export function NewTaskDialog({ onClose }: { onClose(): void }) {
  const language = useSignal(lastLanguage());
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const name = useRef<HTMLInputElement>(null);
  const remarks = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => name.current?.focus(), []);
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    isBusy.value = true;
    localStorage.setItem(KEY, language.value);
    try {
      const task = await createTask({ name: name.current?.value.trim() ?? "", language: language.value, remarks: remarks.current?.value ?? "" });
      go(`/tasks/${task.id}`);
    } catch (error) {
      problem.value = sentenceOf(error);
      isBusy.value = false;
    }
  };
  const texts = t.value.tasks;
  return (
    <Dialog title={texts.new} onClose={onClose}>
      <form onSubmit={(event) => void onSubmit(event)}>
        <label class="field">
          {t.value.common.name}
          <input ref={name} required maxLength={200} autocomplete="off" />
        </label>
        <fieldset class="languages">
          <legend>{texts.language}</legend>
          {(Object.keys(t.value.languages) as Language[]).map((each) => (
            <label key={each}>
              <input type="radio" name="language" checked={language.value === each} onChange={() => (language.value = each)} />
              {t.value.languages[each]}
            </label>
          ))}
        </fieldset>
        <label class="field">
          {texts.remarks}
          <textarea ref={remarks} rows={2} maxLength={4000} placeholder={texts.remarksHint} />
        </label>
        <p class="problem" role="alert">
          {problem.value}
        </p>
        <div class="actions">
          <button type="button" onClick={onClose}>
            {t.value.common.cancel}
          </button>
          <button class="primary" disabled={isBusy.value}>
            {t.value.common.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
