//! Submitting: snapshot, then one transaction with the row and its outbox entry, then the doorbell.
//! Also running an earlier snapshot again.

use coderoom_backing::{
    fault_point::fault_point,
    tables::{Sql, TablesError, Tx},
    values,
};
use coderoom_protocol::{
    control::{Language, Submitted},
    ids::{RunId, TaskId, UserId},
    problem::{ErrorCode, WireError},
    run::RunState,
};

use super::Runs;
use crate::{
    fault::{Fault, Result, refuse},
    snapshot::{FrozenFile, Manifest, Snapshot, SnapshotWriter, manifest_key},
};

/// When to come again for who has as many unfinished runs as one may, in seconds: a short run has ended by then.
const RUNS_AGAIN_S: u64 = 10;

/// What is to run, beside the files.
#[derive(Clone, Debug)]
pub struct SubmitDraft {
    /// The task.
    pub task: TaskId,
    /// Who submits.
    pub user: UserId,
    /// The task's language.
    pub language: Language,
    /// Command line for `sh -c`.
    pub command: String,
    /// A note kept with the run.
    pub remarks: String,
}

/// A whole submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The task.
    pub task: TaskId,
    /// Who submits.
    pub user: UserId,
    /// The task's language.
    pub language: Language,
    /// Command line for `sh -c`.
    pub command: String,
    /// A note kept with the run.
    pub remarks: String,
    /// All files of the task, in any order.
    pub files: Vec<FrozenFile>,
}

impl Runs {
    /// Freezes the files and queues a run. On success it is stored and will run, whatever crashes afterwards.
    ///
    /// # Errors
    /// `run_active`: this user has an unfinished run in this task. `too_many_runs`: or too many in all tasks.
    /// `invalid`: command or remarks break a rule. `not_found`: no such task. `unavailable`: nothing is queued, try
    /// again (if the tables broke during commit it may be queued all the same; then `run_active` will say so).
    pub async fn submit(&self, submission: Submission) -> std::result::Result<Submitted, WireError> {
        let Submission { task, user, language, command, remarks, mut files } = submission;
        let draft = SubmitDraft { task, user, language, command, remarks };
        self.check_draft(&draft).await?;
        files.sort_by(|a, b| a.path().cmp(b.path()));
        let mut writer = self.begin_snapshot(task);
        for file in files {
            writer.add(file).await;
        }
        self.submit_snapshot(draft, writer).await
    }

    /// Begins a snapshot of a task whose files come one after the other, ordered by path; for tasks too large for memory.
    /// Ends in [`Runs::submit_snapshot`].
    #[must_use]
    pub fn begin_snapshot(&self, task: TaskId) -> SnapshotWriter {
        SnapshotWriter::begin(self.objects().clone(), self.settings(), task)
    }

    /// Queues a run of what was written to `snapshot`. Errors as for [`Runs::submit`].
    pub async fn submit_snapshot(
        &self,
        draft: SubmitDraft,
        snapshot: SnapshotWriter,
    ) -> std::result::Result<Submitted, WireError> {
        self.check_draft(&draft).await?;
        let Snapshot { manifest } = snapshot.finish().await?;
        Ok(self.enqueue(draft, manifest).await?)
    }

    /// Queues the snapshot of an earlier run again, with the same command and remarks, for `user`.
    ///
    /// # Errors
    /// As for [`Runs::submit`]; `not_found` when there is no such run or its snapshot is gone.
    pub async fn rerun(&self, run: RunId, user: UserId) -> std::result::Result<Submitted, WireError> {
        Ok(self.rerun_inner(run, user).await?)
    }

    async fn rerun_inner(&self, run: RunId, user: UserId) -> Result<Submitted> {
        let sql = "SELECT task_id, language, command, remarks FROM runs WHERE id = $1";
        let Some(row) = self.tables().query_opt(sql, values![run.to_string()]).await? else {
            return refuse(ErrorCode::NotFound, "There is no such run.");
        };
        let draft = SubmitDraft {
            task: row.parse(0)?,
            user,
            language: Language::parse(row.text(1)?)
                .ok_or_else(|| Fault::Broken(format!("language of run {run} is unknown")))?,
            command: row.text(2)?.to_owned(),
            remarks: row.text(3)?.to_owned(),
        };
        self.check_draft(&draft).await?;
        let Some(manifest) = self.manifest_inner(run).await? else {
            return refuse(ErrorCode::NotFound, "The files of this run are no longer stored.");
        };
        self.enqueue(draft, manifest).await
    }

    /// What can be refused before anything is packed. The transaction checks again what can change meanwhile.
    async fn check_draft(&self, draft: &SubmitDraft) -> Result<()> {
        check_text("The command", &draft.command, self.settings().max_command_bytes)?;
        check_text("The remarks", &draft.remarks, self.settings().max_remarks_bytes)?;
        if draft.command.trim().is_empty() {
            return refuse(ErrorCode::Invalid, "The command is empty.");
        }
        self.refuse_if_active(draft).await
    }

