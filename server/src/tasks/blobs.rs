//! Stores the bytes of blobs in object storage under their hash. Before an object is stored a claim is made in the
//! tables, so that the sweep neither forgets it nor takes it away between storing it and using it.
//!
//! Until a file has the blob the claim is that of its holder: one upload, or the hidden task of an import. It becomes the
//! task's in the transaction that makes the file. So an upload that is refused can let go of what it stored without
//! disturbing others that bring the same content at the same time.

use std::time::Duration;

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    ids::TaskId,
    problem::{ErrorCode, WireError},
};
use coderoom_worker::snapshot::blob_key;

use super::{
    Tasks, failed, files,
    receive::{Held, Received},
};

/// How long an upload waits for the deletion of the very same content to end.
const DELETION_PATIENCE: Duration = Duration::from_secs(20);
/// The store has this long to delete an object, well within the time for which a mark counts (see the sweep).
const DELETE_WITHIN: Duration = Duration::from_secs(120);

/// A blob whose object is stored and claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredBlob {
    /// Who has the claim until a file has the blob. An id as tasks have; no task needs to have it.
    pub(super) holder: TaskId,
    /// Its hash, lower-case hexadecimal.
    pub(super) sha256: String,
    /// Its bytes.
    pub(super) size: u64,
}

impl StoredBlob {
    /// Makes the claims of a holder those of the task whose files now have the blobs; for the transaction that makes these.
    pub(super) fn hand_over(holder: TaskId, task: TaskId, at: i64) -> [Statement; 2] {
        let (holder, task) = (holder.to_string(), task.to_string());
        let claim = "INSERT INTO blob_claims (sha256, task_id, at, size) \
                     SELECT sha256, $2, $3, size FROM blob_claims WHERE task_id = $1 \
                     ON CONFLICT (sha256, task_id) DO UPDATE SET at = excluded.at, size = excluded.size, maker = NULL";
        let forget = "DELETE FROM blob_claims WHERE task_id = $1";
        [Statement::new(claim, values![holder.as_str(), task, at]), Statement::new(forget, values![holder])]
    }
}

impl Tasks {
    /// Moves received bytes into object storage. Whoever calls it hands the holder's claims over, or releases them: also
    /// after an error.
    pub(super) async fn store_received(&self, holder: TaskId, received: Received) -> Result<StoredBlob, WireError> {
        let Received { size, sha256, held } = received;
        self.claim(holder, &sha256, size).await?;
        let key = blob_key(&sha256);
        let stored = self.objects.size(&key).await.map_err(failed::objects("look for a blob"))?;
        if stored != Some(size) {
            let put = match held {
                Held::Memory(bytes) => self.objects.put(&key, bytes).await,
                Held::File(path) => self.objects.put_file(&key, &path).await.map(drop),
            };
            put.map_err(failed::objects("store a blob"))?;
        }
        Ok(StoredBlob { holder, sha256, size })
    }

    /// Notes that `holder` is about to use the blob, and waits while that very blob is deleted. The note is committed before
    /// the wait looks, and whoever deletes looks for notes after the intention is committed, so one of the two always sees
    /// the other.
    async fn claim(&self, holder: TaskId, sha256: &str, size: u64) -> Result<(), WireError> {
        let step = "claim a blob";
        let until = tokio::time::Instant::now() + DELETION_PATIENCE;
        loop {
            self.tables
                .execute(
                    "INSERT INTO blob_claims (sha256, task_id, at, size) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (sha256, task_id) DO UPDATE SET at = excluded.at",
                    values![sha256, holder.to_string(), self.clock.now_ms(), files::as_column(size)],
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

    /// Lets go of what a holder stored for a task and no file got. Objects that nobody else has a claim on are deleted at
    /// once. What fails here is left to the sweep.
    ///
    /// It does nothing where the claims were handed over, and waits for a transaction that is about to do that: the
    /// outcome of a commit need not be known.
    pub(super) async fn release(&self, task: TaskId, holder: TaskId) {
        // The cause is in the log already.
        let _ = self.try_release(task, holder).await;
    }

    async fn try_release(&self, task: TaskId, holder: TaskId) -> Result<(), WireError> {
        let step = "release blobs";
        let sql = "SELECT sha256 FROM blob_claims WHERE task_id = $1";
        let claims = self.tables.query(sql, values![holder.to_string()]).await.map_err(failed::tables(step))?;
        for claim in claims {
            let sha256 = claim.text(0).map_err(failed::tables(step))?;
            if self.mark_held(sha256, holder).await? {
                self.delete_marked(sha256).await?;
                continue;
            }
            // A file has it, and with that its task a claim, which only goes with the object.
            let forget = "DELETE FROM blob_claims WHERE sha256 = $1 AND task_id = $2 AND deleting = 0 \
                          AND EXISTS (SELECT 1 FROM files WHERE blob_sha256 = $1)";
            // Or somebody is about to use it, or did lately: of two that let go at once each would rely on the other, so
            // this is for the sweep.
            let let_go = "UPDATE blob_claims SET at = $3, maker = (SELECT created_by FROM tasks WHERE id = $4) \
                          WHERE sha256 = $1 AND task_id = $2";
            let holder = holder.to_string();
            let statements = vec![
                Statement::new(forget, values![sha256, holder.as_str()]),
                Statement::new(let_go, values![sha256, holder.as_str(), self.clock.now_ms(), task.to_string()]),
            ];
            self.tables.batch(statements).await.map_err(failed::tables(step))?;
        }
        Ok(())
    }

    /// Marks a blob for deletion if nobody has it but `holder`. The mark is committed before it is looked again for
    /// somebody who is about to use it: see [`Self::claim`].
    async fn mark_held(&self, sha256: &str, holder: TaskId) -> Result<bool, WireError> {
        let step = "release blobs";
        let holder = holder.to_string();
        let mark = "UPDATE blob_claims SET deleting = $3 WHERE sha256 = $1 AND task_id = $2 AND deleting = 0 \
                    AND NOT EXISTS (SELECT 1 FROM files WHERE blob_sha256 = $1) \
                    AND NOT EXISTS (SELECT 1 FROM blob_claims other WHERE other.sha256 = $1 AND other.task_id <> $2)";
        let marked = self.tables.execute(mark, values![sha256, holder.as_str(), self.clock.now_ms()]).await;
        if marked.map_err(failed::tables(step))? == 0 {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM blob_claims WHERE sha256 = $1 AND task_id <> $2 LIMIT 1";
        let other = self.tables.query_opt(sql, values![sha256, holder.as_str()]).await.map_err(failed::tables(step))?;
        if other.is_none() {
            return Ok(true);
        }
        let sql = "UPDATE blob_claims SET deleting = 0 WHERE sha256 = $1 AND task_id = $2";
        self.tables.execute(sql, values![sha256, holder]).await.map_err(failed::tables(step))?;
        Ok(false)
    }

    /// Deletes the object of a blob that was marked, then the claims.
    pub(super) async fn delete_marked(&self, sha256: &str) -> Result<(), WireError> {
        let step = "delete a blob";
        let deleted = tokio::time::timeout(DELETE_WITHIN, self.objects.delete(&blob_key(sha256))).await;
        deleted.map_err(failed::internal(step))?.map_err(failed::objects(step))?;
        let sql = "DELETE FROM blob_claims WHERE sha256 = $1 AND deleting > 0";
        self.tables.execute(sql, values![sha256]).await.map_err(failed::tables(step))?;
        Ok(())
    }
}
