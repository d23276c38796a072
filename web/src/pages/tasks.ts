// The list of tasks: search, make, open, delete.

import { api } from "../api";
import { el, show, toast } from "../dom";
import type { Language, TaskLine, UserSummary } from "../messages.generated";
import { stateWord } from "../runs";

const LANGUAGES: [Language, string][] = [
  ["python", "Python"],
  ["scala", "Scala"],
  ["r", "R"],
];

/** Waits this long after a key before it searches. */
const SEARCH_DELAY_MS = 150;

export async function tasksPage(me: UserSummary, go: (path: string) => void) {
  const list = el("ul", { class: "tasks" });
  const search = el("input", { type: "search", placeholder: "Search", "aria-label": "Search tasks" });
  let timer: ReturnType<typeof setTimeout> | undefined;

  const row = (task: TaskLine) =>
    el(
      "li",
      {},
      el(
        "a",
        {
          href: `/tasks/${task.id}`,
          onclick: (event: MouseEvent) => {
            if (event.ctrlKey || event.metaKey) return;
            event.preventDefault();
            go(`/tasks/${task.id}`);
          },
        },
        el("strong", {}, task.name),
        el("span", { class: "badge" }, LANGUAGES.find(([id]) => id === task.language)?.[1] ?? task.language),
        el("span", { class: "quiet" }, stateWord(task.run_state)),
        el("time", { class: "quiet" }, new Date(task.updated_at).toLocaleString()),
      ),
      task.role === "owner" &&
        el("button", { class: "plain", "aria-label": `Delete ${task.name}`, onclick: () => void remove(task) }, "Delete"),
    );

  const load = async () => {
    const { tasks } = await api.tasks(search.value);
    show(list, ...tasks.map(row));
    if (tasks.length === 0) show(list, el("li", { class: "quiet" }, search.value ? "Nothing found." : "No tasks yet. Make one above."));
  };

  const remove = async (task: TaskLine) => {
    if (!confirm(`Delete “${task.name}” with all its files and runs? This cannot be undone.`)) return;
    await api.deleteTask(task.id).then(load, (error: Error) => toast(error.message));
  };

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void load(), SEARCH_DELAY_MS);
  });

  const name = el("input", { name: "name", placeholder: "Name of the new task", "aria-label": "Name of the new task", required: true, maxlength: "200" });
  const language = el("select", { "aria-label": "Language" }, ...LANGUAGES.map(([id, label]) => el("option", { value: id }, label)));
  const create = el(
    "form",
    {
      class: "create",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        api.createTask({ name: name.value, language: language.value as Language }).then(
          (task) => go(`/tasks/${task.id}`),
          (error: Error) => toast(error.message),
        );
      },
    },
    name,
    language,
    el("button", { class: "primary" }, "New task"),
  );

  await load();
  const signOut = () => void api.signOut().then(() => go("/sign-in"));
  const element = el(
    "main",
    { class: "page" },
    el("header", {}, el("h1", {}, "coderoom"), el("span", { class: "quiet" }, me.name), el("button", { class: "plain", onclick: signOut }, "Sign out")),
    create,
    search,
    list,
  );
  return { element, leave: () => clearTimeout(timer) };
}
