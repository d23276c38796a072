// Whether what was typed is stored, in a word, with the sentence behind it.

import { t } from "../texts/texts";
import { useTask } from "./task-context";

const TONE = {
  saved: "quiet",
  saving: "quiet",
  loading: "quiet",
  "read-only": "quiet",
  refused: "bad",
  gone: "bad",
  offline: "warn",
  "offline-keeping": "warn",
  "offline-with-edits": "warn",
  notStored: "bad",
} as const;

export function StoredBadge() {
  const { room } = useTask();
  const texts = t.value.editor;
  const isFailing = room.storing.fails.value && room.connection.value === "online";
  const state = isFailing ? "notStored" : room.stored.value;
  const word = room.connection.value === "connecting" ? texts.connecting : texts.stored[state];
  // A word that changes with every key would be read out with every key; the sentence is for those who ask.
  const isCalm = TONE[state] === "quiet" || state.startsWith("offline-");
  return (
    <span class={`stored ${TONE[state]}`} data-state={state} title={texts.storedHint[state]} role="status" aria-live={isCalm ? "off" : "polite"}>
      {word}
    </span>
  );
}
