// Generated from protocol/src by `cargo run -p coderoom-protocol --bin generate-types`. Do not edit.

/** The version of this protocol, in `welcome`. */
export const PROTOCOL_VERSION = 1;

/** The WebSocket subprotocol that asks for the control channel as text frames. */
export const SUBPROTOCOL = "coderoom.v1";

/** The address of the room itself in the framing of the room socket. */
export const TASK_ADDRESS = "@task";

/** The name of the one shared text in every document. */
export const ROOT = "source";

/** One line of the audit log. */
export type AuditLine = {
  /** Its id: in the order of time. */
  id: string,
  /** Milliseconds since the Unix epoch when it was done. */
  at: number,
  /** Who did it. */
  user: UserId | null,
  /** What they were called then. */
  user_name: string,
  /** Where from, for what has to do with signing in. */
  address: string,
  /** What: `sign_in`, `share`, `unshare`, `create_link`, `delete_link`, `transfer`, `delete_task`, `submit`, `stop`, `create_token`, `delete_token`, `admin`. */
  action: string,
  /** To which task. */
  task: TaskId | null,
  /** What else there is to say. */
  detail: string,
};

/** A page of the audit log, newest first. */
export type AuditPage = {
  /** The lines. */
  lines: Array<AuditLine>,
  /** Asks for the page after this one as `before`; absent on the last page. */
  next: string | null,
};

/** What a client asks for. */
export type ClientMessage = {
  /** Chosen by the client, comes back in the reply; at most 64 bytes. */
  id: string,
} & ({
  /** Freeze the files and queue a run. Result: [`Submitted`]. */
  "type": "submit",
  /** Command line; default: how the task's language starts its main file, or `sh run.sh`. */
  command?: string,
  /** A note kept with the run. */
  remarks?: string,
} | {
  /** End a queued or running run. Result: the [`Run`]. Stopping a finished run is not an error. */
  "type": "stop",
  /** The run to end. */
  run: RunId,
} | {
  /** Queue the snapshot of an earlier run again. Result: [`Submitted`]. */
  "type": "rerun",
  /** The earlier run. */
  run: RunId,
} | {
  /** Get the log from `offset` on, as `log` events, until `log_end` or `unfollow`. Result: `{}`. */
  "type": "follow",
  /** The run. */
  run: RunId,
  /** First byte wanted; 0 is the beginning. */
  offset?: number,
} | {
  /** Stop getting the log. Result: `{}`. */
  "type": "unfollow",
  /** The run. */
  run: RunId,
} | {
  /** Make a text file. Result: [`FileCreated`]. */
  "type": "create_file",
  /** Where. */
  path: string,
  /** Its first content. */
  text?: string,
} | {
  /** Make or replace a small blob (larger ones: HTTP upload). Result: [`FileCreated`]. */
  "type": "create_blob",
  /** Where. */
  path: string,
  /** The bytes in base64 (standard alphabet, padded); at most 1 MiB decoded. */
  base64: string,
} | {
  /** Rename or move a file or folder. Result: [`TreeChanged`]. */
  "type": "move",
  /** A file's or folder's path. */
  from: string,
  /** Its new path. */
  to: string,
} | {
  /** Delete a file or folder. Result: [`TreeChanged`]. */
  "type": "delete",
  /** A file's or folder's path. */
  path: string,
  /** The new main file, needed when the main file is among what is deleted. */
  new_main?: string,
} | {
  /** Choose the main file. Result: [`TreeChanged`]. */
  "type": "set_main",
  /** A text file's path. */
  path: string,
} | {
  /** Make the file's text equal to `text` by the smallest edit. Result: [`FileWritten`]. */
  "type": "write_file",
  /** A text file's path; it is created when nothing is there. */
  path: string,
  /** The whole new text. */
  text: string,
} | {
  /** Read the tree again. Result: [`Node`] (the root). */
  "type": "tree",
} | {
  /** Answered at once. Result: `{}`. */
  "type": "ping",
});

/** A link that was just made. */
export type CreatedShareLink = {
  /** The whole address. The code stands behind `#`, so that no server or proxy sees it; it cannot be had again. */
  url: string,
  /** The code alone. */
  code: string,
  /** What is stored of it. */
  about: ShareLinkLine,
};

/** A token that was just made. */
export type CreatedToken = {
  /** The secret: `crt_` and 43 characters. It cannot be had again. */
  token: string,
  /** What is stored of it. */
  about: TokenLine,
};

