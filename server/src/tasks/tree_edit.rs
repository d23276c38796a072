//! One change of a task's tree: a transaction that holds the task's row from its first statement, so that changes of
//! one task come one after the other, and that is announced once it is committed.

use coderoom_backing::{
    tables::{Row, Sql, Statement, TablesError, Tx},
    values,
};
use coderoom_protocol::{
    control::TreeChanged,
    ids::{FileId, TaskId},
    path::TaskPath,
    problem::{ErrorCode, WireError},
    tree::TreeChange,
};

use super::{
    Tasks, announce, failed,
    files::{self, FileRow},
    layout::{self, Layout},
    no_such_task,
};

/// Changes that a reply lists: a folder of 50,000 files must not make one of 6 MB.
const CHANGES_PER_REPLY: usize = 1_000;

/// An open change. Dropping it changes nothing.
pub(super) struct TreeEdit {
    tasks: Tasks,
    pub(super) task: TaskId,
    by: String,
    pub(super) tx: Tx,
    /// Revision before the change.
    before: u64,
    /// The main file, as this change leaves it.
    pub(super) main: Option<FileId>,
    /// Milliseconds since the Unix epoch.
    pub(super) at: i64,
    /// What it did so far, in order.
    pub(super) changes: Vec<TreeChange>,
}

/// What a path means in a task.
pub(super) enum Found {
    /// It is a file.
    File(FileRow),
    /// It is a folder with these files, ordered by key.
    Folder(Vec<FileRow>),
}

impl TreeEdit {
    /// Begins; fails with `not_found` when the task is gone.
    pub(super) async fn begin(tasks: &Tasks, task: TaskId, by: &str) -> Result<Self, WireError> {
        let at = tasks.clock.now_ms();
        let mut tx = tasks.tables.begin().await.map_err(storing)?;
        let row = tx
            .query_opt(
                "UPDATE tasks SET updated_at = $2 WHERE id = $1 AND import_of IS NULL RETURNING revision, main_file",
                values![task.to_string(), at],
            )
            .await
            .map_err(storing)?
            .ok_or_else(no_such_task)?;
        let before = row.uint(0).map_err(storing)?;
        let main = row.opt_parse(1).map_err(storing)?;
        Ok(Self { tasks: tasks.clone(), task, by: by.to_owned(), tx, before, main, at, changes: Vec::new() })
    }

    /// Opens the task only to look, without holding anybody up; must not be finished.
    pub(super) async fn look(tasks: &Tasks, task: TaskId) -> Result<Self, WireError> {
        let mut tx = tasks.tables.begin_read().await.map_err(storing)?;
        let row = tx
            .query_opt(
                "SELECT revision, main_file FROM tasks WHERE id = $1 AND import_of IS NULL",
                values![task.to_string()],
            )
            .await
            .map_err(storing)?
            .ok_or_else(no_such_task)?;
        let before = row.uint(0).map_err(storing)?;
        let main = row.opt_parse(1).map_err(storing)?;
        Ok(Self { tasks: tasks.clone(), task, by: String::new(), tx, before, main, at: 0, changes: Vec::new() })
    }

    /// The revision before the change.
    pub(super) fn revision(&self) -> u64 {
        self.before
    }

    /// Commits and announces. A change that did nothing leaves the revision as it was.
    pub(super) async fn finish(mut self) -> Result<TreeChanged, WireError> {
        if self.changes.is_empty() {
            return Ok(TreeChanged { revision: self.before, changes: self.changes, omitted: 0 });
        }
        let revision = self.before + announce::revisions_for(self.changes.len());
        self.tx
            .execute(
                "UPDATE tasks SET revision = $2, main_file = $3 WHERE id = $1",
                values![self.task.to_string(), files::as_column(revision), self.main.map(|file| file.to_string())],
            )
            .await
            .map_err(storing)?;
        self.tx.commit().await.map_err(storing)?;
        self.tasks.announce_changes(self.task, self.before, &self.changes, &self.by).await;
        let omitted = self.changes.len().saturating_sub(CHANGES_PER_REPLY);
        self.changes.truncate(CHANGES_PER_REPLY);
        Ok(TreeChanged { revision, changes: self.changes, omitted: omitted as u64 })
    }

    /// Number of files and their bytes together.
    pub(super) async fn usage(&mut self) -> Result<(u64, u64), WireError> {
        let row = self
            .tx
            .query_opt(
                "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE task_id = $1",
                values![self.task.to_string()],
            )
            .await
            .map_err(storing)?;
        let Some(row) = row else { return Ok((0, 0)) };
        Ok((row.uint(0).map_err(storing)?, row.uint(1).map_err(storing)?))
    }

    /// Refuses what would make the task too large: `files` and `bytes` come, `freed` bytes go.
    pub(super) async fn check_room(&mut self, files: u64, bytes: u64, freed: u64) -> Result<(), WireError> {
        self.check_room_after(0, freed, files, bytes).await
    }

    /// The same when files go as well.
    pub(super) async fn check_room_after(
        &mut self,
        files_gone: u64,
        bytes_gone: u64,
        files: u64,
        bytes: u64,
    ) -> Result<(), WireError> {
        let (have_files, have_bytes) = self.usage().await?;
        self.tasks.settings.check_files(have_files.saturating_sub(files_gone), files)?;
        self.tasks.settings.check_bytes(have_bytes.saturating_sub(bytes_gone), bytes)
    }

