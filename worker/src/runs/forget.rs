//! Forgetting the runs of a task that is being deleted: rows first, so that nothing can start any more, then objects.

use bytes::Bytes;
use coderoom_backing::values;
use coderoom_protocol::{
    ids::{RunId, TaskId},
    problem::WireError,
    run::RunState,
};

use super::Runs;
use crate::{
    announce::{log_stream, stop_topic},
    fault::Result,
};

impl Runs {
    /// Removes all runs of a task with logs and outputs; running ones are killed by the engine that has them.
    /// Call it before or after the task's own row goes. Calling it again after a failure finishes the work.
    ///
    /// # Errors
    /// `unavailable`: some of it may be left.
    pub async fn forget_task(&self, task: TaskId) -> std::result::Result<(), WireError> {
        Ok(self.forget_inner(task).await?)
    }

    async fn forget_inner(&self, task: TaskId) -> Result<()> {
        let rows =
            self.tables().query("SELECT id, state FROM runs WHERE task_id = $1", values![task.to_string()]).await?;
        self.tables().execute("DELETE FROM runs WHERE task_id = $1", values![task.to_string()]).await?;
        for row in &rows {
            let run: RunId = row.parse(0)?;
            if row.int(1)? == i64::from(u8::from(RunState::Running)) {
                self.bus().publish(&stop_topic(run), Bytes::from_static(b"gone")).await?;
            }
            for object in self.objects().list(&format!("runs/{run}/")).await? {
                self.objects().delete(&object.key).await?;
            }
            self.bus().remove(&log_stream(run)).await?;
        }
        self.announce_line(RunState::Stopped).await;
        Ok(())
    }
}
