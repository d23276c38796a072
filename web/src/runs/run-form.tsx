// Asks for the command and the remarks of a run.

import { useState } from "preact/hooks";
import { Dialog } from "../app/dialog";
import { useTask } from "../editor/task-context";
import { t } from "../texts/texts";
import { runIsAsked } from "./run-form-state";
import { submit } from "./submit";

export function RunForm() {
  return runIsAsked.value ? <Form /> : null;
}

function Form() {
  const { room } = useTask();
  const [command, setCommand] = useState(room.runs.peek()[0]?.command ?? "");
  const [remarks, setRemarks] = useState("");
  const texts = t.value.runs;
  const close = () => (runIsAsked.value = false);
  const run = (event: SubmitEvent) => {
    event.preventDefault();
    close();
    void submit(room, { ...(command.trim() && { command: command.trim() }), ...(remarks.trim() && { remarks: remarks.trim() }) });
  };
  return (
    <Dialog title={texts.withCommand} onClose={close}>
      <form onSubmit={run}>
        <label class="field">
          {texts.command}
          <input class="mono" value={command} placeholder="sh run.sh" spellcheck={false} autocapitalize="off" onInput={(event) => setCommand(event.currentTarget.value)} />
          <span class="quiet">{texts.commandHint}</span>
        </label>
        <label class="field">
          {texts.remarks}
          <input value={remarks} onInput={(event) => setRemarks(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={close}>
            {t.value.common.cancel}
          </button>
          <button class="primary" type="submit">
            {texts.run}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