/** Which node is to drain. */
export type DrainWish = {
  /** `this`: the one that gets the request. */
  node: string,
};

/** What went wrong, for programs. Each code has one HTTP status and one title. */
export type ErrorCode = "bad_request" | "sign_in_required" | "wrong_password" | "not_allowed" | "origin_refused" | "not_found" | "method_not_allowed" | "bad_path" | "path_taken" | "case_conflict" | "file_folder_conflict" | "move_into_itself" | "main_file" | "not_text" | "file_too_large" | "task_too_large" | "too_many_files" | "body_too_large" | "bad_archive" | "invalid" | "name_taken" | "run_active" | "too_many_runs" | "run_finished" | "range_not_satisfiable" | "quota_reached" | "too_many_requests" | "not_stored" | "sandbox_unavailable" | "unavailable" | "internal";

/** Result of `create_file` and `create_blob`. */
export type FileCreated = {
  /** The file. */
  file: FileId,
  /** Its path in normal form. */
  path: string,
  /** The tree's revision after it. */
  revision: number,
};

/** A file of a task. It survives renames and moves. */
export type FileId = string;

/** What became of an uploaded file. */
export type FileStored = {
  /** The file. A text that became a blob, or the other way round, is a new file. */
  file: FileId,
  /** Its path in normal form. */
  path: string,
  /** Whether nothing was at the path before. */
  created: boolean,
  /** Text or blob. */
  kind: NodeKind,
  /** Bytes. */
  size: number,
  /** The tree's revision after it. */
  revision: number,
};

/** Result of `write_file`. */
export type FileWritten = {
  /** The file. */
  file: FileId,
  /** Number of its last stored edit. */
  seq: number,
  /** Whether the text was different before. */
  changed: boolean,
};

/** Where a link leads. */
export type Invitation = {
  /** The task. */
  task: TaskId,
  /** Its name. */
  name: string,
  /** What the caller may do there by the link; after accepting it, what they may do there. */
  role: Role,
  /** Who made the link. */
  invited_by: UserSummary,
};

/** Languages a task can be in: they choose the default files and the interpreter. */
export type Language = "python" | "scala" | "r";

/** Limits in force for this task, all in bytes unless the name says otherwise. */
export type Limits = {
  /** One text file. */
  max_text_bytes: number,
  /** All files of the task together. */
  max_task_bytes: number,
  /** Number of files. */
  max_files: number,
  /** One frame from a client. */
  max_frame_bytes: number,
  /** One run's log. */
  max_log_bytes: number,
  /** Wall time of a run in milliseconds. */
  max_run_ms: number,
};

/** The code of a link that invites into a task. */
export type LinkCode = {
  /** What the link has after `#`. */
  code: string,
};

/** Where a piece of a log came from. */
export type LogStream = "out" | "err" | "sys";

/** The choice of a main file. */
export type MainChoice = {
  /** A text file's path. */
  path: string,
};

/** Whom the server takes the client for. */
export type Me = {
  /** The user. */
  id: UserId,
  /** The name shown to others. */
  name: string,
  /** Whether the user may administer the server. */
  is_admin: boolean,
};

/** Somebody with a role in a task. */
export type MemberLine = {
  /** Who. */
  user: UserSummary,
  /** What they may do. */
  role: Role,
  /** Milliseconds since the Unix epoch when the membership ends; absent: it does not end by itself. */
  expires_at: number | null,
  /** The link they came by, while the membership depends on it. */
  link: string | null,
};

/** The members of a task, ordered by name. */
export type MemberList = {
  /** The members. */
  members: Array<MemberLine>,
};

/** A rename or move. */
export type Move = {
  /** A file's or folder's path. */
  from: string,
  /** Its new path. */
  to: string,
};

/** What makes a link that invites into a task. */
export type NewShareLink = {
  /** What who comes by it may do: viewer or editor. */
  role: Role,
  /** Milliseconds since the Unix epoch when it ends, and with it the memberships made by it; absent: when it is deleted. */
  expires_at?: number,
  /** How many people may come by it; absent: any number. */
  max_uses?: number,
  /** Whether who came by it stays when it ends. */
  keeps?: boolean,
  /** For whom it is meant: up to 200 characters. */
  note?: string,
};

/** What makes a task. */
export type NewTask = {
  /** Its name: 1 to 200 characters, none of them a control character. */
  name: string,
  /** Its language; it decides the default files. */
  language: Language,
  /** Anything about it, at most 4,000 characters. */
  remarks?: string,
};

