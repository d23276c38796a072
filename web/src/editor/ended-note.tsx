// Says in words that a task cannot be used any more, and what to do; in the place of its bar.

import { Link } from "../app/router";
import { t } from "../texts/texts";
import { useTask } from "./task-context";

export function EndedNote() {
  const { room } = useTask();
  const why = room.ended.value;
  if (!why) return null;
  const texts = t.value.editor;
  return (
    <div class="ended" role="alert">
      <div>
        <strong>{texts.ended[why]}</strong> <span>{texts.ended[`${why}Hint`]}</span>
      </div>
      {why !== "deleted" && <button onClick={() => location.reload()}>{t.value.app.reload}</button>}
      <Link class="button" to="/">
        {texts.toTasks}
      </Link>
    </div>
  );
}
