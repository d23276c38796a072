//! Stopping: a queued run at once, a running one by a wish in its row and a word on the bus.

use bytes::Bytes;
use coderoom_backing::values;
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
        let stopped = self.stop_inner(run, by, None).await?;
        stopped.ok_or_else(|| WireError::new(ErrorCode::NotFound, "There is no such run."))
    }

    /// Ends all runs of a user that wait or run, as [`Runs::stop`] does, with a sentence about why. Gives those it ended or
    /// told to end.
    ///
    /// # Errors
    /// `unavailable`: some may go on; asking again ends them.
    pub async fn stop_all_of(&self, user: UserId, by: UserId, why: &str) -> std::result::Result<Vec<Run>, WireError> {
        Ok(self.stop_all_inner(user, by, why).await?)
    }

    async fn stop_all_inner(&self, user: UserId, by: UserId, why: &str) -> Result<Vec<Run>> {
        let sql = "SELECT id FROM runs WHERE user_id = $1 AND state IN (1, 2) ORDER BY submitted_at, id";
        let mut stopped = Vec::new();
        for row in self.tables().query(sql, values![user.to_string()]).await? {
            stopped.extend(self.stop_inner(row.parse(0)?, by, Some(why)).await?);
        }
        Ok(stopped)
    }

    async fn stop_inner(&self, run: RunId, by: UserId, why: Option<&str>) -> Result<Option<Run>> {
        match self.get_inner(run).await? {
            Some(record) if !record.state.is_final() => {}
            other => return Ok(other),
        }
        let stopped = moves::stop(self, run, by, why).await?;
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
