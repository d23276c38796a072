//! Chooses the main file.

use coderoom_protocol::{control::TreeChanged, ids::TaskId, problem::WireError};

use super::{Tasks, parse_path, to_its_end, tree_edit::TreeEdit};
use crate::people::Identity;

impl Tasks {
    /// Chooses the main file. Fails with `not_text` for a blob, `not_found` for a folder or nothing.
    pub async fn set_main(&self, task: TaskId, by: &Identity, path: &str) -> Result<TreeChanged, WireError> {
        let path = parse_path(path)?;
        let (tasks, by) = (self.clone(), by.name.clone());
        to_its_end(async move {
            let mut edit = TreeEdit::begin(&tasks, task, &by).await?;
            edit.choose_main(&path).await?;
            edit.finish().await
        })
        .await
    }
}
