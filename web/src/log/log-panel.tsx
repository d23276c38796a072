// The log of a run: follows it as it comes and shows it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { toastError } from "../app/toasts";
import { useTask } from "../editor/task-context";
import { t } from "../texts/texts";
import { LogLines } from "./log-lines";
import { LogView } from "./log-view";
import "./log.css";

export function LogPanel({ run }: { run: string }) {
  const { room } = useTask();
  const element = useRef<HTMLDivElement>(null);
  const view = useSignal<LogView | null>(null);
  useEffect(() => {
    if (!element.current) return undefined;
    const lines = new LogLines();
    const shown = new LogView(element.current, lines);
    view.value = shown;
    const leave = room.logs.follow(run, 0, {
      piece({ text, stream }) {
        lines.append(text, stream);
        shown.changed();
      },
      end: () => undefined,
      failed: toastError,
    });
    return () => {
      leave();
      shown.close();
    };
  }, [run]);
  return (
    <div class="log-frame">
      <div class="log" role="log" aria-live="off" tabIndex={0} aria-label={t.value.runs.log} ref={element} />
      {view.value && !view.value.follows.value && (
        <button class="to-end" onClick={() => view.value?.follow()}>
          <Icon name="down" />
          {t.value.runs.toEnd}
        </button>
      )}
    </div>
  );
}
