//! Stopping: a queued run at once, a running one by a wish in its row and a word on the bus.

use bytes::Bytes;
use coderoom_protocol::{
    ids::{RunId, UserId},
    problem::{ErrorCode, WireError},
    run::{Run, RunState},
};

use super::Runs;
use crate::{announce::stop_topic, fault::Result, moves};

impl Runs {
    /// Ends a run for `by`. A queued run is stopped on return; a running one is told to end, and its end is announced.
    /// Asking twice changes nothing; a finished run is given back as it is.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn stop(&self, run: RunId, by: UserId) -> std::result::Result<Run, WireError> {
        self.stop_inner(run, by).await?.ok_or_else(|| WireError::new(ErrorCode::NotFound, "There is no such run."))
    }

    async fn stop_inner(&self, run: RunId, by: UserId) -> Result<Option<Run>> {
        match self.get_inner(run).await? {
            Some(record) if !record.state.is_final() => {}
            other => return Ok(other),
        }
        let stopped = moves::stop(self, run, by).await?;
        // Told before the engine hears of it, which may announce the end from another process a moment later.
        let record = self.announce(run).await;
        if stopped == moves::Stop::Asked {
            // The engine that has it also reads the row, so a lost word only costs a moment.
            if let Err(cause) = self.bus().publish(&stop_topic(run), Bytes::from_static(b"stop")).await {
                tracing::warn!(run.id = %run, %cause, "a wish to stop was not announced; it is in the row");
            }
        }
        if stopped == moves::Stop::Done {
            self.announce_log_end(run).await;
            self.announce_line(RunState::Stopped).await;
        }
        record
    }
}
