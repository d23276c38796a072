//! The moves of a run's state: each a compare-and-set, and beside the claim (1→2, see [`crate::claim`]) nothing else
//! changes a state. A move that finds another state than it expects changes nothing and says so.

use coderoom_backing::{
    tables::{Statement, Value},
    values,
};
use coderoom_protocol::{
    ids::{RunId, UserId},
    run::{Reason, RunState},
};

use crate::{fault::Result, runs::Runs};

/// SHA-256 of nothing: the log of a run that never ran.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What [`stop`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It was queued and is stopped.
    Done,
    /// It is running; the wish is in its row.
    Asked,
    /// It has ended, or is gone.
    Ended,
}

/// All that is known at the end of a running run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reason: Option<Reason>,
    pub(crate) detail: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) cpu_ms: Option<u64>,
    pub(crate) log_bytes: u64,
    pub(crate) log_sha256: String,
    pub(crate) log_truncated: bool,
    pub(crate) output_key: Option<String>,
    pub(crate) output_bytes: u64,
    /// Why its output was not kept, as sentences for people.
    pub(crate) output_lost: Option<String>,
    pub(crate) started_at: Option<i64>,
    pub(crate) sandbox: Option<String>,
}

/// 1→5, or the wish to stop into the row of a running run, with a sentence about why. The first wish stays.
pub(crate) async fn stop(runs: &Runs, run: RunId, by: UserId, why: Option<&str>) -> Result<Stop> {
    let (now, why) = (runs.clock().now_ms(), why.map(str::to_owned));
    let queued = Statement::new(
        "UPDATE runs SET state = 5, phase = 'ended', reason = $3, detail = $6, log_sha256 = $5, stop_by = $2, stop_at = $4,
             ended_at = $4
         WHERE id = $1 AND state = 1 RETURNING id",
        values![run.to_string(), by.to_string(), Reason::StoppedBy.as_str(), now, EMPTY_SHA256, why.clone()],
    );
    let running = Statement::new(
        "UPDATE runs SET stop_by = coalesce(stop_by, $2), stop_at = coalesce(stop_at, $3),
             detail = CASE WHEN stop_at IS NULL THEN $4 ELSE detail END
         WHERE id = $1 AND state = 2 RETURNING id",
        values![run.to_string(), by.to_string(), now, why],
    );
    let rows = runs.tables().batch(vec![queued, running]).await?;
    Ok(match rows.iter().map(Vec::is_empty).collect::<Vec<_>>()[..] {
        [false, _] => Stop::Done,
        [_, false] => Stop::Asked,
        _ => Stop::Ended,
    })
}

/// 1→4: a queued run will never start. Whether it was still queued.
async fn fail_queued(runs: &Runs, run: RunId, reason: Reason, detail: Option<String>) -> Result<bool> {
    let sql = "UPDATE runs SET state = 4, phase = 'ended', reason = $2, detail = $3, log_sha256 = $4, ended_at = $5
               WHERE id = $1 AND state = 1";
    let values = values![run.to_string(), reason.as_str(), detail, EMPTY_SHA256, runs.clock().now_ms()];
    Ok(runs.tables().execute(sql, values).await? == 1)
}

/// As [`fail_queued`], and tells everybody if it was.
pub(crate) async fn end_waiting(runs: &Runs, run: RunId, reason: Reason, detail: String) -> Result<bool> {
    let ended = fail_queued(runs, run, reason, Some(detail)).await?;
    if ended {
        runs.announce_or_log(run).await;
        runs.announce_log_end(run).await;
        runs.announce_line(RunState::Failed).await;
    }
    Ok(ended)
}

/// 2→3, 2→4 or 2→5 of a run that `owner` has, as `outcome` and the row's wish to stop demand: a wish that was stored
/// before this wins. Gives the new state; `None` when `owner` no longer has it, or it has ended.
pub(crate) async fn finish(runs: &Runs, run: RunId, owner: &str, outcome: &Outcome) -> Result<Option<RunState>> {
    let natural = match (outcome.reason, outcome.exit_code) {
        (Some(Reason::ExitCode), Some(0)) => RunState::Done,
        _ => RunState::Failed,
    };
    let reason = outcome.reason.unwrap_or(Reason::Internal);
    let sql = "UPDATE runs SET state = CASE WHEN stop_at IS NULL THEN CAST($3 AS BIGINT) ELSE 5 END,
                   reason = CASE WHEN stop_at IS NULL THEN $4 ELSE $5 END,
                   detail = CASE WHEN stop_at IS NULL THEN $6 ELSE coalesce(detail, $19) END,
                   phase = 'ended', exit_code = $7, signal = $8, peak_memory_bytes = $9, cpu_ms = $10, log_bytes = $11,
                   log_sha256 = $12, log_truncated = $13, output_key = $14, output_bytes = $18, lease_owner = NULL,
                   started_at = coalesce(started_at, $16), sandbox = coalesce(sandbox, $17),
                   ended_at = CASE WHEN coalesce(started_at, $16) > $15 THEN coalesce(started_at, $16) ELSE $15 END
               WHERE id = $1 AND state = 2 AND lease_owner = $2 RETURNING state";
    let values = values![
        run.to_string(),
        owner,
        i64::from(u8::from(natural)),
        reason.as_str(),
        Reason::StoppedBy.as_str(),
        [&outcome.output_lost, &outcome.detail]
            .into_iter()
            .flatten()
            .cloned()
            .reduce(|lost, detail| lost + " " + &detail),
        outcome.exit_code,
        outcome.signal,
        outcome.peak_memory_bytes.map(stored),
        outcome.cpu_ms.map(stored),
        stored(outcome.log_bytes),
        outcome.log_sha256.clone(),
        outcome.log_truncated,
        outcome.output_key.clone(),
        runs.clock().now_ms(),
        outcome.started_at,
        outcome.sandbox.clone(),
        stored(outcome.output_bytes),
        outcome.output_lost.clone(),
    ];
    let rows = runs.tables().batch(vec![Statement::new(sql, values)]).await?;
    let Some(row) = rows.first().and_then(|rows| rows.first()) else { return Ok(None) };
    Ok(u8::try_from(row.int(0)?).ok().and_then(|number| RunState::try_from(number).ok()))
}

/// A count as the tables hold it.
pub(crate) fn stored(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn empty_log_has_the_hash_of_nothing() {
        assert_eq!(super::EMPTY_SHA256, hex::encode(Sha256::digest(b"")));
    }
}
