//! What one user may have: tasks, bytes in them, and bytes of logs in a day.

use coderoom_backing::{tables::Tables, values};
use coderoom_protocol::{
    ids::{TaskId, UserId},
    people::UserUsage,
    problem::{ErrorCode, WireError},
};
use coderoom_worker::storage;

use super::{People, store_failed};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// When to come again for who has used up a day's logs: in an hour some of it is older than a day.
const LOGS_AGAIN_S: u64 = 3600;

/// How much one user may have.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Tasks they made.
    pub tasks: u64,
    /// Bytes of all files in them, of deleted ones that are not removed yet, and of what their runs left in `output/`.
    pub storage_bytes: u64,
    /// Bytes of logs of the runs that they submitted within a day.
    pub log_bytes_per_day: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { tasks: u64::MAX, storage_bytes: u64::MAX, log_bytes_per_day: u64::MAX }
    }
}

impl People {
    /// What a user has and had.
    pub async fn usage(&self, user: UserId) -> Result<UserUsage, WireError> {
        let day_ago = self.inner.clock.now_ms() - DAY_MS;
        let sql = "SELECT (SELECT count(*) FROM tasks WHERE created_by = $1 AND import_of IS NULL), \
                   @storage, \
                   (SELECT count(*) FROM runs WHERE user_id = $1 AND state IN (1, 2)), \
                   (SELECT count(*) FROM runs WHERE user_id = $1), \
                   (SELECT CAST(COALESCE(sum(log_bytes), 0) AS BIGINT) FROM runs WHERE user_id = $1 AND submitted_at > $2), \
                   (SELECT count(*) FROM tokens WHERE user_id = $1), \
                   (SELECT count(*) FROM sessions WHERE user_id = $1)";
        let sql = sql.replace("@storage", &storage::bytes_of("$1"));
        let row = self.inner.tables.query_opt(sql, values![user.to_string(), day_ago]).await.map_err(store_failed)?;
        let row = row.ok_or_else(|| WireError::plain(ErrorCode::Internal))?;
        let number = |column| row.uint(column).map_err(store_failed);
        Ok(UserUsage {
            tasks: number(0)?,
            storage_bytes: number(1)?,
            unfinished_runs: number(2)?,
            runs: number(3)?,
            log_bytes_today: number(4)?,
            tokens: number(5)?,
            sessions: number(6)?,
        })
    }

    /// Refuses a new task when a user has as many as one may, or as much in them (`quota_reached`).
    pub async fn check_new_task(&self, user: UserId) -> Result<(), WireError> {
        let usage = self.usage(user).await?;
        if usage.tasks >= self.inner.quota.tasks {
            let text = format!("You have {} tasks, and that is the most. Delete one first.", usage.tasks);
            return Err(WireError::new(ErrorCode::QuotaReached, text));
        }
        check_bytes(usage.storage_bytes, self.inner.quota.storage_bytes)
    }

    /// Refuses an upload into a task when who made it has as much in all theirs as one may (`quota_reached`), whoever
    /// brings it: it counts as theirs. For the begin of an upload; it is asked again when it is stored.
    pub async fn check_upload(&self, task: TaskId) -> Result<(), WireError> {
        check_storage(&self.inner.tables, task, self.inner.quota.storage_bytes).await
    }

    /// Refuses a run when the logs of a user's runs of the last day are too large together (`too_many_runs`).
    pub async fn check_logs(&self, user: UserId) -> Result<(), WireError> {
        let day_ago = self.inner.clock.now_ms() - DAY_MS;
        let sql =
            "SELECT CAST(COALESCE(sum(log_bytes), 0) AS BIGINT) FROM runs WHERE user_id = $1 AND submitted_at > $2";
        let row = self.inner.tables.query_opt(sql, values![user.to_string(), day_ago]).await.map_err(store_failed)?;
        let bytes = row.map_or(Ok(0), |row| row.uint(0)).map_err(store_failed)?;
        if bytes < self.inner.quota.log_bytes_per_day {
            return Ok(());
        }
        let text =
            format!("Your runs of the last day wrote {bytes} bytes of logs, and that is the most. Try again later.");
        Err(WireError::new(ErrorCode::TooManyRuns, text).retry_after(LOGS_AGAIN_S))
    }
}

/// Refuses when all tasks of the maker of a task have `most` bytes together (`quota_reached`).
pub(crate) async fn check_storage(tables: &Tables, task: TaskId, most: u64) -> Result<(), WireError> {
    let sql = format!("SELECT {}", storage::bytes_of("(SELECT created_by FROM tasks WHERE id = $1)"));
    let row = tables.query_opt(sql, values![task.to_string()]).await.map_err(store_failed)?;
    check_bytes(row.map_or(Ok(0), |row| row.uint(0)).map_err(store_failed)?, most)
}

fn check_bytes(bytes: u64, most: u64) -> Result<(), WireError> {
    if bytes < most {
        return Ok(());
    }
    let text = format!(
        "All tasks of one maker may have {most} bytes, with what runs left in output/; these have {bytes}. Delete files or tasks first; \
         what was deleted or overwritten counts until it is removed (about an hour later, unless `limits.keep_deleted` is another), and \
         what a run was given as long as its task is there."
    );
    Err(WireError::new(ErrorCode::QuotaReached, text))
}
