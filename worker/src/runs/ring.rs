//! Ringing the doorbell for what lies in the outbox. What cannot be rung now stays there for the reconciler.

use bytes::Bytes;
use coderoom_backing::values;
use coderoom_protocol::ids::RunId;

use super::Runs;
use crate::fault::Result;

impl Runs {
    /// Rings in the background, so that nobody waits for a broker.
    pub(crate) fn ring_soon(&self, run: RunId) {
        let runs = self.clone();
        tokio::spawn(async move {
            if let Err(cause) = runs.ring(run).await {
                tracing::warn!(run.id = %run, %cause, "the doorbell of a run could not be rung; it is tried again");
            }
        });
    }

    /// Rings for a run and clears it from the outbox.
    pub(crate) async fn ring(&self, run: RunId) -> Result<()> {
        self.queue().ring(Bytes::from(run.to_string())).await?;
        self.tables().execute("DELETE FROM outbox WHERE run_id = $1", values![run.to_string()]).await?;
        Ok(())
    }

    /// Runs whose doorbell lies in the outbox, oldest first, at most 500.
    pub(crate) async fn outbox(&self) -> Result<Vec<RunId>> {
        let sql = "SELECT run_id FROM outbox ORDER BY created_at LIMIT 500";
        let rows = self.tables().query(sql, values![]).await?;
        rows.iter().map(|row| Ok(row.parse(0)?)).collect()
    }
}
