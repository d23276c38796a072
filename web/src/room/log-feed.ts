// A run's log as it comes, by offset: follows, goes on after a reconnect where it stopped, and passes no byte twice.

import { effect, type ReadonlySignal } from "@preact/signals-core";
import type { ServerMessage } from "../messages.generated";
import type { Request } from "./requests";
import type { Connection } from "./socket";

export type LogPiece = Omit<Extract<ServerMessage, { type: "log" }>, "type" | "run">;
export type LogEnd = Omit<Extract<ServerMessage, { type: "log_end" }>, "type" | "run">;

export interface LogListener {
  piece(piece: LogPiece): void;
  end(end: LogEnd): void;
  /** Following was refused; nothing more will come. */
  failed(error: Error): void;
}

interface Followed {
  next: number;
  isDone: boolean;
  listener: LogListener;
}

export class LogFeed {
  private readonly followed = new Map<string, Followed>();
  private readonly leave: () => void;

  constructor(
    private readonly ask: (request: Request) => Promise<unknown>,
    /** Counts the welcomes: each one is a connection that knows nothing of what was followed before. */
    private readonly welcomes: ReadonlySignal<number>,
    private readonly connection: ReadonlySignal<Connection>,
  ) {
    this.leave = effect(() => {
      if (this.welcomes.value > 0) for (const run of this.followed.keys()) this.begin(run);
    });
  }

  /** Follows a run from `offset` on, one listener a run; returns the unsubscribe. */
  follow(run: string, offset: number, listener: LogListener): () => void {
    const entry = { next: offset, isDone: false, listener };
    this.followed.set(run, entry);
    this.begin(run);
    return () => {
      if (this.followed.get(run) !== entry) return;
      this.followed.delete(run);
      if (this.connection.peek() === "online" && !entry.isDone) this.ask({ type: "unfollow", run }).catch(() => undefined);
    };
  }

  /** Takes in an event of the control channel. */
  receive(event: Extract<ServerMessage, { type: "log" | "log_end" }>): void {
    const entry = this.followed.get(event.run);
    if (!entry) return;
    if (event.type === "log_end") {
      entry.isDone = true;
      entry.listener.end(event);
    } else if (event.offset === entry.next) {
      entry.next = event.end;
      entry.listener.piece(event);
    } else if (event.end > entry.next) {
      // Another follower of ours overlapped with this one, or a piece is missing: begin again exactly here.
      this.begin(event.run);
    }
  }

  close(): void {
    this.leave();
    this.followed.clear();
  }

  private begin(run: string): void {
    const entry = this.followed.get(run);
    if (!entry || entry.isDone || this.connection.peek() !== "online") return;
    this.ask({ type: "follow", run, offset: entry.next }).catch((error: Error) => {
      // Without a connection the next welcome begins again.
      if (this.connection.peek() === "online") entry.listener.failed(error);
    });
  }
}
