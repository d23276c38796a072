// A task's room: one socket, its documents, its control channel and who is in it, as signals. No view is in here.

import { HocuspocusProvider } from "@hocuspocus/provider";
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals-core";
import { Doc } from "yjs";
import { PROTOCOL_VERSION, TASK_ADDRESS, type Limits, type NoticeCode, type Node, type Role, type Results, type Run, type ServerMessage, type TaskSummary } from "../messages.generated";
import { applyChanges, filesOf } from "../tree/apply-changes";
import { Documents } from "./documents";
import { UnsentFiles, useCopies } from "./unsent-files";
import { LogFeed } from "./log-feed";
import { Presence } from "./presence";
import { Requests, type Request } from "./requests";
import { RoomSocket, type Connection } from "./socket";
import { worst, type Stored } from "./stored-state";
import { Storing } from "./storing";

type Event = Exclude<ServerMessage, { type: "reply" }>;

/** Runs that are kept; older ones are in the HTTP interface. */
const MAX_RUNS = 200;

/** Why a room is over for this page. */
export type Ended = "deleted" | "denied" | "other-version";

/** Something that happened and is said once. */
export type Happening =
  | { kind: "deleted-file"; file: string; path: string; by: string }
  /** Edits wait on this device for a file that was deleted meanwhile. */
  | { kind: "unsent-gone"; file: string }
  | { kind: "notice"; code: NoticeCode; message: string }
  | { kind: "role"; role: Role };

export class Room {
  readonly connection: ReadonlySignal<Connection>;
  readonly task = signal<TaskSummary | null>(null);
  readonly role = signal<Role>("viewer");
  readonly limits = signal<Limits | null>(null);
  readonly tree = signal<Node | null>(null);
  /** The files of the tree by their ids, in the order in which they are shown. */
  readonly files = computed(() => new Map((this.tree.value ? filesOf(this.tree.value) : []).map((file) => [file.id ?? file.path, file])));
  /** Newest first. */
  readonly runs = signal<readonly Run[]>([]);
  readonly ended = signal<Ended | null>(null);
  /** For which files the server said that edits are not stored at the moment. */
  readonly storing = new Storing();
  readonly mayEdit = computed(() => this.role.value !== "viewer" && this.ended.value === null);
  /** What holds for all open documents together. */
  readonly stored: ReadonlySignal<Stored>;
  readonly documents: Documents;
  readonly presence: Presence;
  readonly logs: LogFeed;
  readonly unsent: UnsentFiles;

  private readonly socket: RoomSocket;
  private readonly control: HocuspocusProvider;
  private readonly requests: Requests;
  private readonly welcomes = signal(0);
  private readonly happeningListeners = new Set<(happening: Happening) => void>();
  private readonly leave: (() => void)[] = [];
  private revision = 0;

  /** `onRefused` is called when the socket could not be opened: the server is away, or does not let this user in. */
  constructor(
    readonly id: string,
    readonly user: { id: string; name: string },
    onRefused: () => void = () => undefined,
  ) {
    this.socket = new RoomSocket(id, onRefused);
    this.connection = this.socket.connection;
    this.control = new HocuspocusProvider({
      websocketProvider: this.socket.stock,
      name: TASK_ADDRESS,
      token: "",
      document: new Doc(),
      onStateless: ({ payload }) => this.receive(JSON.parse(payload) as ServerMessage),
      onAuthenticationFailed: () => (this.ended.value ??= "denied"),
    });
    this.requests = new Requests((message) => {
      if (this.connection.peek() !== "online") return false;
      this.control.sendStateless(message);
      return true;
    });
    if (!this.control.awareness) throw new Error("a provider without awareness");
    this.presence = new Presence(this.control.awareness);
    this.unsent = new UnsentFiles(user.id, id);
    this.documents = new Documents(this.socket, user.id, this.unsent);
    this.logs = new LogFeed((request) => this.request(request), this.welcomes, this.connection);
    this.stored = computed(() => worst(this.documents.open.value.map((document) => document.stored), this.connection.value === "online", this.mayEdit.value));
    this.leave.push(useCopies());
    this.leave.push(effect(() => void (this.connection.value === "offline" && this.requests.dropAll())));
    this.control.attach();
  }