/** What makes a token. */
export type NewToken = {
  /** What its owner will call it: 1 to 100 characters. */
  name: string,
  /** Days until it stops working; absent: it does not. */
  expires_days?: number,
  /** The same to the millisecond since the Unix epoch; goes before the days. */
  expires_at?: number,
  /** What its bearer may do; absent: everything its user may. */
  scopes?: Array<Scope>,
  /** The only tasks it is good for, at most 50; absent: all. */
  tasks?: Array<TaskId>,
  /** For whom, by name or id; only administrators make tokens for others. */
  user?: string,
};

/** One node: a folder with children, or a file. */
export type Node = {
  /** The file's id; absent for folders. */
  id: FileId | null,
  /** Last component of the path; empty for the root. */
  name: string,
  /** Full path without a leading slash; empty for the root. */
  path: string,
  /** What it is. */
  kind: NodeKind,
  /** Bytes (UTF-8 for text), for a folder the sum of all below it. */
  size: number,
  /** Whether this file is what runs by default. */
  main: boolean,
  /** Folders first, names in natural order; absent for files. */
  children: Array<Node> | null,
  /** The text, when contents were asked for and it is a text file. */
  text?: string | null,
};

/** What a node of the tree is. */
export type NodeKind = "folder" | "text" | "blob";

/** What a notice is about. */
export type NoticeCode = "not_stored" | "stored" | "read_only" | "task_full" | "rebuilt" | "draining";

/** A new password. */
export type PasswordChange = {
  /** The password so far; not needed by somebody who has none yet. */
  current?: string,
  /** The new one. */
  new: string,
};

/** The body of an HTTP error: `application/problem+json`. */
export type Problem = {
  /** Always `about:blank`: the code says it all. */
  type: string,
  /** A short title that does not change from case to case. */
  title: string,
  /** The HTTP status again. */
  status: number,
  /** The sentence for this case. */
  detail: string,
  /** For programs. */
  code: ErrorCode,
};

/** Why a run ended as it did: a closed list, each with a sentence and a hint for the person who reads it. */
export type Reason = "exit_code" | "signal" | "out_of_memory" | "time_limit" | "output_limit" | "disk_limit" | "pids_limit" | "stopped_by" | "interpreter_missing" | "command_not_found" | "image_missing" | "unschedulable" | "quota" | "evicted" | "node_lost" | "worker_lost" | "waited_too_long" | "snapshot_missing" | "sandbox_unavailable" | "internal";

/** The answer to one request: `ok` with `result`, or not with `error`. */
export type Reply = {
  /** The request's id. */
  id: string,
  /** Whether it was done. */
  ok: boolean,
  /** What the request's documentation promises. */
  result?: unknown,
  /** What went wrong. */
  error?: WireError,
};

/** A member's role, ordered: each role may do all that the one before it may. */
export type Role = "viewer" | "editor" | "owner";

/** A member's role. */
export type RoleChange = {
  /** What they may do from now on. */
  role: Role,
  /** Milliseconds since the Unix epoch when the membership ends; absent: it does not. Owners stay. */
  expires_at?: number,
};

/** A run as clients see it: in HTTP answers, in `welcome`, in `run` events. */
export type Run = {
  /** The run. */
  id: RunId,
  /** Its task. */
  task: TaskId,
  /** Counts the task's runs from 1. */
  number: number,
  /** Who submitted it. */
  user: UserId,
  /** The name that person shows to others. */
  user_name: string,
  /** Where it stands. */
  state: RunState,
  /** What is going on, in words for people: "waiting, 3rd in line", "fetching files", "started". */
  phase: string,
  /** Place in the queue, 1 is next; only while queued. */
  queue_position: number | null,
  /** Why it ended; only in a final state. */
  reason: Reason | null,
  /** One or two sentences for people: what ended it and what to do; only in a final state. */
  message: string | null,
  /** The command line that runs, for example `sh run.sh`. */
  command: string,
  /** What the submitter wrote beside it. */
  remarks: string,
  /** Exit code of the command, 0 to 255; only when it ended by itself. */
  exit_code: number | null,
  /** Signal number that ended the command, if one did. */
  signal: number | null,
  /** Highest memory use in bytes, where it could be measured. */
  peak_memory_bytes: number | null,
  /** CPU time of all its processes in milliseconds. */
  cpu_ms: number | null,
  /** How well the run is contained: `full`, `namespaces` or `none`; known once it started. */
  sandbox: string | null,
  /** Bytes in the log so far. */
  log_bytes: number,
  /** Whether output was left out because of the log cap. */
  log_truncated: boolean,
  /** Whether files were collected from `output/`. */
  has_output: boolean,
  /** Milliseconds since the Unix epoch when it was submitted. */
  submitted_at: number,
  /** The same for when the command started. */
  started_at: number | null,
  /** The same for when it reached a final state. */
  ended_at: number | null,
  /** Who asked for the stop, by name; only when stopped or stopping. */
  stopped_by: string | null,
};

