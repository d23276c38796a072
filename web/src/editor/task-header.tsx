// The bar of a task: its name, what is stored, who is here, and the button that runs it.

import { Header } from "../app/header";
import { Icon } from "../app/icons";
import { Link } from "../app/router";
import { submit } from "../runs/submit";
import { t } from "../texts/texts";
import { PeopleHere } from "./people-here";
import { StoredBadge } from "./stored-badge";
import { useTask } from "./task-context";

export function TaskHeader() {
  const { room } = useTask();
  const task = room.task.value;
  return (
    <Header>
      <Link to="/" class="button plain icon-only" aria-label={t.value.editor.toTasks} title={t.value.editor.toTasks}>
        <Icon name="back" />
      </Link>
      <h1 title={task?.name}>{task?.name ?? "…"}</h1>
      {task && <span class="chip wide-only">{t.value.languages[task.language]}</span>}
      <StoredBadge />
      <span class="space" />
      <PeopleHere />
      <button class="primary" disabled={!room.mayEdit.value} title={t.value.runs.runKey} onClick={() => void submit(room)}>
        <Icon name="play" />
        {t.value.runs.run}
      </button>
    </Header>
  );
}
