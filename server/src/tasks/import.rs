//! Imports a zip, all of it or nothing: its files are unpacked into a hidden task that nobody sees, in small
//! transactions that hold nobody up, and come over in one transaction that checks every rule again.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use coderoom_backing::{
    tables::{Sql, Statement, TablesError, Value},
    values,
};
use coderoom_protocol::{
    control::TreeChanged,
    ids::{FileId, TaskId},
    path::TaskPath,
    problem::{ErrorCode, WireError},
    tree::{NodeKind, TreeChange},
};
use futures_util::Stream;
use tempfile::TempPath;
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

use super::{
    Tasks,
    blobs::StoredBlob,
    failed,
    files::{self, FileRow},
    layout::Layout,
    no_such_task, parse_path,
    read_archive::{self, ArchivedFile},
    receive::{self, Received, not_staged},
    settings::in_words,
    to_its_end,
    tree_edit::TreeEdit,
};
use crate::people::Identity;

/// Texts that one transaction puts into the hidden task, in bytes: about 30 ms of the writer's time.
const BATCH_BYTES: u64 = 4 << 20;
/// Files of the same.
const BATCH_FILES: usize = 1_000;
/// How many values one statement carries when files are named in it; SQLite allows 32,766.
const IDS_PER_STATEMENT: usize = 1_000;

/// Where an archive's content goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportTarget<'a> {
    /// The folder; absent: the task's root.
    pub folder: Option<&'a str>,
    /// Whether files that are there give way to those of the archive; else the import is refused.
    pub replace: bool,
    /// How many bytes the archive is announced to have, if it was said.
    pub declared: Option<u64>,
}

/// A file that waits in the hidden task.
struct Waiting {
    file: FileId,
    path: TaskPath,
    kind: NodeKind,
}

/// The hidden task goes with the task it is for.
fn not_unpacked(error: TablesError) -> WireError {
    match error {
        TablesError::ForeignKey => no_such_task(),
        error => failed::tables("unpack an archive")(error),
    }
}

