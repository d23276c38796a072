// The log of one run that is looked at: followed from its beginning, kept as lines, searched.

import { signal } from "@preact/signals-core";
import type { LogEnd } from "../room/log-feed";
import type { Room } from "../room/room";
import { LogSearch } from "./find";
import { LogModel } from "./log-model";

export class OpenLog {
  readonly model = new LogModel();
  readonly search = new LogSearch(this.model);
  /** What was said at the end; null until then. */
  readonly end = signal<LogEnd | null>(null);
  /** Why nothing more will come, if that is so. */
  readonly problem = signal<Error | null>(null);
  private readonly leave: () => void;

  /** `onGrown` is called whenever lines have come. */
  constructor(room: Room, run: string, onGrown: () => void) {
    this.leave = room.logs.follow(run, 0, {
      piece: ({ stream, text }) => {
        this.model.append(stream, text);
        this.search.goOn();
        onGrown();
      },
      end: (end) => (this.end.value = end),
      failed: (error) => (this.problem.value = error),
    });
  }

  close(): void {
    this.leave();
    this.search.stop();
  }
}