    /// As much of the task's layout as decides whether a file may be made at `path`.
    pub(super) async fn layout_around(&mut self, path: &TaskPath) -> Result<Layout, WireError> {
        let key = path.key();
        let task = self.task.to_string();
        let exact = |key: &str| {
            Statement::new(
                "SELECT path, path_key FROM files WHERE task_id = $1 AND path_key = $2",
                values![task.as_str(), key],
            )
        };
        // One file below each folder tells how the folder is spelt.
        let any_below = |key: &str| {
            let (from, to) = layout::below(key);
            Statement::new(
                "SELECT path, path_key FROM files WHERE task_id = $1 AND path_key >= $2 AND path_key < $3 ORDER BY path_key LIMIT 1",
                values![task.as_str(), from, to],
            )
        };
        let mut statements = vec![exact(&key), any_below(&key)];
        for (_, folder_key) in layout::folders(path.as_str(), &key) {
            statements.extend([exact(folder_key), any_below(folder_key)]);
        }
        let rows = self.tx.batch(statements).await.map_err(storing)?;
        layout_of(rows.iter().flatten())
    }

    /// All files with their keys.
    pub(super) async fn all_files(&mut self) -> Result<Vec<(String, FileRow)>, WireError> {
        let sql = format!("SELECT {}, path_key FROM files WHERE task_id = $1", files::COLUMNS);
        let rows = self.tx.query(sql, values![self.task.to_string()]).await.map_err(storing)?;
        let read = |row: &Row| Ok((row.text(8)?.to_owned(), FileRow::read(row)?));
        rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(storing)
    }

    /// The file at a path, spelt as it is.
    pub(super) async fn file_at(&mut self, path: &TaskPath) -> Result<Option<FileRow>, WireError> {
        let sql = format!("SELECT {} FROM files WHERE task_id = $1 AND path_key = $2", files::COLUMNS);
        let row = self.tx.query_opt(sql, values![self.task.to_string(), path.key()]).await.map_err(storing)?;
        let file = row.map(|row| FileRow::read(&row)).transpose().map_err(storing)?;
        Ok(file.filter(|file| file.path == path.as_str()))
    }

    /// The file or folder at a path, spelt as it is; fails with `not_found`.
    pub(super) async fn find(&mut self, path: &TaskPath) -> Result<Found, WireError> {
        if let Some(file) = self.file_at(path).await? {
            return Ok(Found::File(file));
        }
        let (from, to) = layout::below(&path.key());
        let sql = format!(
            "SELECT {} FROM files WHERE task_id = $1 AND path_key >= $2 AND path_key < $3 ORDER BY path_key",
            files::COLUMNS
        );
        let rows = self.tx.query(sql, values![self.task.to_string(), from, to]).await.map_err(storing)?;
        let found = rows.iter().map(FileRow::read).collect::<Result<Vec<_>, _>>().map_err(storing)?;
        match found.first() {
            Some(first) if files::is_below(&first.path, path.as_str()) => Ok(Found::Folder(found)),
            _ => Err(super::nothing_at(path.as_str())),
        }
    }

    /// Locks all files below a folder in the order in which the group commit locks files, so that neither ever waits for
    /// what the other has. (The one writer of SQLite needs no locks.)
    pub(super) async fn lock_below(&mut self, path: &TaskPath) -> Result<(), WireError> {
        let (from, to) = layout::below(&path.key());
        let lock = Sql {
            sqlite: "SELECT 1 WHERE $1 = $2 AND $2 = $3 LIMIT 0".into(),
            postgres:
                "SELECT 1 FROM files WHERE task_id = $1 AND path_key >= $2 AND path_key < $3 ORDER BY id FOR UPDATE"
                    .into(),
        };
        self.tx.query(lock, values![self.task.to_string(), from, to]).await.map_err(storing).map(drop)
    }

    /// Makes the file at `path` main; fails unless it is a text file. Nothing happens when it is main already.
    pub(super) async fn choose_main(&mut self, path: &TaskPath) -> Result<(), WireError> {
        let file = self.file_at(path).await?.ok_or_else(|| super::nothing_at(path.as_str()))?;
        if file.kind != coderoom_protocol::tree::NodeKind::Text {
            return Err(WireError::new(
                ErrorCode::NotText,
                format!("`{}` is not a text file, so it cannot be main. Choose a text file.", file.path),
            ));
        }
        if self.main != Some(file.id) {
            self.main = Some(file.id);
            self.changes.push(TreeChange::Main { file: file.id, path: file.path });
        }
        Ok(())
    }

    /// Runs statements of the change.
    pub(super) async fn run(&mut self, statements: Vec<Statement>) -> Result<(), WireError> {
        self.tx.batch(statements).await.map_err(storing)?;
        Ok(())
    }

    /// Lets go of the blobs of files that are about to be deleted or replaced: from now on they count as storage of who made
    /// the task, until the sweep removes them or a file has them again.
    pub(super) async fn let_go_of_blobs(&mut self, files: &[FileRow]) -> Result<(), WireError> {
        let statements: Vec<_> = files
            .iter()
            .filter_map(|file| Some((file.blob_sha256.as_deref()?, file.size)))
            .map(|(sha256, size)| {
                Statement::new(
                    "UPDATE blob_claims SET at = $3, size = $4, maker = (SELECT created_by FROM tasks WHERE id = $2) \
                     WHERE sha256 = $1 AND task_id = $2",
                    values![sha256, self.task.to_string(), self.at, files::as_column(size)],
                )
            })
            .collect();
        if statements.is_empty() { Ok(()) } else { self.run(statements).await }
    }
}

/// From rows of path and key.
pub(super) fn layout_of<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<Layout, WireError> {
    let mut layout = Layout::default();
    for row in rows {
        layout.add(row.text(0).map_err(storing)?, row.text(1).map_err(storing)?);
    }
    Ok(layout)
}

/// What is said when a statement of a change fails.
pub(super) fn storing(error: TablesError) -> WireError {
    failed::tables("change the tree")(error)
}
