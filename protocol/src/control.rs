//! The control channel: JSON messages beside the documents, the same on `@task` (as Stateless) and on
//! sockets with the subprotocol `coderoom.v1` (as text frames). The TypeScript types are generated
//! from this file.
//!
//! A client sends [`ClientMessage`]s, each with an `id` of its choice; each is answered by exactly one
//! `reply` with that id. Everything else the server sends is an event.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{FileId, RunId, TaskId, UserId},
    problem::WireError,
    role::Role,
    run::Run,
    tree::{Node, TreeChange},
};

/// The version of this protocol, in `welcome`. It rises when a client must change.
pub const PROTOCOL_VERSION: u32 = 1;

/// The WebSocket subprotocol that asks for the control channel as text frames.
pub const SUBPROTOCOL: &str = "coderoom.v1";

/// The address of the room itself in the framing of the room socket.
pub const TASK_ADDRESS: &str = "@task";

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ClientMessage {
    /// Chosen by the client, comes back in the reply; at most 64 bytes.
    #[serde(default)]
    pub id: String,
    /// What is asked for.
    #[serde(flatten)]
    pub request: Request,
}

/// The requests of the control channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Freeze the files and queue a run. Result: [`Submitted`].
    Submit {
        /// Command line; default: how the task's language starts its main file, or `sh run.sh`.
        #[serde(default)]
        #[ts(optional)]
        command: Option<String>,
        /// A note kept with the run.
        #[serde(default)]
        #[ts(optional)]
        remarks: Option<String>,
    },
    /// End a queued or running run. Result: the [`Run`]. Stopping a finished run is not an error.
    Stop {
        /// The run to end.
        run: RunId,
    },
    /// Queue the snapshot of an earlier run again. Result: [`Submitted`].
    Rerun {
        /// The earlier run.
        run: RunId,
    },
    /// Get the log from `offset` on, as `log` events, until `log_end` or `unfollow`. Result: `{}`.
    Follow {
        /// The run.
        run: RunId,
        /// First byte wanted; 0 is the beginning.
        #[serde(default)]
        #[ts(as = "Option<f64>", optional)]
        offset: u64,
    },
    /// Stop getting the log. Result: `{}`.
    Unfollow {
        /// The run.
        run: RunId,
    },
    /// Make a text file. Result: [`FileCreated`].
    CreateFile {
        /// Where.
        path: String,
        /// Its first content.
        #[serde(default)]
        #[ts(optional)]
        text: Option<String>,
    },
    /// Make or replace a small blob (larger ones: HTTP upload). Result: [`FileCreated`].
    CreateBlob {
        /// Where.
        path: String,
        /// The bytes in base64 (standard alphabet, padded); at most 1 MiB decoded.
        base64: String,
    },
    /// Rename or move a file or folder. Result: [`TreeChanged`].
    Move {
        /// A file's or folder's path.
        from: String,
        /// Its new path.
        to: String,
    },
    /// Delete a file or folder. Result: [`TreeChanged`].
    Delete {
        /// A file's or folder's path.
        path: String,
        /// The new main file, needed when the main file is among what is deleted.
        #[serde(default)]
        #[ts(optional)]
        new_main: Option<String>,
    },
    /// Choose the main file. Result: [`TreeChanged`].
    SetMain {
        /// A text file's path.
        path: String,
    },
    /// Make the file's text equal to `text` by the smallest edit. Result: [`FileWritten`].
    WriteFile {
        /// A text file's path; it is created when nothing is there.
        path: String,
        /// The whole new text.
        text: String,
    },
    /// Read the tree again. Result: [`Node`] (the root).
    Tree {},
    /// Answered at once. Result: `{}`.
    Ping {},
}

/// Result of `submit` and `rerun`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Submitted {
    /// The new run.
    pub run: Run,
    /// Exactly what was frozen, ordered by path.
    pub files: Vec<SnapshotFile>,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SnapshotFile {
    /// Path in the task.
    pub path: String,
    /// Number of the file's last edit in the snapshot; 0 for blobs.
    #[ts(type = "number")]
    pub seq: u64,
    /// Bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
}

/// Result of `create_file` and `create_blob`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct FileCreated {
    /// The file.
    pub file: FileId,
    /// Its path in normal form.
    pub path: String,
    /// The tree's revision after it.
    #[ts(type = "number")]
    pub revision: u64,
}

/// Result of the requests that change the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TreeChanged {
    /// The tree's revision after it.
    #[ts(type = "number")]
    pub revision: u64,
    /// What changed, in order: the first 1,000 of it. All of it comes as `tree` events.
    pub changes: Vec<TreeChange>,
    /// How many changes are not listed.
    #[serde(default)]
    #[ts(type = "number")]
    pub omitted: u64,
}

