//! Makes a task with its language's default files, and changes its name and remarks.

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    ids::{FileId, TaskId},
    problem::{ErrorCode, WireError},
    role::Role,
    task::{NewTask, TaskChange},
};
use coderoom_worker::{announce::TaskEvent, language};
use unicode_normalization::UnicodeNormalization;

use super::{MAX_NAME_CHARS, MAX_REMARKS_CHARS, Tasks, failed, files, no_such_task, parse_path, to_its_end};
use crate::people::Identity;

impl Tasks {
    /// Makes a task: its row, its creator as owner, and the default files of its language, seeded, in one transaction.
    /// Fails with `invalid` when the name or the remarks break a rule.
    pub async fn create(&self, by: &Identity, new: &NewTask) -> Result<TaskId, WireError> {
        let name = valid_name(&new.name)?;
        let remarks = valid_remarks(&new.remarks)?;
        let (task, at) = (TaskId::new(), self.clock.now_ms());
        let main_path = language::default_main(new.language);
        let mut main = None;
        let mut seeds = Vec::new();
        for (path, text) in language::default_files(new.language) {
            let file = FileId::new();
            if path == main_path {
                main = Some(file.to_string());
            }
            seeds.extend(files::insert_text(file, task, &parse_path(path)?, text, at));
        }
        let user = by.user.to_string();
        let mut statements = vec![
            Statement::new(
                "INSERT INTO tasks (id, name, language, remarks, revision, main_file, search_key, created_by, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $8)",
                values![
                    task.to_string(),
                    name.as_str(),
                    new.language.as_str(),
                    remarks.as_str(),
                    main,
                    search_key(&name, &remarks),
                    user.as_str(),
                    at
                ],
            ),
            Statement::new(
                "INSERT INTO members (task_id, user_id, role) VALUES ($1, $2, $3)",
                values![task.to_string(), user.as_str(), Role::Owner.as_str()],
            ),
        ];
        statements.extend(seeds);
        self.tables.batch(statements).await.map_err(failed::tables("create a task"))?;
        Ok(task)
    }

    /// Changes name or remarks. Fails with `invalid` or `not_found`.
    pub async fn update(&self, task: TaskId, change: &TaskChange) -> Result<(), WireError> {
        let name = change.name.as_deref().map(valid_name).transpose()?;
        let remarks = change.remarks.as_deref().map(valid_remarks).transpose()?;
        let tasks = self.clone();
        to_its_end(async move {
            let step = "update a task";
            let mut tx = tasks.tables.begin().await.map_err(failed::tables(step))?;
            let row = tx
                .query_opt(
                    "UPDATE tasks SET name = COALESCE($2, name), remarks = COALESCE($3, remarks), updated_at = $4 \
                     WHERE id = $1 AND import_of IS NULL RETURNING name, remarks",
                    values![task.to_string(), name, remarks, tasks.clock.now_ms()],
                )
                .await
                .map_err(failed::tables(step))?
                .ok_or_else(no_such_task)?;
            let key =
                search_key(row.text(0).map_err(failed::tables(step))?, row.text(1).map_err(failed::tables(step))?);
            tx.execute("UPDATE tasks SET search_key = $2 WHERE id = $1", values![task.to_string(), key])
                .await
                .map_err(failed::tables(step))?;
            tx.commit().await.map_err(failed::tables(step))?;
            tasks.announce(task, &TaskEvent::Task {}).await;
            Ok(())
        })
        .await
    }
}

/// How names and remarks are searched: normal form C and lower case, as the words to search for.
pub(super) fn search_key(name: &str, remarks: &str) -> String {
    format!("{name}\n{remarks}").nfc().collect::<String>().to_lowercase()
}

fn valid_name(name: &str) -> Result<String, WireError> {
    let name: String = name.trim().nfc().collect();
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(WireError::new(
            ErrorCode::Invalid,
            format!(
                "The name must have 1 to {MAX_NAME_CHARS} characters on one line; this has {chars}, or a control character among them."
            ),
        ));
    }
    Ok(name)
}

fn valid_remarks(remarks: &str) -> Result<String, WireError> {
    let chars = remarks.chars().count();
    if chars > MAX_REMARKS_CHARS || remarks.contains('\0') {
        return Err(WireError::new(
            ErrorCode::Invalid,
            format!(
                "The remarks may have {MAX_REMARKS_CHARS} characters and no NUL; these have {chars}. Shorten them, or put them into a file."
            ),
        ));
    }
    Ok(remarks.to_owned())
}