    async fn enqueue(&self, draft: SubmitDraft, manifest: Manifest) -> Result<Submitted> {
        let run = RunId::new();
        let json = serde_json::to_vec(&manifest).map_err(|error| Fault::Broken(format!("write manifest: {error}")))?;
        self.objects().put(&manifest_key(run), json.into()).await?;
        if let Err(fault) = self.store(run, &draft).await {
            return Err(self.not_stored(run, &draft, fault).await);
        }
        fault_point("run-stored");
        // Before the bell, so that the room hears that it waits before it hears that it runs.
        let announced = self.announce(run).await;
        self.ring_soon(run);
        let run = announced?.ok_or_else(|| Fault::Broken("the new run is gone".into()))?;
        // By fairness it may stand before others.
        self.announce_line(RunState::Queued).await;
        Ok(Submitted { run, files: manifest.for_clients() })
    }

    /// What the client is told, after removing what the failed transaction would have named.
    async fn not_stored(&self, run: RunId, draft: &SubmitDraft, fault: Fault) -> Fault {
        // An unknown outcome may be a stored run, which needs its manifest.
        if !matches!(fault, Fault::Tables(TablesError::Unknown(_)))
            && let Err(cause) = self.objects().delete(&manifest_key(run)).await
        {
            tracing::debug!(run.id = %run, %cause, "the manifest of a refused run stays in object storage");
        }
        // The index of unfinished runs was quicker than our look.
        if matches!(fault, Fault::Tables(TablesError::Unique(_))) {
            let refused = self.refuse_if_active(draft).await.err();
            let plain = || WireError::plain(ErrorCode::RunActive).into();
            return refused.unwrap_or_else(plain);
        }
        fault
    }

    async fn store(&self, run: RunId, draft: &SubmitDraft) -> Result<()> {
        let mut tx = self.tables().begin().await?;
        self.check_user_limit(&mut tx, draft.user).await?;
        let sql = "UPDATE tasks SET run_count = run_count + 1 WHERE id = $1 RETURNING run_count";
        let Some(row) = tx.query_opt(sql, values![draft.task.to_string()]).await? else {
            return refuse(ErrorCode::NotFound, "There is no such task.");
        };
        let now = self.clock().now_ms();
        tx.execute(
            "INSERT INTO runs (id, task_id, number, user_id, language, state, command, remarks, manifest_key, submitted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values![
                run.to_string(),
                draft.task.to_string(),
                row.int(0)?,
                draft.user.to_string(),
                draft.language.as_str(),
                i64::from(u8::from(RunState::Queued)),
                draft.command.clone(),
                draft.remarks.clone(),
                manifest_key(run),
                now,
            ],
        )
        .await?;
        tx.execute("INSERT INTO outbox (run_id, created_at) VALUES ($1, $2)", values![run.to_string(), now]).await?;
        Ok(tx.commit().await?)
    }

    /// The user's row is locked first, so that two submissions of one user are counted one after the other.
    async fn check_user_limit(&self, tx: &mut Tx, user: UserId) -> Result<()> {
        let lock = Sql {
            sqlite: "SELECT 1 FROM users WHERE id = $1".into(),
            postgres: "SELECT 1 FROM users WHERE id = $1 FOR UPDATE".into(),
        };
        tx.query(lock, values![user.to_string()]).await?;
        let sql = "SELECT count(*) FROM runs WHERE user_id = $1 AND state IN (1, 2)";
        let limit = u64::from(self.settings().max_unfinished_per_user);
        let unfinished = tx.query_opt(sql, values![user.to_string()]).await?.map_or(Ok(0), |row| row.uint(0))?;
        if unfinished < limit {
            return Ok(());
        }
        let message =
            format!("You have {unfinished} unfinished runs, and {limit} is the most. Stop one, or wait for an end.");
        Err(WireError::new(ErrorCode::TooManyRuns, message).retry_after(RUNS_AGAIN_S).into())
    }

    async fn refuse_if_active(&self, draft: &SubmitDraft) -> Result<()> {
        let sql = "SELECT number, state FROM runs WHERE task_id = $1 AND user_id = $2 AND state IN (1, 2)";
        let values = values![draft.task.to_string(), draft.user.to_string()];
        let Some(row) = self.tables().query_opt(sql, values).await? else { return Ok(()) };
        let doing = if row.int(1)? == i64::from(u8::from(RunState::Running)) { "is running" } else { "is waiting" };
        let message = format!("Your run {} in this task {doing}. Stop it, or wait for its end.", row.int(0)?);
        refuse(ErrorCode::RunActive, message)
    }
}

fn check_text(what: &str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit {
        return refuse(ErrorCode::Invalid, format!("{what} may have at most {limit} bytes."));
    }
    if text.contains('\0') {
        return refuse(ErrorCode::Invalid, format!("{what} must not contain a NUL character."));
    }
    Ok(())
}
