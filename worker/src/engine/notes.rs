//! Notes about a run's progress into its row: the newest phase, at a bounded rate, without anybody waiting for them.

use std::{sync::Arc, time::Duration};

use coderoom_backing::values;
use coderoom_protocol::ids::RunId;
use tokio::{sync::watch, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use crate::fault::Result;

/// Shortest time between two notes of one run.
const NOTE_INTERVAL: Duration = Duration::from_millis(100);

/// What is known of a run that is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// In words for people.
    pub(super) phase: String,
    /// When the command started, in milliseconds since the Unix epoch.
    pub(super) started_at: Option<i64>,
    /// How well it is contained.
    pub(super) sandbox: Option<String>,
}

/// Where the driver puts its notes. Dropping it ends the writing; the end of the run is not written here.
#[derive(Debug)]
pub(super) struct Notes {
    note: watch::Sender<Note>,
    _writer: AbortOnDropHandle<()>,
}

impl Notes {
    pub(super) fn new(shared: Arc<Shared>, run: RunId) -> Self {
        let (note, changes) = watch::channel(Note::default());
        Self { note, _writer: AbortOnDropHandle::new(tokio::spawn(write(shared, run, changes))) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Note)) {
        self.note.send_modify(change);
    }

    pub(super) fn now(&self) -> Note {
        self.note.borrow().clone()
    }
}

async fn write(shared: Arc<Shared>, run: RunId, mut changes: watch::Receiver<Note>) {
    while changes.changed().await.is_ok() {
        let note = changes.borrow_and_update().clone();
        if let Err(cause) = store(&shared, run, &note).await {
            tracing::warn!(run.id = %run, %cause, "the phase of a run was not stored; the next one will be");
        }
        shared.runs.announce_or_log(run).await;
        sleep(NOTE_INTERVAL).await;
    }
}

async fn store(shared: &Shared, run: RunId, note: &Note) -> Result<()> {
    let sql = "UPDATE runs SET phase = $3, started_at = coalesce(started_at, $4), sandbox = coalesce($5, sandbox)
               WHERE id = $1 AND state = 2 AND lease_owner = $2";
    let owner = shared.settings.owner.as_str();
    let values = values![run.to_string(), owner, note.phase.as_str(), note.started_at, note.sandbox.clone()];
    shared.runs.tables().execute(sql, values).await?;
    Ok(())
}