/// Result of `write_file`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct FileWritten {
    /// The file.
    pub file: FileId,
    /// Number of its last stored edit.
    #[ts(type = "number")]
    pub seq: u64,
    /// Whether the text was different before.
    pub changed: bool,
}

/// What the server sends: replies and events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to one request.
    Reply(Reply),
    /// The first message on a connection.
    Welcome(Box<Welcome>),
    /// The tree changed. A client whose revision is not `revision - 1` asks for the tree again.
    Tree {
        /// Revision after the change.
        #[ts(type = "number")]
        revision: u64,
        /// What changed, in order.
        changes: Vec<TreeChange>,
        /// Who changed it, by name.
        by: String,
    },
    /// A run is new or changed.
    Run {
        /// The run as it is now.
        run: Box<Run>,
    },
    /// A piece of a followed log.
    Log {
        /// The run.
        run: RunId,
        /// Where the piece begins, in bytes of the whole log.
        #[ts(type = "number")]
        offset: u64,
        /// Where it ends: `offset` + number of bytes (which `text` does not always show, see `base64`).
        #[ts(type = "number")]
        end: u64,
        /// Where it came from.
        stream: LogStream,
        /// Milliseconds since the Unix epoch when the program wrote it.
        #[ts(type = "number")]
        at: i64,
        /// The bytes as text; bytes that are not UTF-8 appear as U+FFFD.
        text: String,
        /// The exact bytes, only when `text` does not have them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        base64: Option<String>,
    },
    /// A followed log is complete and was sent whole.
    LogEnd {
        /// The run.
        run: RunId,
        /// Bytes in all.
        #[ts(type = "number")]
        size: u64,
        /// SHA-256 of all bytes, lower-case hexadecimal.
        sha256: String,
        /// Whether output was left out because of the log cap (a `sys` piece says how much).
        truncated: bool,
    },
    /// Something people should know: storing fails, the server is going away.
    Notice {
        /// For programs.
        code: NoticeCode,
        /// For people.
        message: String,
        /// The file it is about, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        file: Option<FileId>,
    },
    /// The connection's role changed.
    Role {
        /// The role from now on.
        role: Role,
    },
    /// The task is gone; the socket closes after this.
    TaskDeleted {
        /// The task that was.
        task: TaskId,
    },
}

/// The answer to one request: `ok` with `result`, or not with `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Reply {
    /// The request's id.
    pub id: String,
    /// Whether it was done.
    pub ok: bool,
    /// What the request's documentation promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub result: Option<serde_json::Value>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<WireError>,
}

/// What a client needs to begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The task.
    pub task: TaskSummary,
    /// Who the server takes the client for.
    pub user: UserSummary,
    /// What the client may do here.
    pub role: Role,
    /// The numbers that bound what a client may send.
    pub limits: Limits,
    /// The tree's revision.
    #[ts(type = "number")]
    pub revision: u64,
    /// All files.
    pub tree: Node,
    /// The newest runs, newest first; at most 20.
    pub runs: Vec<Run>,
}

/// A task in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TaskSummary {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Language,
}

/// A user in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserSummary {
    /// The user.
    pub id: UserId,
    /// The name shown to others.
    pub name: String,
}

/// Languages a task can be in: they choose the default files and the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// `run.py`.
    Python,
    /// `run.scala`.
    Scala,
    /// `run.R`.
    R,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::Python, Self::Scala, Self::R];

    /// The word used in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Scala => "scala",
            Self::R => "r",
        }
    }

    /// The language written as `word`, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == word)
    }
}

/// Limits in force for this task, all in bytes unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Limits {
    /// One text file.
    #[ts(type = "number")]
    pub max_text_bytes: u64,
    /// All files of the task together.
    #[ts(type = "number")]
    pub max_task_bytes: u64,
    /// Number of files.
    #[ts(type = "number")]
    pub max_files: u64,
    /// One frame from a client.
    #[ts(type = "number")]
    pub max_frame_bytes: u64,
    /// One run's log.
    #[ts(type = "number")]
    pub max_log_bytes: u64,
    /// Wall time of a run in milliseconds.
    #[ts(type = "number")]
    pub max_run_ms: u64,
}

/// Where a piece of a log came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output of the program.
    Out,
    /// Standard error of the program.
    Err,
    /// The server or the supervisor: what happened around the program.
    Sys,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// Edits cannot be stored at the moment; the server keeps trying and clients keep what was not acknowledged.
    NotStored,
    /// Edits are stored again.
    Stored,
    /// The file takes no edits until storing works again.
    ReadOnly,
    /// All files of the task together are as large as they may be; edits that add text are refused until something is deleted.
    TaskFull,
    /// The document was rebuilt from its log after a fault; clients were resynchronised.
    Rebuilt,
    /// The server is going away; reconnect.
    Draining,
}
