//! One uploaded file: text that is small enough becomes (or changes) a live document, everything else a blob.

use std::io;

use bytes::Bytes;
use coderoom_protocol::{ids::TaskId, problem::WireError, task::FileStored, tree::NodeKind};
use futures_util::Stream;

use super::{
    FileRow, Tasks,
    create_file::{Replacing, Stored},
    no_such_task, parse_path,
    tree_edit::TreeEdit,
};
use crate::{people::Identity, rooms::Rooms};

/// What is known of an upload before its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct UploadTarget<'a> {
    /// Where it goes.
    pub path: &'a str,
    /// How many bytes are announced, if it was said.
    pub declared: Option<u64>,
    /// The new main file, needed when the main file is replaced by something that is not text.
    pub new_main: Option<&'a str>,
}

impl Tasks {
    /// Stores what is uploaded for a path.
    ///
    /// UTF-8 of at most `max_text_bytes` is text: where a text file is, its live document gets the smallest edit that
    /// makes it equal, and everybody sees it happen. Anything else is a blob. When the kind changes the old file is deleted
    /// and a new one made, with another id, in one step.
    ///
    /// Refuses before anything is stored, and before the bytes are read where their number was announced.
    pub async fn upload(
        &self,
        rooms: &Rooms,
        task: TaskId,
        by: &Identity,
        target: UploadTarget<'_>,
        stream: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<FileStored, WireError> {
        let path = parse_path(target.path)?;
        let path = path.as_str();
        let new_main = target.new_main.map(parse_path).transpose()?;
        let old = self.file_at(task, path).await?;
        let old_size = old.as_ref().map_or(0, |old| old.size);
        let (_, used) = TreeEdit::look(self, task).await?.usage().await?;
        let kept = used.saturating_sub(old_size);
        self.check_before_storing(task, path, target.declared.unwrap_or(0), None).await?;
        let free = self.settings.max_task_bytes.saturating_sub(kept);
        let too_large = || match self.settings.check_bytes(kept, target.declared.unwrap_or(free + 1).max(free + 1)) {
            Err(error) => error,
            Ok(()) => no_such_task(), // cannot be: one byte more than what is free
        };
        let received = self.receive(stream, free, too_large).await?;
        let size = received.size;
        let (stored, kind) = match received.into_text() {
            Ok(text) => (self.put_text(rooms, task, by, path, old, text).await?, NodeKind::Text),
            Err(received) => {
                let replacing = Replacing::Anything { new_main };
                (self.store_blob(task, &by.name, path, received, replacing).await?, NodeKind::Blob)
            }
        };
        let Stored { file, path, created, revision } = stored;
        Ok(FileStored { file, path, created, kind, size, revision })
    }

    async fn put_text(
        &self,
        rooms: &Rooms,
        task: TaskId,
        by: &Identity,
        path: &str,
        old: Option<FileRow>,
        text: String,
    ) -> Result<Stored, WireError> {
        match old {
            None => {
                let made = self.create_text(task, by, path, &text).await?;
                Ok(Stored { file: made.file, path: made.path, created: true, revision: made.revision })
            }
            Some(old) if old.kind == NodeKind::Text => {
                let written = rooms.write_text(task, old.id, text).await?;
                let revision = self.revision(task).await?;
                Ok(Stored { file: written.file, path: old.path, created: false, revision })
            }
            Some(_) => self.put_text_over_blob(task, &by.name, path, text).await,
        }
    }

    /// The tree's revision. Fails with `not_found`.
    pub async fn revision(&self, task: TaskId) -> Result<u64, WireError> {
        Ok(TreeEdit::look(self, task).await?.revision())
    }
}
