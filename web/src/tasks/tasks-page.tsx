// The list of tasks: search, make, import, rename, delete, open.

import { Header } from "../app/header";
import { t } from "../texts/texts";
import { TaskList } from "./task-list";
import "./tasks.css";

export function TasksPage() {
  document.title = `${t.value.tasks.title} · coderoom`;
  return (
    <div class="tasks-page">
      <Header>
        <span class="brand">coderoom</span>
        <span class="space" />
      </Header>
      <main>
        <h1>{t.value.tasks.title}</h1>
        <TaskList />
      </main>
    </div>
  );
}
