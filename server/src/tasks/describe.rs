//! Says what a task is: in a line, and as a whole.

use coderoom_backing::values;
use coderoom_protocol::{
    control::{Language, TaskSummary, UserSummary},
    ids::TaskId,
    problem::WireError,
    role::Role,
    run::Run,
    task::TaskDetail,
};

use super::{Tasks, failed, no_such_task};

impl Tasks {
    /// Name and language; `None` when there is no such task.
    pub async fn summary(&self, task: TaskId) -> Result<Option<TaskSummary>, WireError> {
        let step = "read a task";
        let sql = "SELECT name, language FROM tasks WHERE id = $1 AND import_of IS NULL";
        let row = self.tables.query_opt(sql, values![task.to_string()]).await.map_err(failed::tables(step))?;
        let Some(row) = row else { return Ok(None) };
        let name = row.text(0).map_err(failed::tables(step))?.to_owned();
        Ok(Some(TaskSummary { id: task, name, language: read_language(row.text(1).map_err(failed::tables(step))?)? }))
    }

    /// The whole task as somebody with `role` sees it; the caller knows its newest run. Fails with `not_found`.
    pub async fn detail(&self, task: TaskId, role: Role, newest_run: Option<Run>) -> Result<TaskDetail, WireError> {
        let sql = "SELECT t.name, t.language, t.remarks, t.main_file, f.path, t.revision, \
             (SELECT COUNT(*) FROM files x WHERE x.task_id = t.id), \
             (SELECT CAST(COALESCE(SUM(x.size), 0) AS BIGINT) FROM files x WHERE x.task_id = t.id), \
             u.id, u.name, t.created_at, t.updated_at \
             FROM tasks t LEFT JOIN files f ON f.id = t.main_file LEFT JOIN users u ON u.id = t.created_by \
             WHERE t.id = $1 AND t.import_of IS NULL";
        let step = "read a task";
        let row = self.tables.query_opt(sql, values![task.to_string()]).await.map_err(failed::tables(step))?;
        let row = row.ok_or_else(no_such_task)?;
        let language = read_language(row.text(1).map_err(failed::tables(step))?)?;
        let read = || {
            Ok(TaskDetail {
                id: task,
                name: row.text(0)?.to_owned(),
                language,
                remarks: row.text(2)?.to_owned(),
                role,
                main: row.opt_parse(3)?,
                main_path: row.opt_text(4)?.map(str::to_owned),
                revision: row.uint(5)?,
                files: row.uint(6)?,
                bytes: row.uint(7)?,
                max_bytes: self.settings.max_task_bytes,
                max_files: self.settings.max_files,
                max_text_bytes: self.settings.max_text_bytes,
                newest_run: newest_run.map(Box::new),
                created_by: match (row.opt_parse(8)?, row.opt_text(9)?) {
                    (Some(id), Some(name)) => Some(UserSummary { id, name: name.to_owned() }),
                    _ => None,
                },
                created_at: row.int(10)?,
                updated_at: row.int(11)?,
            })
        };
        read().map_err(failed::tables(step))
    }
}

/// The language in a row.
pub(super) fn read_language(word: &str) -> Result<Language, WireError> {
    Language::parse(word).ok_or_else(|| failed::internal("read a task's language")(word))
}
