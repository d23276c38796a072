//! Stores the bytes of blobs in object storage under their hash. Before an object is stored a claim is made in the
//! tables, so that the sweep neither forgets it nor takes it away between storing it and using it.

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::values;
use coderoom_protocol::{
    ids::TaskId,
    problem::{ErrorCode, WireError},
};
use coderoom_worker::snapshot::blob_key;

use super::{Tasks, failed};

/// How long an upload waits for the sweep to finish deleting the very same content.
const SWEEP_PATIENCE: Duration = Duration::from_secs(20);

/// A blob whose object is stored and claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredBlob {
    /// Its hash, lower-case hexadecimal.
    pub(super) sha256: String,
    /// Its bytes.
    pub(super) size: u64,
}

impl Tasks {
    /// Stores bytes whose hash is `sha256`.
    pub(super) async fn store_bytes(
        &self,
        task: TaskId,
        sha256: String,
        bytes: Bytes,
    ) -> Result<StoredBlob, WireError> {
        self.claim(task, &sha256).await?;
        let size = bytes.len() as u64;
        if !self.is_stored(&sha256, size).await? {
            self.objects.put(&blob_key(&sha256), bytes).await.map_err(failed::objects("store a blob"))?;
        }
        Ok(StoredBlob { sha256, size })
    }

    /// Stores a file of ours whose hash is `sha256`.
    pub(super) async fn store_file(
        &self,
        task: TaskId,
        sha256: String,
        size: u64,
        file: &std::path::Path,
    ) -> Result<StoredBlob, WireError> {
        self.claim(task, &sha256).await?;
        if !self.is_stored(&sha256, size).await? {
            self.objects.put_file(&blob_key(&sha256), file).await.map_err(failed::objects("store a blob"))?;
        }
        Ok(StoredBlob { sha256, size })
    }

    async fn is_stored(&self, sha256: &str, size: u64) -> Result<bool, WireError> {
        let stored = self.objects.size(&blob_key(sha256)).await.map_err(failed::objects("look for a blob"))?;
        Ok(stored == Some(size))
    }

    /// Notes that `task` is about to use the blob, and waits while the sweep deletes that very blob. The note is
    /// committed before the wait looks, and the sweep looks for notes after it committed its intention, so one of the
    /// two always sees the other.
    async fn claim(&self, task: TaskId, sha256: &str) -> Result<(), WireError> {
        let step = "claim a blob";
        let until = tokio::time::Instant::now() + SWEEP_PATIENCE;
        loop {
            self.tables
                .execute(
                    "INSERT INTO blob_claims (sha256, task_id, at) VALUES ($1, $2, $3) \
                     ON CONFLICT (sha256, task_id) DO UPDATE SET at = excluded.at",
                    values![sha256, task.to_string(), self.clock.now_ms()],
                )
                .await
                .map_err(failed::tables(step))?;
            let deleting = self
                .tables
                .query_opt("SELECT 1 FROM blob_claims WHERE sha256 = $1 AND deleting > 0 LIMIT 1", values![sha256])
                .await
                .map_err(failed::tables(step))?;
            if deleting.is_none() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                return Err(WireError::new(
                    ErrorCode::Unavailable,
                    "The same content is being removed right now. Try again in a minute.",
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
