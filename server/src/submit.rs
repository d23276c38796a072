//! Submit: freezes a task's files as they are stored at one moment and queues a run. Over the socket and over HTTP.

use coderoom_backing::{
    tables::{TablesError, Tx},
    values,
};
use coderoom_protocol::{
    control::{Language, Submitted},
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
    run::Run,
};
use coderoom_worker::{language::DEFAULT_COMMAND, runs::SubmitDraft, snapshot::FrozenFile};

use crate::{
    app::App,
    people::{Action, Identity},
    rooms::read_text::{self, ReadTextError, TextFile},
};

/// Text files whose texts are in memory together while the snapshot is packed.
const TEXTS_AT_ONCE: usize = 64;

/// What somebody wants to run. The caller has checked that they may.
#[derive(Clone, Debug)]
pub struct SubmitWish {
    /// The task.
    pub task: TaskId,
    /// Who.
    pub user: UserId,
    /// The command line; `None`: the task's own start script.
    pub command: Option<String>,
    /// A note kept with the run.
    pub remarks: Option<String>,
}

/// Waits until every edit that this node has received is stored, freezes the files as one reading transaction sees them,
/// and queues a run of exactly that. On success it is stored and will run, whatever crashes afterwards.
///
/// # Errors
/// `run_active`, `too_many_runs`, `invalid`, `not_found`, `not_stored` (edits cannot be stored at the moment),
/// `sandbox_unavailable`, `unavailable`. After an error nothing is queued.
pub async fn submit(app: &App, wish: SubmitWish) -> Result<Submitted, WireError> {
    let (user, task) = (wish.user, wish.task);
    app.require_sandbox()?;
    app.people.check_logs(user).await?;
    let submitted = freeze_and_queue(app, wish).await?;
    app.people.note(user, Action::Submit, Some(task), &submitted.run.id.to_string()).await;
    Ok(submitted)
}

/// Queues the snapshot of an earlier run again. The caller has checked that they may.
///
/// # Errors
/// Those of [`submit`], and `not_found` when the files of the earlier run are no longer stored.
pub async fn rerun_of(app: &App, by: &Identity, run: &Run) -> Result<Submitted, WireError> {
    app.require_sandbox()?;
    app.people.check_logs(by.user).await?;
    let submitted = app.runs.rerun(run.id, by.user).await?;
    let detail = format!("{} again as {}", run.id, submitted.run.id);
    app.people.note(by.user, Action::Submit, Some(run.task), &detail).await;
    Ok(submitted)
}

/// [`submit`] without what is asked before and noted after it.
async fn freeze_and_queue(app: &App, wish: SubmitWish) -> Result<Submitted, WireError> {
    let SubmitWish { task, user, command, remarks } = wish;
    app.rooms.barrier(task).await?;
    let _turn = app.tables.long_read().await.map_err(tables_failed)?;
    let mut tx = app.tables.begin_read().await.map_err(tables_failed)?;
    let language = language_of(&mut tx, task).await?;
    let draft = SubmitDraft {
        task,
        user,
        language,
        command: command.unwrap_or_else(|| DEFAULT_COMMAND.to_owned()),
        remarks: remarks.unwrap_or_default(),
    };
    let files = list_files(&mut tx, task).await.map_err(tables_failed)?;
    let mut snapshot = app.runs.begin_snapshot(task);
    for part in files.chunks(TEXTS_AT_ONCE) {
        let texts: Vec<TextFile> = part.iter().filter_map(Frozen::text).cloned().collect();
        let mut texts = read_text::texts_of(&mut tx, &texts).await.map_err(text_failed)?.into_iter();
        for file in part {
            snapshot.add(freeze(file, &mut texts)).await;
        }
    }
    drop(tx);
    app.runs.submit_snapshot(draft, snapshot).await
}

/// A file of the task as the transaction sees it.
enum Frozen {
    Text(TextFile),
    Blob { path: String, size: u64, sha256: String },
}

impl Frozen {
    fn text(&self) -> Option<&TextFile> {
        match self {
            Self::Text(file) => Some(file),
            Self::Blob { .. } => None,
        }
    }
}

fn freeze(file: &Frozen, texts: &mut impl Iterator<Item = String>) -> FrozenFile {
    match file {
        Frozen::Text(file) => {
            FrozenFile::Text { path: file.path.clone(), seq: file.seq, text: texts.next().unwrap_or_default().into() }
        }
        Frozen::Blob { path, size, sha256 } => {
            FrozenFile::Blob { path: path.clone(), size: *size, sha256: sha256.clone() }
        }
    }
}

async fn language_of(tx: &mut Tx, task: TaskId) -> Result<Language, WireError> {
    let row = tx.query_opt("SELECT language FROM tasks WHERE id = $1", values![task.to_string()]).await;
    let row = row.map_err(tables_failed)?.ok_or_else(|| WireError::plain(ErrorCode::NotFound))?;
    Language::parse(row.text(0).map_err(tables_failed)?).ok_or_else(|| {
        tracing::error!(task.id = %task, "the language of a task is unknown");
        WireError::plain(ErrorCode::Internal)
    })
}

/// All files, ordered by the bytes of their paths, as the snapshot wants them.
async fn list_files(tx: &mut Tx, task: TaskId) -> Result<Vec<Frozen>, TablesError> {
    let mut files: Vec<(String, Frozen)> = Vec::new();
    for file in read_text::list_texts(tx, task).await? {
        files.push((file.path.clone(), Frozen::Text(file)));
    }
    let blobs = "SELECT path, size, blob_sha256 FROM files WHERE task_id = $1 AND kind = 'blob'";
    for row in tx.query(blobs, values![task.to_string()]).await? {
        let path = row.text(0)?.to_owned();
        let blob = Frozen::Blob { path: path.clone(), size: row.uint(1)?, sha256: row.text(2)?.to_owned() };
        files.push((path, blob));
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

fn tables_failed(error: TablesError) -> WireError {
    if error.is_permanent() {
        tracing::error!(%error, "the files of a task could not be frozen");
        WireError::plain(ErrorCode::Internal)
    } else {
        tracing::warn!(%error, "the files of a task could not be frozen now");
        WireError::plain(ErrorCode::Unavailable)
    }
}

fn text_failed(error: ReadTextError) -> WireError {
    match error {
        ReadTextError::Tables(error) => tables_failed(error),
        ReadTextError::Document { .. } => {
            tracing::error!(%error, "the text of a file could not be frozen");
            WireError::plain(ErrorCode::Internal)
        }
    }
}
