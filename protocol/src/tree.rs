//! A task's files as a nested tree, and what changed in it.

use serde::{Deserialize, Serialize};

use crate::ids::FileId;

/// What a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A folder: implied by the paths below it, it has no id and no row of its own.
    Folder,
    /// A live document that can be edited together.
    Text,
    /// Anything else: stored by its hash, can be downloaded and replaced, not edited.
    Blob,
}

/// One node: a folder with children, or a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Node {
    /// The file's id; absent for folders.
    pub id: Option<FileId>,
    /// Last component of the path; empty for the root.
    pub name: String,
    /// Full path without a leading slash; empty for the root.
    pub path: String,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes (UTF-8 for text), for a folder the sum of all below it.
    #[ts(type = "number")]
    pub size: u64,
    /// Whether this file is what runs by default.
    pub main: bool,
    /// Folders first, names in natural order; absent for files.
    #[schema(no_recursion)]
    pub children: Option<Vec<Node>>,
    /// The text, when contents were asked for and it is a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// One change of the tree, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum TreeChange {
    /// A file appeared.
    Created {
        /// The new file.
        file: FileId,
        /// Its path.
        path: String,
        /// Text or blob.
        kind: NodeKind,
    },
    /// A file has a new path; its document and everybody's cursor stay.
    Moved {
        /// The file.
        file: FileId,
        /// Path before.
        from: String,
        /// Path now.
        to: String,
    },
    /// A file is gone.
    Deleted {
        /// The file that was.
        file: FileId,
        /// Path before.
        path: String,
    },
    /// A blob has new content.
    Replaced {
        /// The file.
        file: FileId,
        /// Its path.
        path: String,
    },
    /// Another file is main now.
    Main {
        /// The new main file.
        file: FileId,
        /// Its path.
        path: String,
    },
}
