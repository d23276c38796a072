//! Rows of files: what is known of one file without its content.

use coderoom_backing::{
    tables::{Row, Statement, TablesError},
    values,
};
use coderoom_protocol::{
    ids::{FileId, TaskId},
    path::TaskPath,
    problem::WireError,
    tree::NodeKind,
};

use super::{Tasks, failed};

/// Columns of [`FileRow`], in the order in which [`FileRow::read`] expects them.
pub(super) const COLUMNS: &str = "id, task_id, path, kind, epoch, seq, size, blob_sha256";

/// One file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// The file.
    pub id: FileId,
    /// Its task.
    pub task: TaskId,
    /// Full path.
    pub path: String,
    /// Text or blob.
    pub kind: NodeKind,
    /// A document is (file, epoch).
    pub epoch: u64,
    /// Number of the last stored edit.
    pub seq: u64,
    /// Bytes of UTF-8 (for text an upper bound).
    pub size: u64,
    /// Content hash of a blob.
    pub blob_sha256: Option<String>,
}

impl FileRow {
    /// From a row of [`COLUMNS`].
    pub(super) fn read(row: &Row) -> Result<Self, TablesError> {
        Ok(Self {
            id: row.parse(0)?,
            task: row.parse(1)?,
            path: row.text(2)?.to_owned(),
            kind: kind(row.text(3)?),
            epoch: row.uint(4)?,
            seq: row.uint(5)?,
            size: row.uint(6)?,
            blob_sha256: row.opt_text(7)?.map(str::to_owned),
        })
    }
}

/// The word in the column `kind`.
pub(super) fn kind(word: &str) -> NodeKind {
    if word == "text" { NodeKind::Text } else { NodeKind::Blob }
}

/// Inserts a text file and seeds its document.
pub(super) fn insert_text(id: FileId, task: TaskId, path: &TaskPath, text: &str, at: i64) -> Vec<Statement> {
    let (seeds, seq) = crate::rooms::seed::statements(id, 1, text, at);
    let seq = i64::try_from(seq).unwrap_or_default();
    let mut statements = Vec::with_capacity(1 + seeds.len());
    statements.push(Statement::new(
        "INSERT INTO files (id, task_id, path, path_key, kind, epoch, seq, size, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, 'text', 1, $5, $6, $7, $7)",
        values![id.to_string(), task.to_string(), path.as_str(), path.key(), seq, text.len() as i64, at],
    ));
    statements.extend(seeds);
    statements
}

/// Inserts a blob whose object is stored.
pub(super) fn insert_blob(id: FileId, task: TaskId, path: &TaskPath, sha256: &str, size: u64, at: i64) -> Statement {
    Statement::new(
        "INSERT INTO files (id, task_id, path, path_key, kind, epoch, seq, size, blob_sha256, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, 'blob', 1, 0, $5, $6, $7, $7)",
        values![id.to_string(), task.to_string(), path.as_str(), path.key(), as_column(size), sha256, at],
    )
}

/// A size as a column holds it.
pub(super) fn as_column(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

impl Tasks {
    /// A file by its id, if it belongs to the task.
    pub async fn file(&self, task: TaskId, file: FileId) -> Result<Option<FileRow>, WireError> {
        let sql = format!("SELECT {COLUMNS} FROM files WHERE id = $1 AND task_id = $2");
        self.one_file(sql, values![file.to_string(), task.to_string()]).await
    }

    /// A file by its path, spelt as it is. A path that breaks a rule has no file.
    pub async fn file_at(&self, task: TaskId, path: &str) -> Result<Option<FileRow>, WireError> {
        let Ok(path) = TaskPath::parse(path) else { return Ok(None) };
        let sql = format!("SELECT {COLUMNS} FROM files WHERE task_id = $1 AND path_key = $2 AND path = $3");
        self.one_file(sql, values![task.to_string(), path.key(), path.as_str()]).await
    }

    async fn one_file(
        &self,
        sql: String,
        values: Vec<coderoom_backing::tables::Value>,
    ) -> Result<Option<FileRow>, WireError> {
        let row = self.tables.query_opt(sql, values).await.map_err(failed::tables("read a file's row"))?;
        row.map(|row| FileRow::read(&row)).transpose().map_err(failed::tables("read a file's row"))
    }

    /// All files below a folder (or the file itself, when `path` is one), ordered by path; all files for `""`.
    pub async fn files_below(&self, task: TaskId, path: &str) -> Result<Vec<FileRow>, WireError> {
        let step = "list files";
        let rows = if path.is_empty() {
            let sql = format!("SELECT {COLUMNS} FROM files WHERE task_id = $1 ORDER BY path");
            self.tables.query(sql, values![task.to_string()]).await
        } else {
            let path = super::parse_path(path)?;
            let (from, to) = super::layout::below(&path.key());
            let sql = format!(
                "SELECT {COLUMNS} FROM files WHERE task_id = $1 AND path_key = $2 AND path = $5 \
                 UNION ALL SELECT {COLUMNS} FROM files WHERE task_id = $1 AND path_key >= $3 AND path_key < $4 ORDER BY path"
            );
            self.tables.query(sql, values![task.to_string(), path.key(), from, to, path.as_str()]).await
        };
        let rows = rows.map_err(failed::tables(step))?;
        let mut files = rows.iter().map(FileRow::read).collect::<Result<Vec<_>, _>>().map_err(failed::tables(step))?;
        if !path.is_empty() {
            // The keys are folded: a folder spelt otherwise is another folder, which is not there.
            let folder = super::parse_path(path)?;
            files.retain(|file| file.path == folder.as_str() || is_below(&file.path, folder.as_str()));
        }
        Ok(files)
    }
}

/// Whether `path` lies in `folder` at any depth.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
