//! Tasks and their files: rows and rules. Whatever changes a tree is one transaction, announced on the bus after it.
//!
//! Callers have checked the role: nothing here asks who may. Every method that changes something runs to its end even
//! when the caller goes away, so that a change is never left unannounced.

mod announce;
mod blobs;
mod create_file;
mod create_task;
mod delete_path;
mod delete_task;
mod describe;
pub(crate) mod failed;
mod files;
mod frozen_file;
mod import;
mod layout;
mod list_tasks;
mod move_path;
mod pack;
mod quota;
mod read_archive;
mod receive;
mod set_main;
mod settings;
mod sweep;
mod tree;
mod tree_edit;
mod turns;
mod upload;

use std::sync::Arc;

use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, tables::Tables};
use coderoom_protocol::problem::{ErrorCode, WireError};
use tokio::sync::Semaphore;

pub use files::FileRow;
pub use import::ImportTarget;
pub use list_tasks::TaskFilter;
pub use pack::Archive;
pub use settings::{CHANGES_PER_ANNOUNCEMENT, MAX_NAME_CHARS, MAX_REMARKS_CHARS, TaskSettings};
pub use sweep::Swept;
pub use upload::UploadTarget;

/// A cheap handle to tasks and files.
#[derive(Clone, Debug)]
pub struct Tasks {
    tables: Tables,
    objects: Objects,
    bus: Bus,
    clock: Clock,
    settings: Arc<TaskSettings>,
    /// Turns to pack archives.
    packing: turns::Turns,
    /// Makers whose files are being stored.
    makers: quota::MakerLocks,
    /// Permits to unpack archives; who gets none waits.
    unpacking: Arc<Semaphore>,
    /// Permits to fetch a run's snapshot for one text; who gets none waits.
    snapshots: Arc<Semaphore>,
}

impl Tasks {
    /// A handle. Nothing is read or written yet.
    #[must_use]
    pub fn new(tables: Tables, objects: Objects, bus: Bus, clock: Clock, settings: TaskSettings) -> Self {
        let packing = turns::Turns::new(settings.max_packing_at_once, settings.max_packing_per_user);
        let unpacking = Arc::new(Semaphore::new(settings.max_unpacking_at_once));
        let snapshots = Arc::new(Semaphore::new(settings.max_snapshots_at_once));
        let makers = quota::MakerLocks::default();
        Self { tables, objects, bus, clock, settings: Arc::new(settings), packing, makers, unpacking, snapshots }
    }

    /// The limits in force.
    #[must_use]
    pub fn settings(&self) -> &TaskSettings {
        &self.settings
    }
}

/// What everybody is told who asks for a task that is not there (or not theirs).
pub(crate) fn no_such_task() -> WireError {
    WireError::new(ErrorCode::NotFound, "There is no such task, or you are not a member of it.")
}

/// What is said of a path at which nothing is.
fn nothing_at(path: &str) -> WireError {
    WireError::new(
        ErrorCode::NotFound,
        format!("There is no file or folder `{path}`. Look at the tree, and mind the letter case."),
    )
}

/// Runs `step` to its end even when the caller is dropped.
async fn to_its_end<T: Send + 'static>(
    step: impl Future<Output = Result<T, WireError>> + Send + 'static,
) -> Result<T, WireError> {
    tokio::spawn(step).await.unwrap_or_else(|error| Err(failed::internal("change a task")(error)))
}

/// A path that was checked, or the sentence that says which rule it breaks.
fn parse_path(path: &str) -> Result<coderoom_protocol::path::TaskPath, WireError> {
    coderoom_protocol::path::TaskPath::parse(path)
        .map_err(|error| WireError::new(ErrorCode::BadPath, error.to_string()))
}
