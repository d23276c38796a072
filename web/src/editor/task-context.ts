// What the parts of the editor page share: the room and the open tabs.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Room } from "../room/room";
import type { Follow } from "./follow";
import type { Tabs } from "./tabs";

export interface TaskContext {
  room: Room;
  tabs: Tabs;
  follow: Follow;
}

const context = createContext<TaskContext | null>(null);

export const TaskProvider = context.Provider;

/** The room and tabs of the page around. */
export function useTask(): TaskContext {
  const task = useContext(context);
  if (!task) throw new Error("outside of a task's page");
  return task;
}
