// Goes to a file by a few letters of its path.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Dialog } from "../app/dialog";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { filesOf } from "../tree/apply-changes";
import { matchOf } from "./match-path";
import { quickOpen } from "./page-keys";
import { useTask } from "./task-context";

/** Files that are shown. */
const MAX_SHOWN = 12;

export function QuickOpen() {
  return quickOpen.value ? <Choice /> : null;
}

function Choice() {
  const { room, tabs } = useTask();
  const letters = useSignal("");
  const at = useSignal(0);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  const files = (room.tree.value ? filesOf(room.tree.value) : [])
    .flatMap((file) => {
      const match = matchOf(file.path, letters.value);
      return match === null ? [] : [{ file, match }];
    })
    .sort((left, right) => left.match - right.match)
    .slice(0, MAX_SHOWN);
  const close = () => (quickOpen.value = false);
  const open = (id: string | null | undefined) => {
    if (id) tabs.openFile(id);
    close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) at.value = Math.max(0, Math.min(files.length - 1, at.value + step));
    else if (event.key === "Enter") open(files[at.value]?.file.id);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t.value.editor.quickOpen} onClose={close}>
      <input
        ref={input}
        role="combobox"
        aria-expanded="true"
        aria-controls="quick-files"
        aria-activedescendant={files.length > 0 ? `quick-${at.value}` : undefined}
        aria-label={t.value.editor.quickOpen}
        value={letters.value}
        onInput={(event) => {
          letters.value = event.currentTarget.value;
          at.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <ul id="quick-files" role="listbox" aria-label={t.value.editor.files} class="quick-files">
        {files.map(({ file }, index) => (
          <li key={file.path} id={`quick-${index}`} role="option" aria-selected={index === at.value} onClick={() => open(file.id)}>
            {shownName(file.path)}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
