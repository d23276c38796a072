// The connection to one room: one WebSocket, one provider per open document, the control channel on the room's own address.

import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from "@hocuspocus/provider";
import * as Y from "yjs";
import { ROOT, TASK_ADDRESS, type ClientMessage, type Reply, type Results, type ServerMessage } from "./messages.generated";

/** How long a request may go unanswered before it fails in the page. */
const REPLY_TIMEOUT_MS = 30_000;

/** A request without its id, which the room chooses. */
export type Request = ClientMessage extends infer Message ? (Message extends unknown ? Omit<Message, "id"> : never) : never;

export type Event = Exclude<ServerMessage, { type: "reply" }>;

/** An error with the server's code and sentence. */
export class RoomError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** An open document: its text, presence and whether all edits are stored. */
export interface OpenDocument {
  text: Y.Text;
  provider: HocuspocusProvider;
  close(): void;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Room {
  private readonly socket: HocuspocusProviderWebsocket;
  private readonly control: HocuspocusProvider;
  private readonly waiting = new Map<string, Waiting>();
  private readonly listeners = new Set<(event: Event) => void>();
  private readonly statusListeners = new Set<(online: boolean) => void>();
  private requests = 0;

  constructor(taskId: string) {
    const url = new URL(`/ws/tasks/${taskId}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new HocuspocusProviderWebsocket({ url: url.href });
    this.control = new HocuspocusProvider({
      websocketProvider: this.socket,
      name: TASK_ADDRESS,
      token: "",
      document: new Y.Doc(),
      onStateless: ({ payload }) => this.receive(JSON.parse(payload) as ServerMessage),
      onStatus: ({ status }) => {
        for (const listener of this.statusListeners) listener(status === WebSocketStatus.Connected);
      },
      onAuthenticationFailed: ({ reason }) =>
        this.emit({ type: "notice", code: "read_only", message: `The server refused the connection: ${reason}` }),
    });
    this.control.attach();
  }

  /** Presence of the whole room: who is here and in which file. */
  get awareness() {
    return this.control.awareness;
  }

  /** Subscribes to events; returns the unsubscribe. */
  onEvent(listener: (event: Event) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Subscribes to connected / not connected; returns the unsubscribe. */
  onStatus(listener: (online: boolean) => void): () => void {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  }

  /** Sends a request and resolves with its result, or rejects with a {@link RoomError}. */
  request<R extends Request>(request: R): Promise<Results[R["type"]]> {
    const id = `c${++this.requests}`;
    const message = { id, ...request };
    return new Promise<Results[R["type"]]>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new RoomError("unavailable", "The server did not answer. Check the connection and try again."));
      }, REPLY_TIMEOUT_MS);
      this.waiting.set(id, { resolve: (result) => resolve(result as Results[R["type"]]), reject, timer });
      this.control.sendStateless(JSON.stringify(message));
    });
  }

  /** Opens a file's document on the same socket. */
  open(fileId: string): OpenDocument {
    const document = new Y.Doc();
    const provider = new HocuspocusProvider({ websocketProvider: this.socket, name: fileId, token: "", document });
    provider.attach();
    return {
      text: document.getText(ROOT),
      provider,
      close: () => {
        provider.destroy();
        document.destroy();
      },
    };
  }

  close(): void {
    this.control.destroy();
    this.socket.destroy();
  }

  private receive(message: ServerMessage): void {
    if (message.type === "reply") this.answer(message);
    else this.emit(message);
  }

  private emit(event: Event): void {
    for (const listener of this.listeners) listener(event);
  }

  private answer(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    this.waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply.result);
    else waiting.reject(new RoomError(reply.error?.code ?? "internal", reply.error?.message ?? "Something went wrong."));
  }
}
