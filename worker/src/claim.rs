//! The claim: which waiting run starts next, and the move 1→2. Users with the fewest running runs come first, then
//! the oldest run; nobody runs more than their share, and the deployment not more than it may.

use coderoom_backing::{
    tables::{Sql, Statement},
    values,
};
use coderoom_protocol::{control::Language, ids::RunId};

use crate::{
    executor::StartRequest,
    fault::{Fault, Result},
    runs::Runs,
};

/// A run in the hands of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) request: StartRequest,
}

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
        ORDER BY coalesce(b.running, 0), r.submitted_at, r.id LIMIT 1 @skip)
    RETURNING id, language, command, manifest_key";

/// Claims the next run for `owner`; `None` when none waits or the limits forbid it.
pub(crate) async fn claim(runs: &Runs, owner: &str) -> Result<Option<Claimed>> {
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
    let Some(row) = rows.get(1).and_then(|rows| rows.first()) else { return Ok(None) };
    Ok(Some(Claimed { request: request(runs, row)? }))
}

/// What an executor needs for a row of `id, language, command, manifest_key`.
pub(crate) fn request(runs: &Runs, row: &coderoom_backing::tables::Row) -> Result<StartRequest> {
    let run: RunId = row.parse(0)?;
    let language = Language::parse(row.text(1)?);
    Ok(StartRequest {
        run,
        language: language.ok_or_else(|| Fault::Broken(format!("language of run {run} is unknown")))?,
        command: row.text(2)?.to_owned(),
        limits: runs.settings().limits.clone(),
        manifest_key: row.text(3)?.to_owned(),
    })
}