/** What was frozen for a run. */
export type RunFiles = {
  /** The run. */
  run: RunId,
  /** Its files, ordered by path. */
  files: Array<SnapshotFile>,
};

/** One execution of a task's snapshot. */
export type RunId = string;

/** One page of a task's runs, newest first. */
export type RunPage = {
  /** The runs. */
  runs: Array<Run>,
  /** Asks for the page after this one as `cursor`; absent on the last page. */
  next: string | null,
};

/** Where a run stands. The numbers are what users of the HTTP interface and the tables see. */
export type RunState = 0 | 1 | 2 | 3 | 4 | 5;

/** What an API token lets its bearer do; never more than its user may. */
export type Scope = "read" | "edit" | "run" | "admin";

/** What the server sends: replies and events. */
export type ServerMessage = {
  /** The answer to one request. */
  "type": "reply"
} & Reply | {
  /** The first message on a connection. */
  "type": "welcome"
} & Welcome | {
  /** The tree changed. A client whose revision is not `revision - 1` asks for the tree again. */
  "type": "tree",
  /** Revision after the change. */
  revision: number,
  /** What changed, in order. */
  changes: Array<TreeChange>,
  /** Who changed it, by name. */
  by: string,
} | {
  /** A run is new or changed. */
  "type": "run",
  /** The run as it is now. */
  run: Run,
} | {
  /** A piece of a followed log. */
  "type": "log",
  /** The run. */
  run: RunId,
  /** Where the piece begins, in bytes of the whole log. */
  offset: number,
  /** Where it ends: `offset` + number of bytes (which `text` does not always show, see `base64`). */
  end: number,
  /** Where it came from. */
  stream: LogStream,
  /** Milliseconds since the Unix epoch when the program wrote it. */
  at: number,
  /** The bytes as text; bytes that are not UTF-8 appear as U+FFFD. */
  text: string,
  /** The exact bytes, only when `text` does not have them. */
  base64?: string,
} | {
  /** A followed log is complete and was sent whole. */
  "type": "log_end",
  /** The run. */
  run: RunId,
  /** Bytes in all. */
  size: number,
  /** SHA-256 of all bytes, lower-case hexadecimal. */
  sha256: string,
  /** Whether output was left out because of the log cap (a `sys` piece says how much). */
  truncated: boolean,
} | {
  /** Something people should know: storing fails, the server is going away. */
  "type": "notice",
  /** For programs. */
  code: NoticeCode,
  /** For people. */
  message: string,
  /** The file it is about, if it is about one. */
  file?: FileId,
} | {
  /** The connection's role changed. */
  "type": "role",
  /** The role from now on. */
  role: Role,
} | {
  /** The task is gone; the socket closes after this. */
  "type": "task_deleted",
  /** The task that was. */
  task: TaskId,
};

/** A browser session of the caller. */
export type SessionLine = {
  /** For ending it. */
  id: string,
  /** Milliseconds since the Unix epoch when it began. */
  created_at: number,
  /** The same for its last use, within a minute. */
  seen_at: number,
  /** The same for when it ends at the latest. */
  expires_at: number,
  /** What the browser called itself. */
  agent: string,
  /** The address it signed in from. */
  address: string,
  /** Whether it is the one that asks. */
  current: boolean,
};

/** The caller's sessions, the last used first. */
export type SessionList = {
  /** The sessions. */
  sessions: Array<SessionLine>,
};

