//! Makes files, and replaces blobs.

use bytes::Bytes;
use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    control::FileCreated,
    ids::{FileId, TaskId},
    path::TaskPath,
    problem::{ErrorCode, WireError},
    tree::{NodeKind, TreeChange},
};
use sha2::{Digest, Sha256};

use super::{
    Tasks,
    blobs::StoredBlob,
    files, parse_path,
    receive::{Held, Received},
    to_its_end,
    tree_edit::TreeEdit,
};
use crate::people::Identity;

impl Tasks {
    /// Makes a text file with its first content (seeded in the same transaction).
    ///
    /// Fails with `bad_path`, `path_taken`, `case_conflict`, `file_folder_conflict`, `file_too_large`, `task_too_large`,
    /// `too_many_files` or `not_found`; then nothing is changed.
    pub async fn create_text(
        &self,
        task: TaskId,
        by: &Identity,
        path: &str,
        text: &str,
    ) -> Result<FileCreated, WireError> {
        let path = parse_path(path)?;
        self.settings.check_text(path.as_str(), text.len())?;
        let (tasks, by, text) = (self.clone(), by.name.clone(), text.to_owned());
        to_its_end(async move {
            let _turn = tasks.room_of_maker(task).await?;
            let mut edit = TreeEdit::begin(&tasks, task, &by).await?;
            edit.layout_around(&path).await?.check_file(&path)?;
            edit.check_room(1, text.len() as u64, 0).await?;
            let file = FileId::new();
            edit.run(files::insert_text(file, task, &path, &text, edit.at)).await?;
            edit.changes.push(TreeChange::Created { file, path: path.as_str().to_owned(), kind: NodeKind::Text });
            let changed = edit.finish().await?;
            Ok(FileCreated { file, path: path.as_str().to_owned(), revision: changed.revision })
        })
        .await
    }

    /// Makes or replaces a blob from bytes in memory. Fails as [`Self::create_text`] does, and with `path_taken` when a
    /// text file is there: texts are changed by editing them.
    pub async fn create_blob(
        &self,
        task: TaskId,
        by: &Identity,
        path: &str,
        bytes: Bytes,
    ) -> Result<FileCreated, WireError> {
        let (size, sha256) = (bytes.len() as u64, hex::encode(Sha256::digest(&bytes)));
        let received = Received { size, sha256, held: Held::Memory(bytes) };
        let stored = self.store_blob(task, &by.name, path, received, Replacing::Blobs).await?;
        Ok(FileCreated { file: stored.file, path: stored.path, revision: stored.revision })
    }

    /// Stores received bytes and puts them at a path: makes the file, or gives the blob there new content. When that is
    /// refused what was stored is released.
    ///
    /// A text there is replaced only when `replacing` says so: the text file is deleted and a new file made, with another
    /// id, in one step, so that nobody's editor mistakes the one for the other. A main file needs its successor first.
    pub(super) async fn store_blob(
        &self,
        task: TaskId,
        by: &str,
        path: &str,
        received: Received,
        replacing: Replacing,
    ) -> Result<Stored, WireError> {
        self.check_before_storing(task, path, received.size, Some(&replacing)).await?;
        let path = parse_path(path)?;
        let (tasks, by) = (self.clone(), by.to_owned());
        to_its_end(async move {
            let holder = TaskId::new();
            let stored = match tasks.store_received(holder, received).await {
                Ok(blob) => tasks.put_blob(task, &by, &path, blob, &replacing).await,
                Err(error) => Err(error),
            };
            if stored.is_err() {
                tasks.release(task, holder).await;
            }
            stored
        })
        .await
    }

    async fn put_blob(
        &self,
        task: TaskId,
        by: &str,
        path: &TaskPath,
        blob: StoredBlob,
        replacing: &Replacing,
    ) -> Result<Stored, WireError> {
        let _turn = self.room_of_maker(task).await?;
        let mut edit = TreeEdit::begin(self, task, by).await?;
        let text = path.as_str().to_owned();
        let StoredBlob { holder, sha256, size } = blob;
        let old = edit.file_at(path).await?;
        let mut new_main = None;
        let (file, created) = match old {
            Some(old) if old.kind == NodeKind::Blob => {
                edit.check_room(0, size, old.size).await?;
                edit.let_go_of_blobs(std::slice::from_ref(&old)).await?;
                let sql = "UPDATE files SET size = $2, blob_sha256 = $3, updated_at = $4 WHERE id = $1";
                let values = values![old.id.to_string(), files::as_column(size), sha256, edit.at];
                let mut statements = vec![Statement::new(sql, values)];
                statements.extend(StoredBlob::hand_over(holder, task, edit.at));
                edit.run(statements).await?;
                edit.changes.push(TreeChange::Replaced { file: old.id, path: text.clone() });
                return Ok(Stored {
                    file: old.id,
                    path: text,
                    created: false,
                    revision: edit.finish().await?.revision,
                });
            }
            Some(old) => {
                new_main = replacing.successor(&text)?;
                check_not_main(&edit, old.id, &text, new_main)?;
                edit.check_room(0, size, old.size).await?;
                edit.run(vec![Statement::new("DELETE FROM files WHERE id = $1", values![old.id.to_string()])]).await?;
                edit.changes.push(TreeChange::Deleted { file: old.id, path: text.clone() });
                (FileId::new(), false)
            }
            None => {
                edit.layout_around(path).await?.check_file(path)?;
                edit.check_room(1, size, 0).await?;
                (FileId::new(), true)
            }
        };
        let mut statements = vec![files::insert_blob(file, task, path, &sha256, size, edit.at)];
        statements.extend(StoredBlob::hand_over(holder, task, edit.at));
        edit.run(statements).await?;
        edit.changes.push(TreeChange::Created { file, path: text.clone(), kind: NodeKind::Blob });
        if let Some(new_main) = new_main {
            edit.choose_main(new_main).await?;
        }
        Ok(Stored { file, path: text, created, revision: edit.finish().await?.revision })
    }

