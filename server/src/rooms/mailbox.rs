//! A room's mailbox: what wakes it, from outside and from its own background work, taken in batches.
//!
//! Senders from outside wait while more than [`super::RoomSettings::mailbox_bytes`] are queued. Background work never
//! waits: there is at most one answer per commit, load or compaction that the room itself has asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use coderoom_protocol::{
    ids::{FileId, UserId},
    role::Role,
    run::Run,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    RoomGone,
    compact::Compacted,
    document::{merge_trial::Fits, write_text::Computed},
    event::{Place, RoomEvent, Session},
    group_commit::Outcome,
    load_document::{LoadError, Loaded, Since},
};

/// One permit of the semaphore stands for this many bytes, and every event costs at least one.
const UNIT_BYTES: usize = 1024;

/// The closed list of what a room is told.
pub(super) enum Letter {
    /// [`RoomEvent::Attach`], boxed: it is rare and large.
    Attach(Box<(Session, Place, Option<oneshot::Sender<()>>)>),
    /// Any other event from outside.
    Event(RoomEvent),
    /// Edits were stored, or not.
    Committed(Outcome),
    /// Storing has failed for these edits and is tried again.
    StoringFails(FileId),
    /// A document has been read from the tables.
    Loaded(Box<(FileId, u64, Result<Loaded, LoadError>)>),
    /// What other nodes have stored has been read.
    CaughtUp(Box<(FileId, u64, Since)>),
    /// The numbers of the last edits of these files, as the tables have them.
    Numbers(Vec<(FileId, u64)>),
    /// A document that is to be compacted has its turn, which ends with the permit.
    CompactionTurn(FileId, OwnedSemaphorePermit),
    /// A snapshot was stored, or not.
    Compacted(Box<(FileId, u64, Compacted)>),
    /// The edit for a `write_text` is ready.
    Computed(Box<(FileId, u64, Computed)>),
    /// The update that waits first, in this trial, may be merged, or may not.
    Tried(FileId, u64, Fits),
    /// A role has been read again.
    Role(UserId, Option<Role>),
    /// After [`coderoom_backing::bus::BusEvent::Lost`]: which files still exist; `None`: not even the task.
    FilesLeft(Option<Box<FilesLeft>>),
    /// After the same: the newest runs, newest first.
    Runs(Vec<Run>),
    /// How many bytes the task's files have; `None`: that could not be read.
    Space(Option<u64>),
    /// The node drains: end as soon as everything is stored.
    Drain,
}

/// The state of the tree, read again.
pub(super) struct FilesLeft {
    pub(super) revision: u64,
    /// With the number of the last edit of each.
    pub(super) files: std::collections::HashMap<FileId, u64>,
}

/// The queue itself. Held by the registry, by handles, by the group commit while it has edits of the room.
pub(super) struct Mailbox {
    /// Never held over an await.
    state: Mutex<State>,
    /// Wakes the room's task.
    wake: Notify,
    /// Room left for events from outside.
    left: Semaphore,
    units: u32,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("closed", &self.lock().closed).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    /// Permits to give back when the letters are taken.
    units: usize,
    closed: bool,
}

impl Mailbox {
    /// An empty mailbox with room for about `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self { state: Mutex::default(), wake: Notify::new(), left: Semaphore::new(units as usize), units }
    }

    /// Puts an event in; waits while there is no room.
    pub(super) async fn send(&self, event: RoomEvent) -> Result<(), RoomGone> {
        self.send_back(event).await.map_err(|_| RoomGone)
    }

    /// The same; gives the event back when the room has ended.
    pub(super) async fn send_back(&self, event: RoomEvent) -> Result<(), RoomEvent> {
        let units = u32::try_from(1 + payload_len(&event) / UNIT_BYTES).unwrap_or(u32::MAX).min(self.units);
        match self.left.acquire_many(units).await {
            Ok(permit) => permit.forget(),
            Err(_) => return Err(event),
        }
        let mut state = self.lock();
        if state.closed {
            return Err(event);
        }
        let letter = match event {
            RoomEvent::Attach { session, place, attached } => Letter::Attach(Box::new((session, place, attached))),
            other => Letter::Event(other),
        };
        state.units += units as usize;
        self.put(state, letter);
        Ok(())
    }

    /// Puts an answer of background work in. A room that has ended does not get it.
    pub(super) fn post(&self, letter: Letter) {
        let state = self.lock();
        if !state.closed {
            self.put(state, letter);
        }
    }

    fn put(&self, mut state: MutexGuard<'_, State>, letter: Letter) {
        let was_empty = state.letters.is_empty();
        state.letters.push(letter);
        drop(state);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Waits for letters and moves all of them into `batch`, which is empty. Only the room calls it. Cancel safe.
    pub(super) async fn take(&self, batch: &mut Vec<Letter>) {
        loop {
            {
                let mut state = self.lock();
                if !state.letters.is_empty() {
                    std::mem::swap(&mut state.letters, batch);
                    let units = std::mem::take(&mut state.units);
                    drop(state);
                    self.left.add_permits(units);
                    return;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Ends the mailbox if nothing is in it; says whether it did. Nobody can slip in between.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.lock();
        if !state.letters.is_empty() {
            return false;
        }
        state.closed = true;
        self.left.close();
        true
    }

    /// Ends the mailbox and drops what is in it.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let letters = std::mem::take(&mut state.letters);
        self.left.close();
        drop(state);
        drop(letters);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn payload_len(event: &RoomEvent) -> usize {
    match event {
        RoomEvent::SyncStep1 { state_vector, .. } => state_vector.len(),
        RoomEvent::Update { update, .. } | RoomEvent::Awareness { update, .. } => update.len(),
        RoomEvent::WriteText { text, .. } => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::rooms::SessionId;

    fn update(bytes: usize) -> RoomEvent {
        RoomEvent::Update { session: SessionId(1), update: vec![0; bytes].into(), is_step2: false }
    }

    #[tokio::test]
    async fn full_mailbox_holds_back_senders_until_it_is_taken() {
        let mailbox = Arc::new(Mailbox::new(4096));
        mailbox.send(update(100_000)).await.unwrap();
        let second = tokio::spawn({
            let mailbox = Arc::clone(&mailbox);
            async move { mailbox.send(update(1)).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        mailbox.post(Letter::Drain);
        let mut batch = Vec::new();
        mailbox.take(&mut batch).await;
        assert_eq!(batch.len(), 2);
        tokio::time::timeout(Duration::from_secs(5), second).await.expect("room was made").unwrap().unwrap();
    }

    #[tokio::test]
    async fn mailbox_ends_only_when_nothing_is_in_it() {
        let mailbox = Mailbox::new(4096);
        mailbox.send(update(1)).await.unwrap();
        assert!(!mailbox.close_if_empty());
        mailbox.take(&mut Vec::new()).await;
        assert!(mailbox.close_if_empty());
        assert!(mailbox.send(update(1)).await.is_err());
    }
}
