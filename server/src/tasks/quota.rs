//! The storage that all tasks of one maker may have, asked when files are stored: what was begun side by side, in one task or in
//! several, is stored one after the other, so that only one of them can be the last for which there was room.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use coderoom_backing::values;
use coderoom_protocol::{ids::TaskId, problem::WireError};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Tasks, no_such_task, tree_edit::storing};
use crate::people::check_storage;

/// Makers share so many locks, by the hash of their id; two with the same wait for each other a little.
const LOCKS: usize = 64;

/// One lock for each group of makers.
#[derive(Clone, Debug)]
pub(super) struct MakerLocks(Arc<[Arc<Mutex<()>>]>);

impl Default for MakerLocks {
    fn default() -> Self {
        Self((0..LOCKS).map(|_| Arc::default()).collect())
    }
}

impl MakerLocks {
    async fn of(&self, maker: &str) -> OwnedMutexGuard<()> {
        let mut hasher = DefaultHasher::new();
        maker.hash(&mut hasher);
        let index = hasher.finish() as usize % LOCKS;
        Arc::clone(&self.0[index]).lock_owned().await
    }
}

impl Tasks {
    /// A turn to store files in a task; nothing else of its maker is stored on this node until it is dropped. It is taken before the
    /// transaction, so that nobody who has the task's row waits for it.
    /// `quota_reached` when all tasks of the maker have as much as they may, `not_found` when the task is gone.
    pub(super) async fn room_of_maker(&self, task: TaskId) -> Result<OwnedMutexGuard<()>, WireError> {
        let sql = "SELECT created_by FROM tasks WHERE id = $1";
        let row = self.tables.query_opt(sql, values![task.to_string()]).await.map_err(storing)?;
        let row = row.ok_or_else(no_such_task)?;
        let turn = self.makers.of(row.text(0).map_err(storing)?).await;
        check_storage(&self.tables, task, self.settings.max_storage_per_maker).await?;
        Ok(turn)
    }
}
