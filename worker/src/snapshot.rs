//! A run's snapshot: what was frozen, as it lies in object storage.
//!
//! `runs/{run}/manifest.json` lists every file; a zip named for its content (`code/…`) has the text files;
//! blobs are objects of their own (`blobs/{sha256}`) and only referenced.

mod write;

pub use write::{FrozenFile, Snapshot, SnapshotWriter};

use coderoom_protocol::{
    control::SnapshotFile,
    ids::{RunId, TaskId},
};
use serde::{Deserialize, Serialize};

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format: 1.
    pub version: u32,
    /// Object key of the zip with the text files. Two runs of unchanged content may share one.
    pub code_key: String,
    /// SHA-256 of the zip, lower-case hexadecimal.
    pub code_sha256: String,
    /// Ordered by path.
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// The files as clients see them.
    #[must_use]
    pub fn for_clients(&self) -> Vec<SnapshotFile> {
        let file = |file: &ManifestFile| SnapshotFile {
            path: file.path.clone(),
            seq: file.seq,
            size: file.size,
            sha256: file.sha256.clone(),
        };
        self.files.iter().map(file).collect()
    }
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Path in the task.
    pub path: String,
    /// Number of the last edit in it; 0 for blobs.
    pub seq: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// Object key of the content, for blobs; text is in the zip under its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_key: Option<String>,
}

/// Object key of a run's manifest.
#[must_use]
pub fn manifest_key(run: RunId) -> String {
    format!("runs/{run}/manifest.json")
}

/// What the keys of all texts that runs of this task were given begin with.
#[must_use]
pub fn code_prefix(task: TaskId) -> String {
    format!("code/{task}/")
}

/// Object key of a task's zip with this hash. It is named for its content, so that unchanged text is stored once, and for
/// its task, so that it goes with it.
#[must_use]
pub fn code_key(task: TaskId, sha256: &str) -> String {
    format!("{}{sha256}.zip", code_prefix(task))
}

/// Object key of what a run left in `output/`.
#[must_use]
pub fn output_key(run: RunId) -> String {
    format!("runs/{run}/output.zip")
}

/// Object key of the blob with this hash.
#[must_use]
pub fn blob_key(sha256: &str) -> String {
    format!("blobs/{}/{sha256}", sha256.get(..2).unwrap_or("00"))
}
