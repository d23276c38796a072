// The rows of the list: what a task is, what became of its newest run, who is in it.

import { useSignal } from "@preact/signals";
import { deleteTask } from "../api/tasks";
import { confirmed } from "../app/dialog";
import { Icon } from "../app/icons";
import { MenuButton, type MenuItem } from "../app/menu";
import { Link } from "../app/router";
import { toast, toastError } from "../app/toasts";
import { archiveUrl } from "../api/tasks";
import type { TaskLine } from "../messages.generated";
import { PersonSign } from "../people/person";
import { shownName } from "../texts/shown-name";
import { t, when } from "../texts/texts";
import { EditTaskDialog } from "./edit-task-dialog";
import type { TasksState } from "./tasks-state";

/** Signs in a row; more are a number. */
const MAX_SIGNS = 4;

export function TaskRows({ state, onNew }: { state: TasksState; onNew(): void }) {
  const edited = useSignal<TaskLine | null>(null);
  const texts = t.value.tasks;
  const tasks = state.tasks.value;
  if (tasks === null) return <div class="loading">{t.value.common.loading}</div>;
  if (tasks.length === 0) return <Nothing state={state} onNew={onNew} />;

  const onKeyDown = (event: KeyboardEvent) => {
    const links = [...(event.currentTarget as Element).querySelectorAll<HTMLElement>("a.task-link")];
    const here = links.indexOf((event.target as Element).closest("li")?.querySelector("a.task-link") as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 };
    const next = steps[event.key];
    if (next === undefined || here < 0) return;
    event.preventDefault();
    if (next < 0) document.querySelector<HTMLElement>(".tasks-filter input")?.focus();
    else links[Math.min(next, links.length - 1)]?.focus();
  };
  return (
    <>
      <ul class="task-rows" aria-label={texts.title} onKeyDown={onKeyDown}>
        {tasks.map((task) => (
          <TaskRow key={task.id} task={task} onEdit={() => (edited.value = task)} onDeleted={() => void state.read()} />
        ))}
      </ul>
      {state.next.value && <button onClick={() => void state.readMore()}>{texts.more}</button>}
      {edited.value && <EditTaskDialog key={edited.value.id} task={edited.value} onClose={() => (edited.value = null)} onChanged={() => void state.read()} />}
    </>
  );
}

function Nothing({ state, onNew }: { state: TasksState; onNew(): void }) {
  const texts = t.value.tasks;
  const isFiltered = state.search.value !== "" || state.language.value !== "";
  const clear = () => {
    state.search.value = "";
    state.language.value = "";
  };
  return (
    <div class="no-tasks">
      <p>{isFiltered ? texts.nothing : texts.none}</p>
      {!isFiltered && <p class="quiet">{texts.noneHint}</p>}
      <button class={isFiltered ? "" : "primary"} onClick={isFiltered ? clear : onNew}>
        {isFiltered ? texts.clear : texts.new}
      </button>
    </div>
  );
}

function TaskRow({ task, onEdit, onDeleted }: { task: TaskLine; onEdit(): void; onDeleted(): void }) {
  const texts = t.value.tasks;
  const remove = async () => {
    if (!(await confirmed(texts.deleteTitle(shownName(task.name)), texts.deleteText, t.value.common.delete))) return;
    await deleteTask(task.id).then(() => {
      toast(texts.deleted(shownName(task.name)));
      onDeleted();
    }, toastError);
  };
  const items = (): MenuItem[] => [
    ...(task.role === "owner" ? [{ label: texts.edit, act: onEdit }] : []),
    { label: t.value.tree.downloadAll, href: archiveUrl(task.id) },
    ...(task.role === "owner" ? (["line", { label: t.value.common.delete, act: () => void remove() }] as const) : []),
  ];
  const names = task.here.map(({ name }) => name).join(", ");
  return (
    <li>
      <div class="task-name">
        <Link to={`/tasks/${task.id}`} class="task-link">
          {shownName(task.name)}
        </Link>
        {task.remarks && <p class="quiet">{task.remarks}</p>}
      </div>
      <span class="task-here" title={names && texts.here(names)}>
        {task.here.slice(0, MAX_SIGNS).map((person) => (
          <PersonSign key={person.id} {...person} />
        ))}
        {task.here.length > MAX_SIGNS && <span class="quiet">+{task.here.length - MAX_SIGNS}</span>}
        {names && <span class="hidden-text">{texts.here(names)}</span>}
      </span>
      <span class="chip">{t.value.languages[task.language]}</span>
      <span class={`run-word state-${task.run_state}`}>
        <span class="hidden-text">{texts.newestRun("")}</span>
        {texts.run[task.run_state]}
      </span>
      <time class="quiet" dateTime={new Date(task.updated_at).toISOString()} title={`${texts.changed} ${new Date(task.updated_at).toLocaleString()}`}>
        {when(task.updated_at)}
      </time>
      <MenuButton class="plain icon-only" name={texts.actions(shownName(task.name))} items={items}>
        <Icon name="menu" />
      </MenuButton>
    </li>
  );
}
