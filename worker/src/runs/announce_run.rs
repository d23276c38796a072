//! Telling the room that a run changed. An announcement is a hint: it may be lost. One process announces a run once at a
//! time and reads it anew each time, so that a room never hears it go back.

use std::collections::HashMap;

use coderoom_backing::values;
use coderoom_protocol::{
    ids::RunId,
    run::{Run, RunState},
};

use super::Runs;
use crate::{
    announce::{LINE_TOPIC, TaskEvent, task_topic},
    fault::Result,
};

impl Runs {
    /// Reads the run and tells its task's room; gives it. `None`: it is gone.
    pub(crate) async fn announce(&self, run: RunId) -> Result<Option<Run>> {
        let _turn = self.turn(run).await;
        let record = self.get_inner(run).await?;
        if let Some(record) = &record {
            self.publish_run(record).await;
        }
        Ok(record)
    }

    /// The same where a failure is only worth a line in the log.
    pub(crate) async fn announce_or_log(&self, run: RunId) {
        if let Err(cause) = self.announce(run).await {
            tracing::warn!(run.id = %run, %cause, "a change of a run was not announced");
        }
    }

    async fn publish_run(&self, run: &Run) {
        let event = TaskEvent::Run { run: Box::new(run.clone()) };
        let Ok(json) = serde_json::to_vec(&event) else { return };
        if let Err(cause) = self.bus().publish(&task_topic(run.task), json.into()).await {
            tracing::warn!(run.id = %run.id, %cause, "a change of a run was not announced");
        }
    }

    /// Tells the place of a run that was just seen waiting, unless it waits no more.
    async fn announce_place(&self, run: &Run) -> Result<()> {
        let _turn = self.turn(run.id).await;
        let sql = "SELECT 1 FROM runs WHERE id = $1 AND state = 1";
        if self.tables().query_opt(sql, values![run.id.to_string()]).await?.is_some() {
            self.publish_run(run).await;
        }
        Ok(())
    }

    /// Announces every waiting run whose place is another than in `told`, and remembers it there.
    pub(crate) async fn announce_places(&self, told: &mut HashMap<RunId, u32>) -> Result<()> {
        let line = self.line().await?;
        if line.iter().any(|(run, place)| told.get(run) != Some(place)) {
            for run in self.waiting_runs().await? {
                let moved = told.get(&run.id) != run.queue_position.as_ref();
                if moved && run.queue_position.is_some() {
                    self.announce_place(&run).await?;
                }
            }
        }
        *told = line;
        Ok(())
    }

    /// Says that the line moved, so that an engine tells those who wait. `state` is where a run just went.
    pub(crate) async fn announce_line(&self, state: RunState) {
        let message = vec![b'0' + u8::from(state)];
        if let Err(cause) = self.bus().publish(LINE_TOPIC, message.into()).await {
            tracing::debug!(%cause, "a move of the line was not announced");
        }
    }
}