/** A link that invites into a task, without its code. */
export type ShareLinkLine = {
  /** For deleting it. */
  id: string,
  /** What who comes by it may do. */
  role: Role,
  /** For whom it is meant. */
  note: string,
  /** Whether who came by it stays when it ends. */
  keeps: boolean,
  /** Who made it. */
  created_by: UserSummary,
  /** Milliseconds since the Unix epoch when it was made. */
  created_at: number,
  /** The same for when it ends; absent: when it is deleted. */
  expires_at: number | null,
  /** How many people may come by it; absent: any number. */
  max_uses: number | null,
  /** How many came by it. */
  uses: number,
  /** Whether it still brings anybody in: not when it is used up, and not while its maker is no owner or is suspended. */
  invites: boolean,
};

/** The links of a task, newest first. */
export type ShareLinkList = {
  /** The links. */
  links: Array<ShareLinkLine>,
};

/** Name and password. */
export type SignIn = {
  /** The user's name, in any letter case. */
  name: string,
  /** The password. */
  password: string,
};

/** The code of a one-time link. */
export type SignInByCode = {
  /** What the link has after `code=`. */
  code: string,
};

/** Another provider that one can sign in with. */
export type SignInProvider = {
  /** Its name in addresses: `/api/v1/sign-in/with/{name}` sends a browser there. */
  name: string,
  /** What people read. */
  title: string,
};

/** All of them. */
export type SignInProviders = {
  /** In the order of the settings. */
  providers: Array<SignInProvider>,
};

/** One file of a snapshot. */
export type SnapshotFile = {
  /** Path in the task. */
  path: string,
  /** Number of the file's last edit in the snapshot; 0 for blobs. */
  seq: number,
  /** Bytes. */
  size: number,
  /** SHA-256 of the content, lower-case hexadecimal. */
  sha256: string,
};

/** What is to run; an empty body means all defaults. */
export type SubmitRequest = {
  /** Command line; default: `sh run.sh`. */
  command?: string,
  /** A note kept with the run. */
  remarks?: string,
};

/** Result of `submit` and `rerun`. */
export type Submitted = {
  /** The new run. */
  run: Run,
  /** Exactly what was frozen, ordered by path. */
  files: Array<SnapshotFile>,
};

/** What changes a task; what is absent stays. */
export type TaskChange = {
  /** A new name. */
  name?: string,
  /** New remarks. */
  remarks?: string,
};

/** A task as a whole, without its tree. */
export type TaskDetail = {
  /** The task. */
  id: TaskId,
  /** Its name. */
  name: string,
  /** Its language. */
  language: Language,
  /** What its members wrote about it. */
  remarks: string,
  /** What the asker may do in it. */
  role: Role,
  /** The main file. */
  main: FileId | null,
  /** Its path. */
  main_path: string | null,
  /** The tree's revision: it rises with every change of the tree. */
  revision: number,
  /** Number of files. */
  files: number,
  /** Bytes of all files together (UTF-8 for text). */
  bytes: number,
  /** Most bytes of all files together. */
  max_bytes: number,
  /** Most files. */
  max_files: number,
  /** Most bytes of one text file; larger ones are stored as blobs. */
  max_text_bytes: number,
  /** The newest run, if there is one. */
  newest_run: Run | null,
  /** Who made it; absent when that account is gone. */
  created_by: UserSummary | null,
  /** Milliseconds since the Unix epoch when it was made. */
  created_at: number,
  /** The same for the last change of its tree, name or remarks. */
  updated_at: number,
};

/** A task: one tree of files with its room. */
export type TaskId = string;

/** A task in a list. */
export type TaskLine = {
  /** The task. */
  id: TaskId,
  /** Its name. */
  name: string,
  /** Its language. */
  language: Language,
  /** What its members wrote about it. */
  remarks: string,
  /** What the asker may do in it. */
  role: Role,
  /** State of the newest run; 0 when there is none. */
  run_state: RunState,
  /** The newest run. */
  newest_run: RunId | null,
  /** Who has it open now, as far as the server that was asked knows. */
  here: Array<UserSummary>,
  /** Who made it; absent when that account is gone. */
  created_by: UserSummary | null,
  /** Milliseconds since the Unix epoch when it was made. */
  created_at: number,
  /** The same for the last change of its tree, name or remarks. */
  updated_at: number,
};

/** One page of tasks, the last changed first. */
export type TaskPage = {
  /** The tasks. */
  tasks: Array<TaskLine>,
  /** Asks for the page after this one as `cursor`; absent on the last page. */
  next: string | null,
};

/** A task in a line. */
export type TaskSummary = {
  /** The task. */
  id: TaskId,
  /** Its name. */
  name: string,
  /** Its language. */
  language: Language,
};