  /** Sends a request and resolves with its result, or rejects with a RequestError. */
  request<R extends Request>(request: R): Promise<Results[R["type"]]> {
    return this.requests.ask(request);
  }

  /** Subscribes to what is said once; returns the unsubscribe. */
  onHappening(listener: (happening: Happening) => void): () => void {
    this.happeningListeners.add(listener);
    return () => this.happeningListeners.delete(listener);
  }

  close(): void {
    this.logs.close();
    this.documents.closeAll();
    this.leave.forEach((leave) => leave());
    this.control.destroy();
    this.socket.close();
  }

  private receive(message: ServerMessage): void {
    if (message.type === "reply") this.requests.answer(message);
    else this.take(message);
  }

  private take(event: Event): void {
    switch (event.type) {
      case "welcome":
        return this.begin(event);
      case "tree":
        return this.change(event);
      case "run":
        return this.takeRun(event.run);
      case "log":
      case "log_end":
        return this.logs.receive(event);
      case "notice":
        this.storing.take(event.code, event.file ?? null);
        return this.tell({ kind: "notice", code: event.code, message: event.message });
      case "role":
        this.role.value = event.role;
        return this.tell({ kind: "role", role: event.role });
      case "task_deleted":
        this.ended.value = "deleted";
        return;
      default: {
        // A newer server may say more than this page knows.
        const unknown: never = event;
        console.warn("unknown event", unknown);
      }
    }
  }

  private begin(welcome: Extract<Event, { type: "welcome" }>): void {
    if (welcome.protocol !== PROTOCOL_VERSION) {
      this.ended.value = "other-version";
      return;
    }
    this.task.value = welcome.task;
    this.role.value = welcome.role;
    this.limits.value = welcome.limits;
    this.tree.value = welcome.tree;
    this.revision = welcome.revision;
    this.storing.forget();
    this.presence.introduce(this.user);
    const known = new Set(welcome.runs.map((run) => run.id));
    this.runs.value = [...welcome.runs, ...this.runs.peek().filter((run) => !known.has(run.id))];
    this.welcomes.value++;
    this.sendUnsent();
  }

  /** Files that were edited here, before a reload, without a connection: opened until the server has it all. */
  private sendUnsent(): void {
    for (const file of this.unsent.all()) {
      if (this.documents.open.peek().some((open) => open.file === file)) continue;
      if (!this.files.peek().has(file)) {
        this.tell({ kind: "unsent-gone", file });
        continue;
      }
      this.documents.hold(file);
      this.documents.release(file);
    }
  }

  private change(event: Extract<Event, { type: "tree" }>): void {
    for (const change of event.changes) {
      if (change.op !== "deleted") continue;
      this.documents.fileIsGone(change.file);
      this.storing.take("stored", change.file);
      this.tell({ kind: "deleted-file", file: change.file, path: change.path, by: event.by });
    }
    const tree = this.tree.peek();
    const isNext = event.revision === this.revision + 1;
    if (event.revision <= this.revision || !tree) return;
    this.revision = event.revision;
    this.tree.value = applyChanges(tree, event.changes);
    // Sizes are not in the event, and a gap means that changes were missed.
    if (!isNext || event.changes.some(({ op }) => op === "created" || op === "replaced")) void this.readTree();
  }

  private async readTree(): Promise<void> {
    const revision = this.revision;
    const tree = await this.request({ type: "tree" }).catch(() => null);
    if (tree && this.revision === revision) this.tree.value = tree;
  }

  private takeRun(run: Run): void {
    const runs = this.runs.peek();
    const isKnown = runs.some(({ id }) => id === run.id);
    const next = isKnown ? runs.map((other) => (other.id === run.id ? run : other)) : [run, ...runs].slice(0, MAX_RUNS);
    this.runs.value = next;
  }

  private tell(happening: Happening): void {
    for (const listener of this.happeningListeners) listener(happening);
  }
}
