//! Tells the nodes what changed, after it was committed. A lost announcement costs a client one more reading of the tree.

use coderoom_protocol::{ids::TaskId, tree::TreeChange};
use coderoom_worker::announce::{TaskEvent, task_topic};

use super::{CHANGES_PER_ANNOUNCEMENT, Tasks};

impl Tasks {
    /// Publishes `event`; a bus that fails is logged and nothing else.
    pub(super) async fn announce(&self, task: TaskId, event: &TaskEvent) {
        let message = match serde_json::to_vec(event) {
            Ok(message) => message,
            Err(error) => return tracing::error!(task.id = %task, %error, "task event has no JSON form"),
        };
        if let Err(error) = self.bus.publish(&task_topic(task), message.into()).await {
            tracing::warn!(task.id = %task, %error, "change of a task was not announced");
        }
    }

    /// Publishes changes of a tree in portions; the first has the revision after `before`, see [`revisions_for`].
    pub(super) async fn announce_changes(&self, task: TaskId, before: u64, changes: &[TreeChange], by: &str) {
        for (revision, portion) in (before + 1..).zip(changes.chunks(CHANGES_PER_ANNOUNCEMENT)) {
            self.announce(task, &TaskEvent::Tree { revision, changes: portion.to_vec(), by: by.to_owned() }).await;
        }
    }
}

/// How many revisions this many changes take: one for each announcement, so that a client that follows revisions
/// notices a portion it missed.
pub(super) fn revisions_for(changes: usize) -> u64 {
    changes.div_ceil(CHANGES_PER_ANNOUNCEMENT) as u64
}
