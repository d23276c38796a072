//! A run's snapshot: what was frozen, as it lies in object storage.
//!
//! `runs/{run}/manifest.json` lists every file; `runs/{run}/code.zip` has the text files;
//! blobs are objects of their own (`blobs/{sha256}`) and only referenced.

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

/// Object key of the blob with this hash.
#[must_use]
pub fn blob_key(sha256: &str) -> String {
    format!("blobs/{}/{sha256}", sha256.get(..2).unwrap_or("00"))
}