impl Tasks {
    /// Imports an uploaded zip.
    ///
    /// Fails with `bad_archive` for archives that break a rule (links, absolute paths, `..`, entries that cannot stand
    /// together, encryption, more content than declared or allowed), with `path_taken`, `case_conflict` or `file_folder_conflict`
    /// when its files do not go with those of the task, with `main_file` when the main file would become a blob, and with
    /// `task_too_large`, `too_many_files`, `body_too_large`. Then the task is as it was.
    ///
    /// A file that gives way is deleted and a new one made, with another id; if it was main the new one is.
    pub async fn import(
        &self,
        task: TaskId,
        by: &Identity,
        target: ImportTarget<'_>,
        stream: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<TreeChanged, WireError> {
        let folder = target.folder.filter(|folder| !folder.is_empty()).map(parse_path).transpose()?;
        let archive = self.receive_archive(target.declared, stream).await?;
        let (tasks, by, replace) = (self.clone(), by.clone(), target.replace);
        to_its_end(async move { tasks.import_file(task, &by, folder, replace, archive).await }).await
    }

    async fn receive_archive(
        &self,
        declared: Option<u64>,
        mut stream: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<TempPath, WireError> {
        use futures_util::StreamExt as _;
        let limit = self.settings.max_archive_bytes;
        let too_large = || {
            let message = format!("An archive may have {}. Bring it in parts, each into its folder.", in_words(limit));
            WireError::new(ErrorCode::BodyTooLarge, message)
        };
        if declared.is_some_and(|declared| declared > limit) {
            return Err(too_large());
        }
        let (mut file, path) = receive::open(&self.settings.staging)?;
        let mut size = 0;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(receive::broke_off)?;
            size += piece.len() as u64;
            if size > limit {
                return Err(too_large());
            }
            file.write_all(&piece).await.map_err(not_staged)?;
        }
        file.flush().await.map_err(not_staged)?;
        Ok(path)
    }

    async fn import_file(
        &self,
        task: TaskId,
        by: &Identity,
        folder: Option<TaskPath>,
        replace: bool,
        archive: TempPath,
    ) -> Result<TreeChanged, WireError> {
        let _permit = self.unpacking.acquire().await.map_err(failed::internal("wait to unpack"))?;
        let (settings, at) = (self.settings.clone(), archive.to_path_buf());
        let listed = tokio::task::spawn_blocking(move || read_archive::list(&at, folder.as_ref(), &settings)).await;
        let files = Arc::new(listed.map_err(failed::internal("list an archive"))??);
        // Once before the work, to refuse early, and once when it counts.
        let mut look = TreeEdit::look(self, task).await?;
        let bytes = files.iter().map(|file| file.size).sum();
        let giving_way = check(&mut look, files.iter().map(|file| &file.path), bytes, replace).await?;
        let main = main_of(&look, &giving_way).map(str::to_owned);
        drop(look);
        if let Some(main) = main {
            self.check_successor(archive.to_path_buf(), &files, main).await?;
        }
        let hidden = self.hide(task, by).await?;
        let done = match self.unpack(hidden, archive.to_path_buf(), files).await {
            Ok(waiting) => self.bring_over(task, by, hidden, waiting, bytes, replace).await,
            Err(error) => Err(error),
        };
        // Empty by now if all went well. What is left after a failure here is swept later.
        let _ = self.tables.execute("DELETE FROM tasks WHERE id = $1", values![hidden.to_string()]).await;
        if done.is_err() {
            self.release(task, hidden).await;
        }
        done
    }

    /// Refuses an archive that has no text for the main file, before anything of it is unpacked.
    async fn check_successor(&self, archive: PathBuf, files: &[ArchivedFile], main: String) -> Result<(), WireError> {
        let new = files.iter().find(|new| new.path.as_str() == main).cloned();
        let Some(new) = new.filter(|new| new.size <= self.settings.max_text_bytes) else {
            return Err(no_text_for_main(&main));
        };
        let settings = self.settings.clone();
        let reader = tokio::task::spawn_blocking(move || {
            let mut is_text = false;
            read_archive::read_files(&archive, &[new], &settings, |_, file| {
                is_text = file.into_text().is_ok();
                true
            })?;
            if is_text { Ok(()) } else { Err(no_text_for_main(&main)) }
        });
        reader.await.map_err(failed::internal("look into an archive"))?
    }

    /// Makes the hidden task.
    async fn hide(&self, task: TaskId, by: &Identity) -> Result<TaskId, WireError> {
        let hidden = TaskId::new();
        let sql = "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at, import_of) \
                   SELECT $1, '', language, $3, $4, $4, id FROM tasks WHERE id = $2";
        let values = values![hidden.to_string(), task.to_string(), by.user.to_string(), self.clock.now_ms()];
        match self.tables.execute(sql, values).await.map_err(failed::tables("begin an import"))? {
            0 => Err(super::no_such_task()),
            _ => Ok(hidden),
        }
    }

    /// Unpacks the archive into the hidden task.
    async fn unpack(
        &self,
        hidden: TaskId,
        archive: PathBuf,
        files: Arc<Vec<ArchivedFile>>,
    ) -> Result<Vec<Waiting>, WireError> {
        // Two files wait at most, each no larger in memory than a text may be; a full channel holds the unpacking thread.
        let (unpacked, mut incoming) = mpsc::channel::<(usize, Received)>(2);
        let (settings, listed) = (self.settings.clone(), files.clone());
        let reader = tokio::task::spawn_blocking(move || {
            read_archive::read_files(&archive, &listed, &settings, |index, file| {
                unpacked.blocking_send((index, file)).is_ok()
            })
        });
        let at = self.clock.now_ms();
        let mut waiting = Vec::with_capacity(files.len());
        let (mut statements, mut batched) = (Vec::new(), 0);
        while let Some((index, received)) = incoming.recv().await {
            let (file, path) = (FileId::new(), files[index].path.clone());
            batched += received.size.min(self.settings.max_text_bytes);
            let kind = match received.into_text() {
                Ok(text) => {
                    statements.extend(files::insert_text(file, hidden, &path, &text, at));
                    NodeKind::Text
                }
                Err(received) => {
                    let blob = self.store_received(hidden, received).await?;
                    statements.push(files::insert_blob(file, hidden, &path, &blob.sha256, blob.size, at));
                    NodeKind::Blob
                }
            };
            waiting.push(Waiting { file, path, kind });
            if batched >= BATCH_BYTES || statements.len() >= BATCH_FILES {
                self.tables.batch(std::mem::take(&mut statements)).await.map_err(not_unpacked)?;
                batched = 0;
            }
        }
        reader.await.map_err(failed::internal("unpack an archive"))??;
        self.tables.batch(statements).await.map_err(not_unpacked)?;
        Ok(waiting)
    }

    /// The one step in which everything appears.
    async fn bring_over(
        &self,
        task: TaskId,
        by: &Identity,
        hidden: TaskId,
        waiting: Vec<Waiting>,
        bytes: u64,
        replace: bool,
    ) -> Result<TreeChanged, WireError> {
        let _turn = self.room_of_maker(task).await?;
        let mut edit = TreeEdit::begin(self, task, &by.name).await?;
        let giving_way = check(&mut edit, waiting.iter().map(|new| &new.path), bytes, replace).await?;
        edit.let_go_of_blobs(&giving_way).await?;
        let (mut statements, mut deletions) = (Vec::new(), Vec::new());
        // All are locked before the first one goes, in the order in which the group commit locks files, so that neither
        // ever waits for what the other has. (The one writer of SQLite needs no locks.)
        let mut ids: Vec<String> = giving_way.iter().map(|file| file.id.to_string()).collect();
        ids.sort_unstable();
        for ids in ids.chunks(IDS_PER_STATEMENT) {
            let list = (1..=ids.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            let values: Vec<Value> = ids.iter().map(|id| id.clone().into()).collect();
            let lock = Sql {
                sqlite: format!("SELECT 1 FROM files WHERE id IN ({list}) LIMIT 0").into(),
                postgres: format!("SELECT 1 FROM files WHERE id IN ({list}) ORDER BY id FOR UPDATE").into(),
            };
            statements.push(Statement::new(lock, values.clone()));
            deletions.push(Statement::new(format!("DELETE FROM files WHERE id IN ({list})"), values));
        }
        statements.append(&mut deletions);
        let values = values![hidden.to_string(), task.to_string()];
        statements.push(Statement::new("UPDATE files SET task_id = $2 WHERE task_id = $1", values));
        statements.extend(StoredBlob::hand_over(hidden, task, edit.at));
        edit.run(statements).await?;
        let new_main = successor(&edit, &giving_way, &waiting)?;
        edit.changes.extend(giving_way.into_iter().map(|old| TreeChange::Deleted { file: old.id, path: old.path }));
        edit.changes.extend(waiting.into_iter().map(|new| TreeChange::Created {
            file: new.file,
            path: new.path.as_str().to_owned(),
            kind: new.kind,
        }));
        if let Some(path) = new_main {
            edit.choose_main(&path).await?;
        }
        edit.finish().await
    }
}

/// Checks that files go with those of the task, and lists those that must give way.
async fn check<'a>(
    edit: &mut TreeEdit,
    paths: impl Iterator<Item = &'a TaskPath>,
    bytes: u64,
    replace: bool,
) -> Result<Vec<FileRow>, WireError> {
    let present = edit.all_files().await?;
    let mut layout = Layout::default();
    let mut by_path = std::collections::HashMap::new();
    for (key, file) in present {
        layout.add(&file.path, &key);
        by_path.insert(file.path.clone(), file);
    }
    let (mut giving_way, mut coming) = (Vec::new(), 0);
    for path in paths {
        coming += 1;
        match by_path.remove(path.as_str()) {
            Some(old) if replace => giving_way.push(old),
            _ => layout.check_file(path)?,
        }
    }
    let freed = giving_way.iter().map(|old| old.size).sum();
    edit.check_room_after(giving_way.len() as u64, freed, coming, bytes).await?;
    Ok(giving_way)
}

/// Path of the main file, when it gives way.
fn main_of<'a>(edit: &TreeEdit, giving_way: &'a [FileRow]) -> Option<&'a str> {
    giving_way.iter().find(|old| Some(old.id) == edit.main).map(|main| main.path.as_str())
}

/// The new main file, when the old one gives way.
fn successor(edit: &TreeEdit, giving_way: &[FileRow], waiting: &[Waiting]) -> Result<Option<TaskPath>, WireError> {
    let Some(main) = main_of(edit, giving_way) else { return Ok(None) };
    match waiting.iter().find(|new| new.path.as_str() == main) {
        Some(new) if new.kind == NodeKind::Text => Ok(Some(new.path.clone())),
        _ => Err(no_text_for_main(main)),
    }
}

fn no_text_for_main(main: &str) -> WireError {
    WireError::new(
        ErrorCode::MainFile,
        format!(
            "`{main}` is the main file, and the archive has something in its place that is not text. Make another file main first."
        ),
    )
}
