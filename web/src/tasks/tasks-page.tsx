// The list of tasks: search, make, import, rename, delete, open. Keyboard first.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Header } from "../app/header";
import { Icon } from "../app/icons";
import { loadEditor } from "../app/lazy-pages";
import type { Language } from "../messages.generated";
import { sweepCopies } from "../room/unsent-files";
import { t } from "../texts/texts";
import { importTask } from "./import-task";
import { NewTaskDialog } from "./new-task-dialog";
import { TaskRows } from "./task-rows";
import { TasksState } from "./tasks-state";
import "./tasks.css";

export function TasksPage() {
  const state = useMemo(() => new TasksState(), []);
  const isMaking = useSignal(false);
  const search = useRef<HTMLInputElement>(null);
  const texts = t.value.tasks;
  document.title = `${texts.title} · coderoom`;

  useEffect(() => state.begin(), [state]);
  useEffect(() => {
    // The list is there first; the editor comes while people read it.
    const timer = setTimeout(() => {
      loadEditor();
      void sweepCopies();
    }, 300);
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.closest("input, select, textarea, dialog, [role=menu]");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") search.current?.focus();
      else if (event.key.toLowerCase() === "n") isMaking.value = true;
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => {
      clearTimeout(timer);
      removeEventListener("keydown", onKey);
    };
  }, []);

  const toFirstRow = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    document.querySelector<HTMLElement>(".task-rows a")?.focus();
  };
  return (
    <div class="tasks-page">
      <Header>
        <span class="brand">coderoom</span>
        <span class="space" />
      </Header>
      <main>
        <div class="tasks-head">
          <h1>{texts.title}</h1>
          <button onClick={() => void importTask()} title={texts.importHint}>
            <Icon name="upload" />
            {texts.import}
          </button>
          <button class="primary" onClick={() => (isMaking.value = true)} aria-keyshortcuts="n">
            <Icon name="add" />
            {texts.new}
          </button>
        </div>
        <div class="tasks-filter">
          <input
            type="search"
            ref={search}
            placeholder={texts.search}
            aria-label={texts.search}
            aria-keyshortcuts="/"
            value={state.search.value}
            onInput={(event) => (state.search.value = event.currentTarget.value)}
            onKeyDown={toFirstRow}
          />
          <select aria-label={texts.language} value={state.language.value} onChange={(event) => (state.language.value = event.currentTarget.value as Language | "")}>
            <option value="">{texts.allLanguages}</option>
            {(Object.keys(t.value.languages) as Language[]).map((each) => (
              <option key={each} value={each}>
                {t.value.languages[each]}
              </option>
            ))}
          </select>
        </div>
        <TaskRows state={state} onNew={() => (isMaking.value = true)} />
        {(state.tasks.value?.length ?? 0) > 0 && <p class="quiet keys">{texts.keys}</p>}
      </main>
      {isMaking.value && <NewTaskDialog onClose={() => (isMaking.value = false)} />}
    </div>
  );
}
