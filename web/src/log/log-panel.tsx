// The log of a run as plain text, as it comes.

import { useEffect, useRef } from "preact/hooks";
import { toastError } from "../app/toasts";
import { useTask } from "../editor/task-context";
import { t } from "../texts/texts";
import { plainText } from "./plain-text";
import "./log.css";

/** Pieces kept in the page. */
const MAX_PIECES = 2_000;

export function LogPanel({ run }: { run: string }) {
  const { room } = useTask();
  const element = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      room.logs.follow(run, 0, {
        piece(piece) {
          const log = element.current;
          if (!log) return;
          const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
          const part = document.createElement("span");
          part.className = piece.stream;
          part.textContent = plainText(piece.text);
          log.append(part);
          while (log.childElementCount > MAX_PIECES) log.firstElementChild?.remove();
          if (isAtEnd) log.scrollTop = log.scrollHeight;
        },
        end: () => undefined,
        failed: toastError,
      }),
    [run],
  );
  return <div class="log" role="log" tabIndex={0} aria-label={t.value.runs.log} ref={element} />;
}
