//! Dead letters: doorbells that nobody answered. Such a run may only fail, and only if it still waits; a letter for a run
//! that runs, has ended or is gone changes nothing, however often it comes.

use std::{sync::Arc, time::Duration};

use coderoom_backing::queue::{DeadLetter, DeadReason};
use coderoom_protocol::{ids::RunId, run::Reason};
use tokio::time::sleep;

use super::{Shared, work::run_of};
use crate::{fault::Result, moves, reconcile::words};

/// How long it rests when the queue or the tables do not answer.
const REST: Duration = Duration::from_secs(2);

/// Takes dead letters until it is dropped. All engines do it; each letter goes to one of them.
pub(super) async fn bury(shared: Arc<Shared>) {
    loop {
        match shared.runs.queue().next_dead().await {
            Ok(letter) => {
                // Kept in hand while the tables are away: each return would count against it.
                while let Err(cause) = read(&shared, &letter).await {
                    tracing::warn!(%cause, "a dead letter could not be dealt with; trying again");
                    sleep(REST).await;
                }
                if let Err(cause) = letter.ack().await {
                    tracing::debug!(%cause, "a dead letter was not acknowledged; it comes again");
                }
            }
            Err(cause) => {
                tracing::debug!(%cause, "dead letters cannot be had; trying again");
                sleep(REST).await;
            }
        }
    }
}

async fn read(shared: &Shared, letter: &DeadLetter) -> Result<()> {
    metrics::counter!("coderoom_doorbells_dead_total").increment(1);
    let Some(run) = run_of(letter.message()) else {
        tracing::warn!(bytes = letter.message().len(), "a doorbell that names no run was dropped");
        return Ok(());
    };
    let ended = match letter.reason() {
        DeadReason::Expired => {
            let waited = Duration::from_millis(shared.runs.settings().max_wait_ms);
            end(shared, run, Reason::WaitedTooLong, format!("It waited {}.", words(waited))).await?
        }
        DeadReason::DeliveredTooOften => {
            let detail = "Every worker that was to take it broke before it did.".to_owned();
            end(shared, run, Reason::Internal, detail).await?
        }
        // Nothing is known against the run; if it waits it is rung for again.
        DeadReason::Refused | DeadReason::Other => false,
    };
    tracing::info!(run.id = %run, reason = ?letter.reason(), ended, "a doorbell came back as a dead letter");
    Ok(())
}

async fn end(shared: &Shared, run: RunId, reason: Reason, detail: String) -> Result<bool> {
    moves::end_waiting(&shared.runs, run, reason, detail).await
}
