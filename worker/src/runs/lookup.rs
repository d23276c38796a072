//! Reading runs: one, a page of a task's history, its files and output. Rows become the record clients see.

use coderoom_backing::{
    tables::{Row, Value},
    values,
};
use coderoom_protocol::{
    control::SnapshotFile,
    ids::{RunId, TaskId, UserId},
    problem::{ErrorCode, WireError},
    run::{Reason, Run, RunState},
};

use super::{Runs, words};
use crate::{
    fault::{Fault, Result},
    snapshot::{Manifest, manifest_key},
};

const SELECT: &str =
    "SELECT r.id, r.task_id, r.number, r.user_id, u.name, r.state, r.phase, r.reason, r.detail, r.command,
    r.remarks, r.exit_code, r.signal, r.peak_memory_bytes, r.cpu_ms, r.sandbox, r.log_bytes, r.log_truncated,
    r.output_key, r.submitted_at, r.started_at, r.ended_at, s.name
    FROM runs r JOIN users u ON u.id = r.user_id LEFT JOIN users s ON s.id = r.stop_by";

impl Runs {
    /// The run as it is now.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn get(&self, run: RunId) -> std::result::Result<Run, WireError> {
        self.get_inner(run).await?.ok_or_else(|| WireError::new(ErrorCode::NotFound, "There is no such run."))
    }

    /// Runs of a task, newest first: at most `limit`, only those numbered below `before`. The next page begins
    /// before the last number of this one.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn list(
        &self,
        task: TaskId,
        before: Option<u32>,
        limit: u32,
    ) -> std::result::Result<Vec<Run>, WireError> {
        Ok(self.list_inner(task, before, limit).await?)
    }

    /// The newest `limit` runs of a task, newest first.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn newest(&self, task: TaskId, limit: u32) -> std::result::Result<Vec<Run>, WireError> {
        self.list(task, None, limit).await
    }

    /// Runs of all tasks that wait or run, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn unfinished(&self, limit: u32) -> std::result::Result<Vec<Run>, WireError> {
        Ok(self.unfinished_inner(limit).await?)
    }

    /// Place of a queued run in the line, 1 is next; `None` when it does not wait.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn queue_position(&self, run: RunId) -> std::result::Result<Option<u32>, WireError> {
        Ok(self.line().await?.get(&run).copied())
    }

    /// What was frozen for the run: the manifest with object keys. `None` when it is no longer stored.
    ///
    /// # Errors
    /// `unavailable`; `internal` when it cannot be read.
    pub async fn manifest(&self, run: RunId) -> std::result::Result<Option<Manifest>, WireError> {
        Ok(self.manifest_inner(run).await?)
    }

    /// The files of the run's snapshot as clients see them; empty when it is no longer stored.
    ///
    /// # Errors
    /// As for [`Runs::manifest`].
    pub async fn files(&self, run: RunId) -> std::result::Result<Vec<SnapshotFile>, WireError> {
        Ok(self.manifest_inner(run).await?.map(|manifest| manifest.for_clients()).unwrap_or_default())
    }

    /// Object key of the zip with what the run left in `output/`; `None` when there is none (yet).
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn output(&self, run: RunId) -> std::result::Result<Option<String>, WireError> {
        let sql = "SELECT output_key FROM runs WHERE id = $1";
        let row = self.tables().query_opt(sql, values![run.to_string()]).await.map_err(Fault::from)?;
        let key = row.map(|row| row.opt_text(0).map(|key| key.map(str::to_owned))).transpose().map_err(Fault::from)?;
        Ok(key.flatten())
    }

    pub(crate) async fn get_inner(&self, run: RunId) -> Result<Option<Run>> {
        let rows = self.tables().query(format!("{SELECT} WHERE r.id = $1"), values![run.to_string()]).await?;
        Ok(self.records(&rows).await?.pop())
    }

    async fn list_inner(&self, task: TaskId, before: Option<u32>, limit: u32) -> Result<Vec<Run>> {
        let sql = format!("{SELECT} WHERE r.task_id = $1 AND r.number < $2 ORDER BY r.number DESC LIMIT $3");
        let before = before.map_or(i64::MAX, i64::from);
        let rows = self.tables().query(sql, values![task.to_string(), before, limit]).await?;
        self.records(&rows).await
    }

    async fn unfinished_inner(&self, limit: u32) -> Result<Vec<Run>> {
        let sql = format!("{SELECT} WHERE r.state IN (1, 2) ORDER BY r.submitted_at, r.id LIMIT $1");
        let rows = self.tables().query(sql, values![limit]).await?;
        self.records(&rows).await
    }

    /// The runs at the head of the line, oldest first; as many as are worth telling their place.
    pub(crate) async fn waiting_runs(&self) -> Result<Vec<Run>> {
        let sql = format!("{SELECT} WHERE r.state = 1 ORDER BY r.submitted_at, r.id LIMIT 500");
        let rows = self.tables().query(sql, values![]).await?;
        self.records(&rows).await
    }

    pub(crate) async fn manifest_inner(&self, run: RunId) -> Result<Option<Manifest>> {
        let Some(bytes) = self.objects().get(&manifest_key(run)).await? else { return Ok(None) };
        let manifest = serde_json::from_slice(&bytes);
        Ok(Some(manifest.map_err(|error| Fault::Broken(format!("manifest of run {run}: {error}")))?))
    }

    /// Rows of [`SELECT`] as records. The line is read only when one of them waits in it.
    async fn records(&self, rows: &[Row]) -> Result<Vec<Run>> {
        let mut runs = rows.iter().map(record).collect::<Result<Vec<_>>>()?;
        if runs.iter().any(|run| run.state == RunState::Queued) {
            let line = self.line().await?;
            for run in runs.iter_mut().filter(|run| run.state == RunState::Queued) {
                run.queue_position = line.get(&run.id).copied();
                run.phase = words::waiting(run.queue_position);
            }
        }
        Ok(runs)
    }
}

