// The one WebSocket of a room, shared by all its documents. Only this file knows how it is opened, kept and opened again.

import { HocuspocusProviderWebsocket, WebSocketStatus } from "@hocuspocus/provider";
import { signal, type ReadonlySignal } from "@preact/signals-core";
import { editFrame, type EditFrame } from "./frames";

/** First pause after a lost connection; it doubles each time. Soon, because most breaks are short. */
const FIRST_PAUSE_MS = 500;
/** Longest pause: long enough that thirty pages do not storm a server that starts, short enough to wait for. */
const LONGEST_PAUSE_MS = 8_000;

export type Connection = "connecting" | "online" | "offline";

/**
 * Sends nothing while it is not open, where the stock class would queue: whatever was not sent is derived from the
 * documents again at the next open, and a queue that overtakes that makes acknowledgements ambiguous.
 */
class OpenOnly extends HocuspocusProviderWebsocket {
  onSent?: (bytes: Uint8Array) => void;

  override send(message: unknown): void {
    if (this.webSocket?.readyState !== WebSocket.OPEN) return;
    if (message instanceof Uint8Array) this.onSent?.(message);
    super.send(message);
  }
}

export class RoomSocket {
  readonly connection: ReadonlySignal<Connection>;
  /** What documents attach to. */
  readonly stock: HocuspocusProviderWebsocket;
  private readonly state = signal<Connection>("connecting");
  private readonly frameListeners = new Set<(frame: EditFrame) => void>();
  private readonly wake = () => {
    if (this.state.value !== "online") void this.stock.connect();
  };

  /** `onRefused` is called each time an attempt ended before the socket was open: the server is away, or says no. */
  constructor(taskId: string, onRefused: () => void, base: string = location.href) {
    const url = new URL(`/ws/tasks/${taskId}`, base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.connection = this.state;
    let wasOpen = false;
    const hear = (bytes: Uint8Array, isOurs: boolean) => {
      const frame = editFrame(bytes);
      // Both sides send edits; only the server answers them. What the others typed is not ours to count.
      if (!frame || isOurs !== (frame.kind === "step2" || frame.kind === "update")) return;
      for (const listener of this.frameListeners) listener(frame);
    };
    const stock = new OpenOnly({
      url: url.href,
      delay: FIRST_PAUSE_MS,
      minDelay: FIRST_PAUSE_MS,
      maxDelay: LONGEST_PAUSE_MS,
      onOpen: () => void (wasOpen = true),
      onStatus: ({ status }) => {
        if (status === WebSocketStatus.Connected) this.state.value = "online";
        else if (this.state.value === "online") this.state.value = "offline";
      },
      onDisconnect: () => {
        this.state.value = "offline";
        if (!wasOpen) onRefused();
        wasOpen = false;
      },
      onMessage: (event) => hear(new Uint8Array((event as unknown as MessageEvent<ArrayBuffer>).data), false),
    });
    stock.onSent = (bytes) => hear(bytes, true);
    this.stock = stock;
    addEventListener("online", this.wake);
  }

  /** Subscribes to frames that carry edits (sent) or answer them (received), in order; returns the unsubscribe. */
  onEditFrame(listener: (frame: EditFrame) => void): () => void {
    this.frameListeners.add(listener);
    return () => this.frameListeners.delete(listener);
  }

  close(): void {
    removeEventListener("online", this.wake);
    this.stock.destroy();
  }
}
