//! The text of stored documents, computed from snapshots and edits inside one reading transaction:
//! for submit, HTTP downloads and zips. Needs no open room.

use std::collections::HashMap;

use coderoom_backing::{
    tables::{Row, Statement, Tables, TablesError, Tx},
    values,
};
use coderoom_protocol::ids::{FileId, TaskId};

use super::stored::{StoredDocument, StoredEdits, StoredError, StoredSnapshot};

/// Files whose rows are fetched by one query: their stored edits are in memory together.
const FILES_PER_QUERY: usize = 256;

/// A text file as the transaction sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// The file.
    pub file: FileId,
    /// Its path.
    pub path: String,
    /// Its document's epoch.
    pub epoch: u64,
    /// Number of its last stored edit.
    pub seq: u64,
    /// Bytes of UTF-8: an upper bound.
    pub size: u64,
}

/// Why a text could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadTextError {
    /// The tables did not answer.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// What is stored for this file cannot be read.
    #[error("read text of {file}: {cause}")]
    Document {
        /// Which file.
        file: FileId,
        /// Why.
        cause: StoredError,
    },
}

/// All text files of a task, ordered by path, without their texts.
pub async fn list_texts(tx: &mut Tx, task: TaskId) -> Result<Vec<TextFile>, TablesError> {
    let rows = tx
        .query(
            "SELECT id, path, epoch, seq, size FROM files WHERE task_id = $1 AND kind = 'text' ORDER BY path",
            values![task.to_string()],
        )
        .await?;
    rows.iter().map(text_file).collect()
}

/// The texts of these files as the same transaction sees them, in the same order. Memory: all texts, so pass a slice of
/// what [`list_texts`] gave when flat memory matters.
pub async fn texts_of(tx: &mut Tx, files: &[TextFile]) -> Result<Vec<String>, ReadTextError> {
    let mut texts = Vec::with_capacity(files.len());
    for part in files.chunks(FILES_PER_QUERY) {
        let stored = fetch(tx, part).await?;
        texts.extend(compute(part.to_vec(), stored).await?);
    }
    Ok(texts)
}

/// All text files of a task with their texts, ordered by path.
pub async fn read_texts(tx: &mut Tx, task: TaskId) -> Result<Vec<(TextFile, String)>, ReadTextError> {
    let files = list_texts(tx, task).await?;
    let texts = texts_of(tx, &files).await?;
    Ok(files.into_iter().zip(texts).collect())
}

/// One file's text; `None` when there is no such text file.
pub async fn read_text(tables: &Tables, file: FileId) -> Result<Option<(TextFile, String)>, ReadTextError> {
    let mut tx = tables.begin_read().await?;
    let row = tx
        .query_opt(
            "SELECT id, path, epoch, seq, size FROM files WHERE id = $1 AND kind = 'text'",
            values![file.to_string()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let file = text_file(&row)?;
    let stored = fetch(&mut tx, std::slice::from_ref(&file)).await?;
    // Others may read while the text is put together.
    drop(tx);
    let text = compute(vec![file.clone()], stored).await?.pop().unwrap_or_default();
    Ok(Some((file, text)))
}

fn text_file(row: &Row) -> Result<TextFile, TablesError> {
    Ok(TextFile {
        file: row.parse(0)?,
        path: row.text(1)?.to_owned(),
        epoch: row.uint(2)?,
        seq: row.uint(3)?,
        size: row.uint(4)?,
    })
}

/// Snapshots and later edits of these files, in the same order.
async fn fetch(tx: &mut Tx, files: &[TextFile]) -> Result<Vec<StoredDocument>, TablesError> {
    let index_of: HashMap<FileId, usize> = files.iter().enumerate().map(|(index, file)| (file.file, index)).collect();
    let ids: Vec<_> = files.iter().map(|file| file.file.to_string().into()).collect();
    let list = (1..=ids.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let snapshots = Statement::new(
        format!(
            "SELECT s.file_id, s.seq, s.data FROM snapshots s JOIN files f ON f.id = s.file_id AND f.epoch = s.epoch \
             WHERE s.file_id IN ({list})"
        ),
        ids.clone(),
    );
    let edits = Statement::new(
        format!(
            "SELECT e.file_id, e.seq, e.count, e.data FROM edits e JOIN files f ON f.id = e.file_id AND f.epoch = e.epoch \
             LEFT JOIN snapshots s ON s.file_id = e.file_id AND s.epoch = e.epoch \
             WHERE e.file_id IN ({list}) AND e.seq > COALESCE(s.seq, 0) ORDER BY e.file_id, e.seq"
        ),
        ids,
    );
    let mut documents = vec![StoredDocument::default(); files.len()];
    for row in tx.query(snapshots.sql, snapshots.values).await? {
        if let Some(&index) = index_of.get(&row.parse(0)?) {
            documents[index].snapshot = Some(StoredSnapshot { seq: row.uint(1)?, data: row.blob(2)? });
        }
    }
    for row in tx.query(edits.sql, edits.values).await? {
        if let Some(&index) = index_of.get(&row.parse(0)?) {
            documents[index].edits.push(StoredEdits::from_row(&row, 1)?);
        }
    }
    Ok(documents)
}

/// Builds the texts on a thread where it may take its time.
async fn compute(files: Vec<TextFile>, stored: Vec<StoredDocument>) -> Result<Vec<String>, ReadTextError> {
    let work = move || {
        let texts = files.iter().zip(&stored).map(|(file, stored)| {
            stored.text(file.seq).map_err(|cause| ReadTextError::Document { file: file.file, cause })
        });
        texts.collect()
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ReadTextError::Tables(TablesError::Unavailable(format!("compute texts: {error}")))))
}
