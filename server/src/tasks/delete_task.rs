//! Deletes a task with everything in it. What it leaves in object storage is noted for the sweep.

use coderoom_backing::{
    tables::{Sql, Statement},
    values,
};
use coderoom_protocol::{ids::TaskId, problem::WireError};
use coderoom_worker::announce::TaskEvent;

use super::{Tasks, failed, no_such_task, to_its_end};

impl Tasks {
    /// Deletes the rows of the task: files, documents, members, runs. Everybody in its room is told. The caller has
    /// stopped its runs. Fails with `not_found`.
    pub async fn delete(&self, task: TaskId) -> Result<(), WireError> {
        let tasks = self.clone();
        to_its_end(async move {
            let id = task.to_string();
            let at = tasks.clock.now_ms();
            let answers = tasks
                .tables
                .batch(vec![
                    // In the order in which the group commit locks files, so that neither waits for what the other has.
                    Statement::new(
                        Sql {
                            sqlite: "SELECT 1 WHERE $1 = '' LIMIT 0".into(),
                            postgres: "SELECT 1 FROM files WHERE task_id = $1 ORDER BY id FOR UPDATE".into(),
                        },
                        values![id.as_str()],
                    ),
                    Statement::new(
                        "INSERT INTO run_remains (run_id, at) SELECT id, $2 FROM runs WHERE task_id = $1 \
                         ON CONFLICT (run_id) DO NOTHING",
                        values![id.as_str(), at],
                    ),
                    Statement::new(
                        "INSERT INTO task_remains (task_id, at) SELECT id, $2 FROM tasks WHERE id = $1 \
                         ON CONFLICT (task_id) DO NOTHING",
                        values![id.as_str(), at],
                    ),
                    // They count as the maker's until the sweep has removed them.
                    Statement::new(
                        "UPDATE blob_claims SET at = $2, maker = (SELECT created_by FROM tasks WHERE id = $1) \
                         WHERE task_id = $1",
                        values![id.as_str(), at],
                    ),
                    Statement::new(
                        "DELETE FROM tasks WHERE id = $1 AND import_of IS NULL RETURNING id",
                        values![id.as_str()],
                    ),
                ])
                .await
                .map_err(failed::tables("delete a task"))?;
            if answers.last().is_none_or(Vec::is_empty) {
                return Err(no_such_task());
            }
            tasks.announce(task, &TaskEvent::Deleted {}).await;
            Ok(())
        })
        .await
    }
}
