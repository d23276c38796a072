//! Forgetting the runs of a task that is being deleted: rows first, so that nothing can start any more, then objects.

use bytes::Bytes;
use coderoom_backing::{tables::Statement, values};
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
    /// Call it before or after the task's own row goes.
    ///
    /// # Errors
    /// `unavailable`: calling again may find more to remove. What is left of runs whose rows are gone the sweep removes.
    pub async fn forget_task(&self, task: TaskId) -> std::result::Result<(), WireError> {
        Ok(self.forget_inner(task).await?)
    }

    async fn forget_inner(&self, task: TaskId) -> Result<()> {
        let (task, at) = (task.to_string(), self.clock().now_ms());
        // Noted for the sweep in the same step: an engine may write on for a moment, and this may not come to its end.
        let note = Statement::new(
            "INSERT INTO run_remains (run_id, at) SELECT id, $2 FROM runs WHERE task_id = $1
             ON CONFLICT (run_id) DO NOTHING",
            values![task.as_str(), at],
        );
        // A run submitted between the two statements goes with its task.
        let delete = Statement::new(
            "DELETE FROM runs WHERE task_id = $1 AND id IN (SELECT run_id FROM run_remains) RETURNING id, state",
            values![task.as_str()],
        );
        let rows = self.tables().batch(vec![note, delete]).await?.pop().unwrap_or_default();
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