fn record(row: &Row) -> Result<Run> {
    let state = u8::try_from(row.int(5)?).ok().and_then(|number| RunState::try_from(number).ok());
    let mut run = Run {
        id: row.parse::<RunId>(0)?,
        task: row.parse::<TaskId>(1)?,
        number: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
        user: row.parse::<UserId>(3)?,
        user_name: row.text(4)?.to_owned(),
        state: state.ok_or_else(|| Fault::Broken("a run's state is unknown".into()))?,
        phase: row.text(6)?.to_owned(),
        queue_position: None,
        reason: row.opt_text(7)?.and_then(Reason::parse),
        message: None,
        command: row.text(9)?.to_owned(),
        remarks: row.text(10)?.to_owned(),
        exit_code: row.opt_int(11)?.and_then(|code| i32::try_from(code).ok()),
        signal: row.opt_int(12)?.and_then(|signal| i32::try_from(signal).ok()),
        peak_memory_bytes: row.opt_int(13)?.and_then(|bytes| u64::try_from(bytes).ok()),
        cpu_ms: row.opt_int(14)?.and_then(|ms| u64::try_from(ms).ok()),
        sandbox: row.opt_text(15)?.map(str::to_owned),
        log_bytes: row.uint(16)?,
        log_truncated: row.bool(17)?,
        has_output: !matches!(row.0.get(18), None | Some(Value::Null)),
        submitted_at: row.int(19)?,
        started_at: row.opt_int(20)?,
        ended_at: row.opt_int(21)?,
        stopped_by: row.opt_text(22)?.map(str::to_owned),
    };
    if run.state.is_final() {
        run.message = words::ending(&run, row.opt_text(8)?);
    } else if run.stopped_by.is_some() {
        "stopping".clone_into(&mut run.phase);
    }
    Ok(run)
}
