// Which run is looked at.

import { signal } from "@preact/signals";
import type { Run } from "../messages.generated";
import type { Room } from "../room/room";

/** An older run that somebody chose; null shows the newest, whoever started it. */
export const selectedRun = signal<Run | null>(null);

/** The run to show, as it is now. */
export function shownRun(room: Room): Run | undefined {
  const [chosen, runs] = [selectedRun.value, room.runs.value];
  // One that was chosen from further back than the room remembers does not change any more.
  return chosen?.task === room.id ? (runs.find(({ id }) => id === chosen.id) ?? chosen) : runs[0];
}
