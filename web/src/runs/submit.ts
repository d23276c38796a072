// Starts a run of what is in the task now.

import { toastError } from "../app/toasts";
import type { Room } from "../room/room";
import { selectedRun } from "./selected-run";

export interface Wish {
  command?: string;
  remarks?: string;
}

/** Submits and goes over to the newest run; what went wrong is said. */
export async function submit(room: Room, wish: Wish = {}): Promise<void> {
  if (!room.mayEdit.peek()) return;
  try {
    await room.request({ type: "submit", ...wish });
    selectedRun.value = null;
  } catch (error) {
    toastError(error);
  }
}
