//! Removes what nobody refers to any more: blobs that no file and no run's snapshot has, what deleted tasks
//! and their runs left in object storage, and imports that a crash cut off. It compares what is with what should be, so it may run at any
//! time, on any number of nodes, and be cut off anywhere.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{ids::TaskId, problem::WireError};
use coderoom_worker::{
    announce::log_stream,
    snapshot::{Manifest, code_prefix},
};

use super::{Tasks, failed};

/// Blobs that are looked for at once.
const BLOBS_AT_ONCE: i64 = 2_000;
/// Runs of deleted tasks that one sweep removes.
const RUNS_PER_SWEEP: i64 = 500;
/// Deleted tasks whose runs' texts one sweep removes.
const TASKS_PER_SWEEP: i64 = 500;

/// A mark that a blob is being deleted counts for this many milliseconds.
const MARK_LASTS_MS: i64 = 10 * 60 * 1_000;
/// A blob that only snapshots of runs have is looked at again after so many milliseconds: it goes with their task.
const FROZEN_AGAIN_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs.
    pub blobs: u64,
    /// Objects of runs.
    pub run_objects: u64,
    /// Texts that runs were given.
    pub codes: u64,
    /// Imports that were cut off.
    pub imports: u64,
}

impl Tasks {
    /// Removes what has been unused for [`super::TaskSettings::sweep_age_ms`], blobs after
    /// [`super::TaskSettings::blob_age_ms`]. For now and then; an error leaves the rest for the next time.
    pub async fn sweep(&self) -> Result<Swept, WireError> {
        let before = self.clock.now_ms() - self.settings.sweep_age_ms;
        let step = "sweep imports";
        let sql = "DELETE FROM tasks WHERE import_of IS NOT NULL AND created_at < $1";
        let imports = self.tables.execute(sql, values![before]).await.map_err(failed::tables(step))?;
        let run_objects = self.sweep_runs(before).await?;
        let codes = self.sweep_codes(before).await?;
        let blobs = self.sweep_blobs(self.clock.now_ms() - self.settings.blob_age_ms).await?;
        Ok(Swept { blobs, run_objects, codes, imports })
    }

    async fn sweep_runs(&self, before: i64) -> Result<u64, WireError> {
        let step = "sweep what runs left";
        let sql = "SELECT run_id FROM run_remains WHERE at < $1 ORDER BY at LIMIT $2";
        let rows = self.tables.query(sql, values![before, RUNS_PER_SWEEP]).await.map_err(failed::tables(step))?;
        let mut removed = 0;
        for row in rows {
            let run = row.text(0).map_err(failed::tables(step))?;
            removed += self.remove_all(&format!("runs/{run}/"), step).await?;
            // An engine that had it may have written on after the task was deleted, and died before it could remove that.
            let stream = log_stream(row.parse(0).map_err(failed::tables(step))?);
            self.bus.remove(&stream).await.map_err(failed::internal(step))?;
            let sql = "DELETE FROM run_remains WHERE run_id = $1";
            self.tables.execute(sql, values![run]).await.map_err(failed::tables(step))?;
        }
        Ok(removed)
    }

    /// A submit that was under way when its task was deleted is long over: nobody reads or writes there any more.
    async fn sweep_codes(&self, before: i64) -> Result<u64, WireError> {
        let step = "sweep what tasks left";
        let sql = "SELECT task_id FROM task_remains WHERE at < $1 ORDER BY at LIMIT $2";
        let rows = self.tables.query(sql, values![before, TASKS_PER_SWEEP]).await.map_err(failed::tables(step))?;
        let mut removed = 0;
        for row in rows {
            let task: TaskId = row.parse(0).map_err(failed::tables(step))?;
            removed += self.remove_all(&code_prefix(task), step).await?;
            let sql = "DELETE FROM task_remains WHERE task_id = $1";
            self.tables.execute(sql, values![task.to_string()]).await.map_err(failed::tables(step))?;
        }
        Ok(removed)
    }

