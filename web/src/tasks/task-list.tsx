// The tasks one may see, the last changed first.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listTasks } from "../api/tasks";
import { loadEditor } from "../app/lazy-pages";
import { Link } from "../app/router";
import { toastError } from "../app/toasts";
import type { TaskLine } from "../messages.generated";

export function TaskList() {
  const tasks = useSignal<readonly TaskLine[]>([]);
  useEffect(() => {
    loadEditor();
    listTasks({}).then((page) => (tasks.value = page.tasks), toastError);
  }, []);
  return (
    <ul>
      {tasks.value.map((task) => (
        <li key={task.id}>
          <Link to={`/tasks/${task.id}`}>{task.name}</Link>
        </li>
      ))}
    </ul>
  );
}
