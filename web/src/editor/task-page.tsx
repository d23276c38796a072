// One task: files on the left, the shared editor in the middle, runs and their log below.

import { useEffect, useMemo } from "preact/hooks";
import { me } from "../api/people";
import { askToSignIn, user } from "../app/session";
import { Room } from "../room/room";
import { RunPanel } from "../runs/run-panel";
import { submit } from "../runs/submit";
import { t } from "../texts/texts";
import { FileTree } from "../tree/file-tree";
import { EditorPane } from "./editor-pane";
import { EndedNote } from "./ended-note";
import { openFirstFiles } from "./open-first";
import { Panes } from "./panes";
import { tellHappenings } from "./tell-happenings";
import { Tabs } from "./tabs";
import { TaskHeader } from "./task-header";
import { TaskProvider } from "./task-context";
import "./editor.css";

export function TaskPage({ id }: { id: string }) {
  const task = useMemo(() => {
    const who = user.peek();
    if (!who) throw new Error("nobody is signed in");
    // A refused socket may be a session that has ended; the server says so only over HTTP.
    const room = new Room(id, who, () => void me().then((someone) => someone ?? askToSignIn(), () => undefined));
    return { room, tabs: new Tabs(`coderoom.tabs.${id}`) };
  }, [id]);

  useEffect(() => {
    const { room, tabs } = task;
    const leaves = [openFirstFiles(task), tellHappenings(task)];
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation();
      void submit(room);
    };
    addEventListener("keydown", onKey, { capture: true });
    void tabs;
    return () => {
      removeEventListener("keydown", onKey, { capture: true });
      leaves.forEach((leave) => leave());
      room.close();
    };
  }, [task]);

  const { room } = task;
  document.title = `${room.task.value?.name ?? "…"} · coderoom`;
  return (
    <TaskProvider value={task}>
      <div class="task-page">
        <a class="hidden-text" href="#editor">
          {t.value.common.skip}
        </a>
        <TaskHeader />
        <EndedNote />
        <Panes files={<FileTree />} editor={<EditorPane />} runs={<RunPanel />} />
      </div>
    </TaskProvider>
  );
}
