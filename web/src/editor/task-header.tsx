// The bar of a task: its name, what is stored, who is here, and the button that runs it.

import { Header } from "../app/header";
import { Icon } from "../app/icons";
import { Link } from "../app/router";
import { runIsAsked } from "../runs/run-form-state";
import { submit } from "../runs/submit";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { ShareButton } from "../people/share-button";
import { PeopleHere } from "./people-here";
import { sizes, toggleFiles } from "./panes";
import { StoredBadge } from "./stored-badge";
import { useTask } from "./task-context";

export function TaskHeader() {
  const { room } = useTask();
  const task = room.task.value;
  const mayRun = room.mayEdit.value;
  const whyNot = mayRun ? undefined : t.value.editor.storedHint["read-only"];
  return (
    <Header inert={room.ended.value !== null}>
      <Link to="/" class="button plain icon-only" aria-label={t.value.editor.toTasks} title={t.value.editor.toTasks}>
        <Icon name="back" />
      </Link>
      <button class="plain icon-only" aria-label={t.value.editor.showFiles} aria-pressed={sizes.value.files > 0} title={t.value.editor.showFiles} onClick={toggleFiles}>
        <Icon name="panel" />
      </button>
      {/* Until it is known which task this is, the state stands in the place of the name. */}
      {task && (
        <>
          <h1 title={shownName(task.name)}>{shownName(task.name)}</h1>
          <span class="chip">{t.value.languages[task.language]}</span>
        </>
      )}
      <StoredBadge key={task?.id ?? "none"} />
      <span class="space" />
      <PeopleHere />
      <ShareButton />
      <button class="primary" disabled={!mayRun} title={whyNot ?? t.value.runs.runKey} onClick={() => void submit(room)}>
        <Icon name="play" />
        {t.value.runs.run}
      </button>
      <button class="plain icon-only wide-only" disabled={!mayRun} aria-label={t.value.runs.withCommand} title={whyNot ?? t.value.runs.withCommand} onClick={() => (runIsAsked.value = true)}>
        <Icon name="settings" />
      </button>
    </Header>
  );
}
