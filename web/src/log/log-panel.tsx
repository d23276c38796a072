// The log of a run: its lines as they come, a search in them, and the way back to the end.

import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { toastError } from "../app/toasts";
import { useTask } from "../editor/task-context";
import { t } from "../texts/texts";
import { FindBar } from "./find-bar";
import { LogView } from "./log-view";
import { OpenLog } from "./open-log";
import { shownLog } from "./shown-log";
import "./ansi.css";
import "./log.css";

export function LogPanel({ run }: { run: string }) {
  const { room } = useTask();
  const host = useRef<HTMLDivElement>(null);
  const view = useMemo(() => signal<LogView | null>(null), [run]);
  const log = useMemo(() => signal<OpenLog | null>(null), [run]);
  const isFinding = useMemo(() => signal(false), [run]);
  useEffect(() => {
    if (!host.current) return;
    const opened = new OpenLog(room, run, () => view.peek()?.refresh());
    const drawn = new LogView(host.current, opened.model, opened.search);
    log.value = shownLog.value = opened;
    view.value = drawn;
    const stopTelling = opened.problem.subscribe((problem) => problem && toastError(problem));
    return () => {
      stopTelling();
      drawn.destroy();
      opened.close();
      shownLog.value = null;
    };
  }, [run]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "f") return;
    event.preventDefault();
    isFinding.value = true;
  };
  const texts = t.value.runs;
  return (
    <div class="log-pane" onKeyDown={onKeyDown}>
      {isFinding.value && log.value && view.value ? (
        <FindBar search={log.value.search} view={view.value} onClose={() => (isFinding.value = false)} />
      ) : (
        <button class="plain icon-only log-find-button" aria-label={texts.find} title={`${texts.find} (Ctrl+F)`} onClick={() => (isFinding.value = true)}>
          <Icon name="search" />
        </button>
      )}
      {/* Lines come faster than they can be read aloud; the state above says what matters. */}
      <div class="log" role="log" aria-live="off" tabIndex={0} aria-label={texts.log} ref={host} />
      {view.value && !view.value.isFollowing.value && (
        <button class="log-to-end" onClick={() => view.value?.toEnd()}>
          <Icon name="down" />
          {texts.toEnd}
        </button>
      )}
    </div>
  );
}