/** The tree with its revision. */
export type TaskTree = {
  /** Rises with every change of the tree. */
  revision: number,
  /** The root. */
  tree: Node,
};

/** An API token without its secret. */
export type TokenLine = {
  /** For deleting it. */
  id: string,
  /** What its owner calls it. */
  name: string,
  /** Milliseconds since the Unix epoch when it was made. */
  created_at: number,
  /** The same for when it stops working; absent: never. */
  expires_at: number | null,
  /** The same for its last use, within a minute. */
  last_used_at: number | null,
  /** What its bearer may do. */
  scopes: Array<Scope>,
  /** The only tasks it is good for; absent: all of its user's. */
  tasks: Array<TaskId> | null,
};

/** A user's tokens, newest first. */
export type TokenList = {
  /** The tokens. */
  tokens: Array<TokenLine>,
};

/** To whom a task goes. */
export type Transfer = {
  /** The new owner, by name or id. */
  to: string,
  /** What the caller is from then on; absent: editor. */
  stay_as?: Role,
};

/** One change of the tree, in the order in which they happened. */
export type TreeChange = {
  /** A file appeared. */
  "op": "created",
  /** The new file. */
  file: FileId,
  /** Its path. */
  path: string,
  /** Text or blob. */
  kind: NodeKind,
} | {
  /** A file has a new path; its document and everybody's cursor stay. */
  "op": "moved",
  /** The file. */
  file: FileId,
  /** Path before. */
  from: string,
  /** Path now. */
  to: string,
} | {
  /** A file is gone. */
  "op": "deleted",
  /** The file that was. */
  file: FileId,
  /** Path before. */
  path: string,
} | {
  /** A blob has new content. */
  "op": "replaced",
  /** The file. */
  file: FileId,
  /** Its path. */
  path: string,
} | {
  /** Another file is main now. */
  "op": "main",
  /** The new main file. */
  file: FileId,
  /** Its path. */
  path: string,
};

/** Result of the requests that change the tree. */
export type TreeChanged = {
  /** The tree's revision after it. */
  revision: number,
  /** What changed, in order: the first 1,000 of it. All of it comes as `tree` events. */
  changes: Array<TreeChange>,
  /** How many changes are not listed. */
  omitted: number,
};

/** Unfinished runs of the whole deployment, the oldest first. */
export type UnfinishedRuns = {
  /** The runs. */
  runs: Array<Run>,
};

/** A person or program that signs in. */
export type UserId = string;

/** A user in a line. */
export type UserSummary = {
  /** The user. */
  id: UserId,
  /** The name shown to others. */
  name: string,
};

/** What a user has and had. */
export type UserUsage = {
  /** Tasks they made. */
  tasks: number,
  /** Bytes of all files in them, of deleted ones that are not removed yet, and of what their runs left in `output/`. */
  storage_bytes: number,
  /** Runs that wait or run. */
  unfinished_runs: number,
  /** All runs. */
  runs: number,
  /** Bytes of logs of the runs submitted within the last day. */
  log_bytes_today: number,
  /** API tokens. */
  tokens: number,
  /** Browser sessions. */
  sessions: number,
};

/** What a client needs to begin. */
export type Welcome = {
  /** [`PROTOCOL_VERSION`]. */
  protocol: number,
  /** The task. */
  task: TaskSummary,
  /** Who the server takes the client for. */
  user: UserSummary,
  /** What the client may do here. */
  role: Role,
  /** The numbers that bound what a client may send. */
  limits: Limits,
  /** The tree's revision. */
  revision: number,
  /** All files. */
  tree: Node,
  /** The newest runs, newest first; at most 20. */
  runs: Array<Run>,
};

/** An error with the sentence for this case. The cause never goes to a client. */
export type WireError = {
  /** For programs. */
  code: ErrorCode,
  /** For people: what is wrong and what to do. */
  message: string,
  /** After how many seconds trying again makes sense, where that is known. */
  retry_after_s?: number,
};

/** What the reply to each request has as `result`. */
export type Results = {
  submit: Submitted,
  stop: Run,
  rerun: Submitted,
  follow: Record<string, never>,
  unfollow: Record<string, never>,
  create_file: FileCreated,
  create_blob: FileCreated,
  move: TreeChanged,
  delete: TreeChanged,
  set_main: TreeChanged,
  write_file: FileWritten,
  tree: Node,
  ping: Record<string, never>,
};

