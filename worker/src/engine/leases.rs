//! Keeping the leases of all own runs, and learning from their rows what their drivers must know.

use std::{collections::HashSet, sync::Arc};

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{ids::RunId, run::RunState};
use tokio::time::{Instant, timeout};

use super::{Shared, driven::Sign};
use crate::fault::Result;

/// Renews and looks until it is dropped.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut renewed_at = Instant::now();
    loop {
        let _ = timeout(shared.settings.stop_check, shared.check.notified()).await;
        if shared.driven.len() == 0 {
            renewed_at = Instant::now();
            continue;
        }
        if let Err(cause) = check(&shared).await {
            tracing::warn!(%cause, "rows of running runs could not be read; trying again");
        }
        if renewed_at.elapsed() >= shared.settings.renew {
            match renew(&shared).await {
                Ok(()) => renewed_at = Instant::now(),
                Err(cause) => tracing::warn!(%cause, "leases could not be renewed; trying again"),
            }
        }
    }
}

async fn renew(shared: &Shared) -> Result<()> {
    let sql = "UPDATE runs SET lease_beat = lease_beat + 1 WHERE state = 2 AND lease_owner = $1";
    let owner = shared.settings.owner.as_str();
    shared.runs.tables().batch(vec![Statement::new(sql, values![owner])]).await?;
    Ok(())
}

async fn check(shared: &Shared) -> Result<()> {
    // Asked before the rows are read: a run that joins in between is not mistaken for one without a row.
    let driven = shared.driven.runs();
    let sql = "SELECT id, stop_at FROM runs WHERE state = 2 AND lease_owner = $1";
    let rows = shared.runs.tables().query(sql, values![shared.settings.owner.as_str()]).await?;
    let mut own: HashSet<RunId> = HashSet::with_capacity(rows.len());
    for row in &rows {
        let run = row.parse(0)?;
        own.insert(run);
        if row.opt_int(1)?.is_some() {
            shared.driven.tell(run, Sign::Stop);
        }
    }
    for run in driven.into_iter().filter(|run| !own.contains(run)) {
        let sql = "SELECT state FROM runs WHERE id = $1";
        match shared.runs.tables().query_opt(sql, values![run.to_string()]).await? {
            None => shared.driven.tell(run, Sign::Gone),
            Some(row) if row.int(0)? == i64::from(u8::from(RunState::Running)) => shared.driven.tell(run, Sign::Lost),
            // It has ended, and its driver is putting things away.
            Some(_) => {}
        }
    }
    Ok(())
}