    /// Replaces the blob at a path by a text file with a new id, in one step. Fails with `path_taken` when it is no
    /// blob any more.
    pub(super) async fn put_text_over_blob(
        &self,
        task: TaskId,
        by: &str,
        path: &str,
        text: String,
    ) -> Result<Stored, WireError> {
        let path = parse_path(path)?;
        self.settings.check_text(path.as_str(), text.len())?;
        let (tasks, by) = (self.clone(), by.to_owned());
        to_its_end(async move {
            let _turn = tasks.room_of_maker(task).await?;
            let mut edit = TreeEdit::begin(&tasks, task, &by).await?;
            let old = edit.file_at(&path).await?.filter(|old| old.kind == NodeKind::Blob);
            let Some(old) = old else {
                return Err(WireError::new(
                    ErrorCode::PathTaken,
                    format!("`{}` was changed by somebody else at the same time. Send it again.", path.as_str()),
                ));
            };
            edit.check_room(0, text.len() as u64, old.size).await?;
            edit.let_go_of_blobs(std::slice::from_ref(&old)).await?;
            let file = FileId::new();
            let mut statements = vec![Statement::new("DELETE FROM files WHERE id = $1", values![old.id.to_string()])];
            statements.extend(files::insert_text(file, task, &path, &text, edit.at));
            edit.run(statements).await?;
            let text = path.as_str().to_owned();
            edit.changes.push(TreeChange::Deleted { file: old.id, path: text.clone() });
            edit.changes.push(TreeChange::Created { file, path: text.clone(), kind: NodeKind::Text });
            Ok(Stored { file, path: text, created: false, revision: edit.finish().await?.revision })
        })
        .await
    }

    /// Refuses early, before bytes are stored, what the transaction would refuse later. `as_blob`: they are no text, and
    /// this is what they may take the place of.
    pub(super) async fn check_before_storing(
        &self,
        task: TaskId,
        path: &str,
        size: u64,
        as_blob: Option<&Replacing>,
    ) -> Result<(), WireError> {
        let path = parse_path(path)?;
        let mut edit = TreeEdit::look(self, task).await?;
        match edit.file_at(&path).await? {
            Some(old) => {
                if let Some(replacing) = as_blob.filter(|_| old.kind == NodeKind::Text) {
                    let new_main = replacing.successor(path.as_str())?;
                    check_not_main(&edit, old.id, path.as_str(), new_main)?;
                }
                edit.check_room(0, size, old.size).await
            }
            None => {
                edit.layout_around(&path).await?.check_file(&path)?;
                edit.check_room(1, size, 0).await
            }
        }
    }
}

/// What a blob may take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replacing {
    /// Other blobs only.
    Blobs,
    /// Text files too.
    Anything {
        /// Becomes main in the same step; needed when the text is the main file.
        new_main: Option<TaskPath>,
    },
}

impl Replacing {
    fn successor(&self, path: &str) -> Result<Option<&TaskPath>, WireError> {
        match self {
            Self::Anything { new_main } => Ok(new_main.as_ref()),
            Self::Blobs => Err(WireError::new(
                ErrorCode::PathTaken,
                format!(
                    "There is a text file `{path}` already. Choose another name, or delete or move that file first."
                ),
            )),
        }
    }
}

/// What became of a file that was put.
pub(super) struct Stored {
    pub(super) file: FileId,
    pub(super) path: String,
    /// Whether nothing was there before.
    pub(super) created: bool,
    pub(super) revision: u64,
}

fn check_not_main(edit: &TreeEdit, file: FileId, path: &str, new_main: Option<&TaskPath>) -> Result<(), WireError> {
    if edit.main != Some(file) || new_main.is_some() {
        return Ok(());
    }
    Err(WireError::new(
        ErrorCode::MainFile,
        format!(
            "`{path}` is the main file, and what you bring is not a text. Name another text file as `new_main`, or make it main first."
        ),
    ))
}
