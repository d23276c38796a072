//! Letting go of a run that goes on: its output up to now is stored, and nobody owns it.

use std::time::Duration;

use coderoom_backing::values;
use coderoom_protocol::ids::RunId;

use super::{Shared, drive::Log};

/// How long the last output may take to be stored; what is not stays in the supervisor's spool.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn detach(shared: &Shared, run: RunId, log: Log) {
    match tokio::time::timeout(PATIENCE, log.leave()).await {
        Ok(Ok(_)) => {}
        Ok(Err(cause)) => {
            tracing::warn!(run.id = %run, %cause, "the log of a run was left incomplete for the next engine")
        }
        Err(_) => {
            tracing::warn!(run.id = %run, "the log of a run could not be stored in time; the next engine goes on")
        }
    }
    let sql = "UPDATE runs SET lease_owner = NULL WHERE id = $1 AND state = 2 AND lease_owner = $2";
    let values = values![run.to_string(), shared.settings.owner.as_str()];
    if let Err(cause) = shared.runs.tables().execute(sql, values).await {
        tracing::warn!(run.id = %run, %cause, "a lease was not given back; it ends by itself");
    }
}
