//! Tasks as the HTTP interface shows them: a line of a list, the whole task, and what makes or changes one.

use serde::{Deserialize, Serialize};

use crate::{
    control::{Language, UserSummary},
    ids::{FileId, RunId, TaskId},
    role::Role,
    run::{Run, RunState},
};

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TaskLine {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Language,
    /// What its members wrote about it.
    pub remarks: String,
    /// What the asker may do in it.
    pub role: Role,
    /// State of the newest run; 0 when there is none.
    #[schema(value_type = u8, minimum = 0, maximum = 5)]
    pub run_state: RunState,
    /// The newest run.
    pub newest_run: Option<RunId>,
    /// Who has it open now, as far as the server that was asked knows.
    pub here: Vec<UserSummary>,
    /// Who made it; absent when that account is gone.
    pub created_by: Option<UserSummary>,
    /// Milliseconds since the Unix epoch when it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for the last change of its tree, name or remarks.
    #[ts(type = "number")]
    pub updated_at: i64,
}

/// One page of tasks, the last changed first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskLine>,
    /// Asks for the page after this one as `cursor`; absent on the last page.
    pub next: Option<String>,
}

/// A task as a whole, without its tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TaskDetail {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Language,
    /// What its members wrote about it.
    pub remarks: String,
    /// What the asker may do in it.
    pub role: Role,
    /// The main file.
    pub main: Option<FileId>,
    /// Its path.
    pub main_path: Option<String>,
    /// The tree's revision: it rises with every change of the tree.
    #[ts(type = "number")]
    pub revision: u64,
    /// Number of files.
    #[ts(type = "number")]
    pub files: u64,
    /// Bytes of all files together (UTF-8 for text).
    #[ts(type = "number")]
    pub bytes: u64,
    /// Most bytes of all files together.
    #[ts(type = "number")]
    pub max_bytes: u64,
    /// Most files.
    #[ts(type = "number")]
    pub max_files: u64,
    /// Most bytes of one text file; larger ones are stored as blobs.
    #[ts(type = "number")]
    pub max_text_bytes: u64,
    /// The newest run, if there is one.
    pub newest_run: Option<Box<Run>>,
    /// Who made it; absent when that account is gone.
    pub created_by: Option<UserSummary>,
    /// Milliseconds since the Unix epoch when it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for the last change of its tree, name or remarks.
    #[ts(type = "number")]
    pub updated_at: i64,
}

/// What makes a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Its name: 1 to 200 characters, none of them a control character.
    pub name: String,
    /// Its language; it decides the default files.
    pub language: Language,
    /// Anything about it, at most 4,000 characters.
    #[serde(default)]
    #[ts(optional, as = "Option<String>")]
    pub remarks: String,
}

/// What changes a task; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// New remarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub remarks: Option<String>,
}

/// What became of an uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct FileStored {
    /// The file. A text that became a blob, or the other way round, is a new file.
    pub file: FileId,
    /// Its path in normal form.
    pub path: String,
    /// Whether nothing was at the path before.
    pub created: bool,
    /// Text or blob.
    pub kind: crate::tree::NodeKind,
    /// Bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// The tree's revision after it.
    #[ts(type = "number")]
    pub revision: u64,
}

/// One page of a task's runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<Run>,
    /// Asks for the page after this one as `cursor`; absent on the last page.
    pub next: Option<String>,
}

/// A rename or move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// A file's or folder's path.
    pub from: String,
    /// Its new path.
    pub to: String,
}

/// The choice of a main file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MainChoice {
    /// A text file's path.
    pub path: String,
}

/// The tree with its revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TaskTree {
    /// Rises with every change of the tree.
    #[ts(type = "number")]
    pub revision: u64,
    /// The root.
    pub tree: crate::tree::Node,
}

/// What is to run; an empty body means all defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Command line; default: `sh run.sh`.
    #[serde(default)]
    #[ts(optional)]
    pub command: Option<String>,
    /// A note kept with the run.
    #[serde(default)]
    #[ts(optional)]
    pub remarks: Option<String>,
}

/// What was frozen for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct RunFiles {
    /// The run.
    pub run: RunId,
    /// Its files, ordered by path.
    pub files: Vec<crate::control::SnapshotFile>,
}
