// Requests of the control channel: each gets an id, and its reply finds the one who asked.

import type { ClientMessage, ErrorCode, Reply, Results } from "../messages.generated";

/** Longest wait for a reply. The server answers at once or says why not; this is for connections that died silently. */
const REPLY_TIMEOUT_MS = 20_000;

/** A request without its id. */
export type Request = ClientMessage extends infer Message ? (Message extends unknown ? Omit<Message, "id"> : never) : never;

/** A reply that says no, or none: `offline` when it was not sent or the connection broke before the answer. */
export class RequestError extends Error {
  constructor(
    readonly code: ErrorCode | "offline",
    message: string,
  ) {
    super(message);
  }
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Requests {
  private readonly waiting = new Map<string, Waiting>();
  private count = 0;

  /** `send` gives false when there is no connection. */
  constructor(private readonly send: (message: string) => boolean) {}

  /** Resolves with the result of the request's reply; rejects with a {@link RequestError}. */
  ask<R extends Request>(request: R): Promise<Results[R["type"]]> {
    const id = `c${++this.count}`;
    return new Promise<Results[R["type"]]>((resolve, reject) => {
      const fail = () => reject(new RequestError("offline", "no connection"));
      if (!this.send(JSON.stringify({ id, ...request }))) return fail();
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        fail();
      }, REPLY_TIMEOUT_MS);
      this.waiting.set(id, { resolve: (result) => resolve(result as Results[R["type"]]), reject, timer });
    });
  }

  /** Takes in a reply. */
  answer(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    this.waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply.result);
    else waiting.reject(new RequestError(reply.error?.code ?? "internal", reply.error?.message ?? ""));
  }

  /** The connection is gone: nobody will answer any more. */
  dropAll(): void {
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new RequestError("offline", "connection lost"));
    }
    this.waiting.clear();
  }
}
