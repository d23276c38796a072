//! The claim: which waiting run starts next, and the move 1→2. Users with the fewest running runs come first, then
//! the oldest run; nobody runs more than their share, suspended users nothing, and the deployment not more than it may.

use coderoom_backing::{
    tables::{Row, Sql, Statement},
    values,
};
use coderoom_protocol::{control::Language, ids::RunId};

use crate::{
    executor::StartRequest,
    fault::{Fault, Result},
    runs::Runs,
};

/// On SQLite the one writer orders all claims. On PostgreSQL the limits are counted under an advisory lock (the
/// number is ours alone), and a row that somebody is stopping at this moment is skipped instead of waited for.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7061696100001)";

const PICK: &str = "UPDATE runs SET state = 2, phase = 'starting', lease_owner = $1, lease_beat = lease_beat + 1,
        attempts = attempts + 1
    WHERE state = 1 AND id = (
        SELECT r.id FROM runs r
        LEFT JOIN (SELECT user_id, count(*) AS running FROM runs WHERE state = 2 GROUP BY user_id) b
            ON b.user_id = r.user_id
        WHERE r.state = 1 AND coalesce(b.running, 0) < $2 AND (SELECT count(*) FROM runs WHERE state = 2) < $3
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = r.user_id AND u.suspended_at IS NOT NULL)
        ORDER BY coalesce(b.running, 0), r.submitted_at, r.id LIMIT 1 @skip)
    RETURNING id, task_id, user_id, language, command, manifest_key";

/// Claims the next run for `owner`; `None` when none waits or the limits forbid it.
pub(crate) async fn claim(runs: &Runs, owner: &str) -> Result<Option<StartRequest>> {
    // A look through a reader first: most looks find nothing and need not trouble the writer.
    if runs.tables().query_opt("SELECT 1 FROM runs WHERE state = 1 LIMIT 1", values![]).await?.is_none() {
        return Ok(None);
    }
    let lock = Sql { sqlite: "SELECT 1".into(), postgres: LOCK.into() };
    let pick = Sql {
        sqlite: PICK.replace("@skip", "").into(),
        postgres: PICK.replace("@skip", "FOR UPDATE OF r SKIP LOCKED").into(),
    };
    let settings = runs.settings();
    let values = values![owner, settings.max_running_per_user, settings.max_running_runs];
    let rows = runs.tables().batch(vec![Statement::new(lock, values![]), Statement::new(pick, values)]).await?;
    rows.get(1).and_then(|rows| rows.first()).map(|row| request(runs, row)).transpose()
}

/// A running run whose owner is gone, in the hands of a new one.
#[derive(Clone, Debug)]
pub(crate) struct TakenOver {
    pub(crate) request: StartRequest,
    /// Whether the program is known to have started.
    pub(crate) started: bool,
    /// How often a worker began with it, this time included.
    pub(crate) attempts: u32,
}

/// Makes `owner` the owner of a running run, if it still is as it was seen: `beat` and the old owner unchanged.
pub(crate) async fn take_over(
    runs: &Runs,
    run: RunId,
    owner: &str,
    seen_owner: Option<&str>,
    beat: i64,
) -> Result<Option<TakenOver>> {
    let sql = "UPDATE runs SET lease_owner = $2, lease_beat = lease_beat + 1, attempts = attempts + 1
               WHERE id = $1 AND state = 2 AND lease_owner IS NOT DISTINCT FROM $3 AND lease_beat = $4
               RETURNING id, task_id, user_id, language, command, manifest_key, started_at, attempts";
    let values = values![run.to_string(), owner, seen_owner.map(str::to_owned), beat];
    let rows = runs.tables().batch(vec![Statement::new(sql, values)]).await?;
    let Some(row) = rows.first().and_then(|rows| rows.first()) else { return Ok(None) };
    Ok(Some(TakenOver {
        request: request(runs, row)?,
        started: row.opt_int(6)?.is_some(),
        attempts: u32::try_from(row.int(7)?).unwrap_or(u32::MAX),
    }))
}

/// What an executor needs for a row of `id, task_id, user_id, language, command, manifest_key`.
fn request(runs: &Runs, row: &Row) -> Result<StartRequest> {
    let run: RunId = row.parse(0)?;
    let language = Language::parse(row.text(3)?);
    Ok(StartRequest {
        run,
        task: row.parse(1)?,
        user: row.parse(2)?,
        language: language.ok_or_else(|| Fault::Broken(format!("language of run {run} is unknown")))?,
        command: row.text(4)?.to_owned(),
        limits: runs.settings().limits.clone(),
        manifest_key: row.text(5)?.to_owned(),
    })
}

#[cfg(test)]
mod tests;
