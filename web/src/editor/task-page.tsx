// One task: files on the left, the shared editor in the middle, runs and their log below.

import { effect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError } from "../api/http";
import { me } from "../api/people";
import { getTask } from "../api/tasks";
import { askToSignIn, user } from "../app/session";
import { Room } from "../room/room";
import { roomColours } from "../people/colours";
import { CompareDialog } from "../compare/compare-dialog";
import { History } from "../runs/history";
import { RunForm } from "../runs/run-form";
import { RunPanel } from "../runs/run-panel";
import { t } from "../texts/texts";
import { EditorPane } from "./editor-pane";
import { EndedNote } from "./ended-note";
import { LeftPane } from "./left-pane";
import { pageKey } from "./page-keys";
import { QuickOpen } from "./quick-open";
import { Follow } from "./follow";
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
    const room: Room = new Room(id, who, () => void whyRefused(room));
    const tabs = new Tabs(`coderoom.tabs.${id}`);
    return { room, tabs, follow: new Follow(room, tabs) };
  }, [id]);

  useEffect(() => {
    const { room } = task;
    const leaves = [openFirstFiles(task), tellHappenings(task), task.follow.followFiles(), showColours(room)];
    const onKey = (event: KeyboardEvent) => {
      if (!pageKey(task, event)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    addEventListener("keydown", onKey, { capture: true });
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
        <Panes files={<LeftPane />} editor={<EditorPane />} runs={<RunPanel />} />
        <QuickOpen />
        <RunForm />
        <History />
        <CompareDialog />
      </div>
    </TaskProvider>
  );
}

/** Shows people in the colours that they have in this room; returns the end of it. */
function showColours(room: Room): () => void {
  const stop = effect(() => void (roomColours.value = room.presence.colours.value));
  return () => {
    stop();
    roomColours.value = new Map();
  };
}

/** A refused socket may be a session that has ended, or a task that is not there: the server says so only over HTTP. */
async function whyRefused(room: Room): Promise<void> {
  try {
    if (await me()) await getTask(room.id);
    else askToSignIn();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) room.ended.value ??= "denied";
  }
}