/** What happened and what to do about it (empty: nothing), for each reason. */
export const REASONS: Readonly<Record<Reason, { sentence: string; hint: string }>> = {
  exit_code: { sentence: "The program ended by itself.", hint: "" },
  signal: { sentence: "The program was ended by a signal.", hint: "Look at the end of the log for what it was doing." },
  out_of_memory: { sentence: "The program used more memory than it may.", hint: "Use less memory, or ask for a larger limit." },
  time_limit: { sentence: "The program ran longer than it may.", hint: "Make it faster, split the work, or ask for a larger limit." },
  output_limit: { sentence: "The program printed more than it may.", hint: "Print less, or write to a file below output/." },
  disk_limit: { sentence: "The program filled its disk.", hint: "Write less, or delete files that are no longer needed." },
  pids_limit: { sentence: "The program started more processes than it may.", hint: "Start fewer processes or threads." },
  stopped_by: { sentence: "The run was stopped.", hint: "" },
  interpreter_missing: { sentence: "The language's interpreter is not installed on the machine that runs the code.", hint: "Ask whoever runs this server to install it." },
  command_not_found: { sentence: "The start command was not found.", hint: "Check the command's first word and that the file exists." },
  image_missing: { sentence: "The container image for this language could not be fetched.", hint: "Ask whoever runs this server to check the image's name and access." },
  unschedulable: { sentence: "No machine had room for the run.", hint: "Try again later." },
  quota: { sentence: "The cluster's quota is used up.", hint: "Try again when other runs have ended." },
  evicted: { sentence: "The cluster ended the run to protect a machine.", hint: "Run it again." },
  node_lost: { sentence: "The machine that ran the program was lost.", hint: "Run it again." },
  worker_lost: { sentence: "The process that ran the program ended before the program did.", hint: "Run it again." },
  waited_too_long: { sentence: "The run waited in the queue longer than it may.", hint: "Submit it again when fewer runs are waiting." },
  snapshot_missing: { sentence: "The run's files could not be read back.", hint: "Submit it again." },
  sandbox_unavailable: { sentence: "This server cannot contain the program as its settings demand, so it does not start it.", hint: "Ask whoever runs this server to look at /health and mend the sandbox." },
  internal: { sentence: "Something went wrong on the server's side.", hint: "Run it again; if it happens again, tell whoever runs this server." },
};

/** The HTTP status and the title of each error code. */
export const ERRORS: Readonly<Record<ErrorCode, { status: number; title: string }>> = {
  bad_request: { status: 400, title: "The request is not well formed" },
  sign_in_required: { status: 401, title: "Sign in first" },
  wrong_password: { status: 401, title: "Name or password is wrong" },
  not_allowed: { status: 403, title: "Your role does not allow this" },
  origin_refused: { status: 403, title: "This origin may not connect" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "This route does not know the method" },
  bad_path: { status: 422, title: "The path is not valid" },
  path_taken: { status: 409, title: "A file with this path exists" },
  case_conflict: { status: 409, title: "A path that differs only in letter case exists" },
  file_folder_conflict: { status: 409, title: "A file and a folder cannot share a path" },
  move_into_itself: { status: 409, title: "A folder cannot move into itself" },
  main_file: { status: 409, title: "The main file needs a successor" },
  not_text: { status: 409, title: "The file is not a text file" },
  file_too_large: { status: 413, title: "The file is too large" },
  task_too_large: { status: 413, title: "The task is too large" },
  too_many_files: { status: 413, title: "The task has too many files" },
  body_too_large: { status: 413, title: "The request is too large" },
  bad_archive: { status: 422, title: "The archive was refused" },
  invalid: { status: 422, title: "A value is not valid" },
  name_taken: { status: 409, title: "This name is taken" },
  run_active: { status: 409, title: "You have an unfinished run in this task" },
  too_many_runs: { status: 429, title: "You have too many unfinished runs" },
  run_finished: { status: 409, title: "The run has ended" },
  range_not_satisfiable: { status: 416, title: "The range lies outside the log" },
  quota_reached: { status: 409, title: "You have as much as you may" },
  too_many_requests: { status: 429, title: "Too many requests" },
  not_stored: { status: 503, title: "Storing fails at the moment" },
  sandbox_unavailable: { status: 503, title: "Code cannot be contained here" },
  unavailable: { status: 503, title: "A service behind the server does not answer" },
  internal: { status: 500, title: "Something went wrong on the server's side" },
};