    /// Deletes all objects whose keys begin with `prefix`; gives how many.
    async fn remove_all(&self, prefix: &str, step: &'static str) -> Result<u64, WireError> {
        let mut removed = 0;
        for object in self.objects.list(prefix).await.map_err(failed::objects(step))? {
            self.objects.delete(&object.key).await.map_err(failed::objects(step))?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn sweep_blobs(&self, before: i64) -> Result<u64, WireError> {
        let step = "sweep blobs";
        // A mark this old was left by a process that died; whoever makes one deletes well within the time.
        let sql = "UPDATE blob_claims SET deleting = 0 WHERE deleting > 0 AND deleting < $1";
        let stale = self.clock.now_ms() - MARK_LASTS_MS;
        self.tables.execute(sql, values![stale]).await.map_err(failed::tables(step))?;
        // Those that files have are not looked at: who deletes or overwrites a file renews the claim.
        let sql = "SELECT sha256 FROM blob_claims WHERE at < $1 AND deleting = 0 \
                   AND NOT EXISTS (SELECT 1 FROM files WHERE files.blob_sha256 = blob_claims.sha256) \
                   GROUP BY sha256 ORDER BY MIN(at) LIMIT $2";
        let mut snapshots = Snapshots::default();
        let mut removed = 0;
        loop {
            let rows = self.tables.query(sql, values![before, BLOBS_AT_ONCE]).await.map_err(failed::tables(step))?;
            for row in &rows {
                let sha256 = row.text(0).map_err(failed::tables(step))?;
                if self.is_frozen(sha256, before, &mut snapshots).await? {
                    continue;
                }
                if self.mark(sha256, before).await? {
                    self.delete_marked(sha256).await?;
                    removed += 1;
                } else {
                    // Somebody has it by now: looked at again when it has been quiet for as long once more.
                    let sql = "UPDATE blob_claims SET at = $2 WHERE sha256 = $1 AND at < $3";
                    let values = values![sha256, self.clock.now_ms(), before];
                    self.tables.execute(sql, values).await.map_err(failed::tables(step))?;
                }
            }
            // None of these is found again in this sweep.
            if rows.len() < BLOBS_AT_ONCE as usize {
                return Ok(removed);
            }
        }
    }

    /// Whether a run of a task that has a claim was given the blob. Then it stays with that task, and counts as storage of who
    /// made it; for others that had it, it costs nothing.
    async fn is_frozen(&self, sha256: &str, before: i64, snapshots: &mut Snapshots) -> Result<bool, WireError> {
        let step = "sweep blobs";
        let sql = "SELECT task_id FROM blob_claims WHERE sha256 = $1";
        let rows = self.tables.query(sql, values![sha256]).await.map_err(failed::tables(step))?;
        let (mut frozen, mut statements) = (false, Vec::new());
        for row in rows {
            let task: TaskId = row.parse(0).map_err(failed::tables(step))?;
            if self.snapshots_have(task, sha256, snapshots).await? {
                frozen = true;
            } else {
                let sql = "UPDATE blob_claims SET maker = NULL WHERE sha256 = $1 AND task_id = $2 AND at < $3";
                statements.push(Statement::new(sql, values![sha256, task.to_string(), before]));
            }
        }
        if !frozen {
            return Ok(false);
        }
        let again = self.clock.now_ms() - self.settings.blob_age_ms + FROZEN_AGAIN_MS;
        let sql = "UPDATE blob_claims SET at = $2 WHERE sha256 = $1 AND at < $3";
        statements.push(Statement::new(sql, values![sha256, again, before]));
        self.tables.batch(statements).await.map_err(failed::tables(step))?;
        Ok(true)
    }

    /// Marks a blob for deletion, if nobody uses it. The mark is committed before it is looked again for somebody who
    /// is about to use it: see [`Tasks::claim`].
    async fn mark(&self, sha256: &str, before: i64) -> Result<bool, WireError> {
        let step = "sweep blobs";
        let marked = self
            .tables
            .execute(
                "UPDATE blob_claims SET deleting = $3 WHERE sha256 = $1 AND deleting = 0 \
                 AND NOT EXISTS (SELECT 1 FROM files WHERE blob_sha256 = $1) \
                 AND NOT EXISTS (SELECT 1 FROM blob_claims fresh WHERE fresh.sha256 = $1 AND fresh.at >= $2)",
                values![sha256, before, self.clock.now_ms()],
            )
            .await
            .map_err(failed::tables(step))?;
        if marked == 0 {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM blob_claims WHERE sha256 = $1 AND at >= $2 LIMIT 1";
        let fresh = self.tables.query_opt(sql, values![sha256, before]).await.map_err(failed::tables(step))?;
        if fresh.is_none() {
            return Ok(true);
        }
        let sql = "UPDATE blob_claims SET deleting = 0 WHERE sha256 = $1";
        self.tables.execute(sql, values![sha256]).await.map_err(failed::tables(step))?;
        Ok(false)
    }

    /// Whether a snapshot of a run of the task refers to the blob.
    async fn snapshots_have(&self, task: TaskId, sha256: &str, snapshots: &mut Snapshots) -> Result<bool, WireError> {
        let blobs = match snapshots.blobs.entry(task) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.blobs_in_snapshots(task).await?),
        };
        Ok(blobs.contains(sha256))
    }

    async fn blobs_in_snapshots(&self, task: TaskId) -> Result<HashSet<String>, WireError> {
        let step = "read snapshots of runs";
        let sql = "SELECT DISTINCT manifest_key FROM runs WHERE task_id = $1";
        let rows = self.tables.query(sql, values![task.to_string()]).await.map_err(failed::tables(step))?;
        let mut blobs = HashSet::new();
        for row in rows {
            let key = row.text(0).map_err(failed::tables(step))?;
            let Some(json) = self.objects.get(key).await.map_err(failed::objects(step))? else { continue };
            let manifest: Manifest = serde_json::from_slice(&json).map_err(failed::internal(step))?;
            let blobs_of = manifest.files.into_iter().filter(|file| file.blob_key.is_some());
            blobs.extend(blobs_of.map(|file| file.sha256));
        }
        Ok(blobs)
    }
}

/// Blobs of the snapshots of tasks, each task read once in a sweep. A run that is submitted during the sweep takes its
/// blobs from files that are there, which keep them.
#[derive(Default)]
struct Snapshots {
    blobs: HashMap<TaskId, HashSet<String>>,
}
