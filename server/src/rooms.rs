//! Rooms: one task (in the sense of the runtime) per open coderoom task owns its documents, its presence and the list of
//! who is connected. Others hold a [`RoomHandle`], send [`RoomEvent`]s, and find what the room says in their outboxes.
//!
//! Nothing here knows sockets: an [`outbox::Outbox`] is a bounded queue of encoded WebSocket frames.

mod between_nodes;
mod compact;
mod document;
pub mod event;
pub mod frames;
mod group_commit;
mod load_document;
mod log_row;
mod mailbox;
mod members;
mod merge_cost;
pub mod outbox;
mod presence;
pub mod read_text;
mod registry;
mod replica;
mod room;
mod say;
pub mod seed;
pub mod settings;
pub(crate) mod space;
mod stored;
#[cfg(test)]
mod tests;
mod text_diff;

use std::{sync::Arc, time::Duration};

use coderoom_backing::{bus::Bus, clock::Clock, tables::Tables};
use coderoom_protocol::{
    control::{FileWritten, UserSummary},
    ids::{FileId, TaskId, UserId},
    problem::{ErrorCode, WireError},
    role::Role,
    run::Run,
};
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    between_nodes::{NodeId, publish::Publisher},
    group_commit::GroupCommit,
    mailbox::{Letter, Mailbox},
    registry::Registry,
};
pub use event::{Place, RoomEvent, Session, SessionId};
pub use replica::ReplicaError;
pub use settings::RoomSettings;
pub use stored::StoredError;

/// Reads the role of a user in a task anew (`None`: no role). Asked when a membership changes while the user is connected.
pub type ReadRole =
    Arc<dyn Fn(TaskId, UserId) -> BoxFuture<'static, Result<Option<Role>, WireError>> + Send + Sync + 'static>;

/// Reads the newest runs of a task anew. Asked when announcements may have been missed.
pub type ReadRuns = Arc<dyn Fn(TaskId) -> BoxFuture<'static, Result<Vec<Run>, WireError>> + Send + Sync + 'static>;

/// What a room asks of parts it does not know.
#[derive(Clone)]
pub struct Ask {
    /// See [`ReadRole`].
    pub read_role: ReadRole,
    /// See [`ReadRuns`].
    pub read_runs: ReadRuns,
}

/// A cheap handle to all open rooms of this node.
#[derive(Clone)]
pub struct Rooms {
    shared: Arc<Shared>,
}

/// What all rooms of a node share.
struct Shared {
    tables: Tables,
    bus: Bus,
    clock: Clock,
    settings: RoomSettings,
    ask: Ask,
    commits: Arc<GroupCommit>,
    /// A turn for each compaction.
    compactions: Arc<Semaphore>,
    /// A turn for each trial of a merge.
    trials: Arc<Semaphore>,
    registry: Registry,
    /// Tells other nodes what was stored here; `None`: there are none.
    publisher: Option<Publisher>,
    /// Counts rooms and what they do in the background.
    tracker: TaskTracker,
    /// Only held to be dropped: ends the group commit, so that the tables can be closed when the last handle and the last
    /// room are gone.
    _stop_commits: DropGuard,
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("open", &self.shared.registry.len()).finish_non_exhaustive()
    }
}

impl Rooms {
    /// No open rooms yet. The group commit for all rooms starts at once, so this must be called inside the runtime; it ends
    /// with the last handle and the last room.
    #[must_use]
    pub fn new(tables: Tables, bus: Bus, clock: Clock, settings: RoomSettings, ask: Ask) -> Self {
        let retry = (Duration::from_millis(settings.retry_ms.0), Duration::from_millis(settings.retry_ms.1));
        let gather = Duration::from_millis(settings.gather_ms);
        let commits = Arc::new(GroupCommit::new(tables.clone(), clock.clone(), gather, retry));
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&commits).run(stop.clone()));
        let publisher = settings.other_nodes.then(|| Publisher::start(NodeId(rand::random()), &bus, &stop));
        let shared = Shared {
            tables,
            bus,
            clock,
            settings,
            ask,
            commits,
            compactions: Arc::new(Semaphore::new(COMPACTIONS_AT_ONCE)),
            trials: Arc::new(Semaphore::new(TRIALS_AT_ONCE)),
            registry: Registry::default(),
            publisher,
            tracker: TaskTracker::new(),
            _stop_commits: stop.drop_guard(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The room of a task, opened if it is not. The caller has checked that the task exists.
    /// Fails with `unavailable` when the node drains.
    pub async fn open(&self, task: TaskId) -> Result<RoomHandle, WireError> {
        let mailbox = self.shared.registry.open(&self.shared, task);
        let draining = || WireError::new(ErrorCode::Unavailable, "The server is going away; connect again.");
        mailbox.map(|mailbox| RoomHandle { mailbox }).ok_or_else(draining)
    }

    /// Waits until every edit that this node had received for the task before the call is stored.
    /// Fails with `not_stored` after a named time limit ([`RoomSettings::barrier_ms`]).
    pub async fn barrier(&self, task: TaskId) -> Result<(), WireError> {
        // A room that is not open has stored everything: that is when rooms end.
        let Some(mailbox) = self.shared.registry.get(task) else { return Ok(()) };
        let (reply, answer) = oneshot::channel();
        if mailbox.send(RoomEvent::Barrier { reply }).await.is_err() {
            return Ok(());
        }
        let limit = Duration::from_millis(self.shared.settings.barrier_ms);
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(WireError::plain(ErrorCode::NotStored)),
        }
    }

    /// Who has the rooms of these tasks open on this node, in the order of `tasks`. A room that is too busy to say so within
    /// [`ASK_WHO_IS_HERE`] counts as empty: this is for people who look at a list.
    pub async fn people_in(&self, tasks: &[TaskId]) -> Vec<Vec<UserSummary>> {
        let ask = async |task: &TaskId| {
            let mailbox = self.shared.registry.get(*task)?;
            let (reply, answer) = oneshot::channel();
            mailbox.send(RoomEvent::WhoIsHere { reply }).await.ok()?;
            answer.await.ok()
        };
        let all = tasks.iter().map(async |task| {
            let asked = tokio::time::timeout(ASK_WHO_IS_HERE, ask(task)).await;
            asked.ok().flatten().unwrap_or_default()
        });
        futures_util::future::join_all(all).await
    }

    /// Makes the text of a live document equal to `text` by the smallest edit; returns when it is stored. Fails with
    /// `file_too_large`, `not_found`, or `not_stored` (then the edit may still be stored later).
    pub async fn write_text(&self, task: TaskId, file: FileId, text: String) -> Result<FileWritten, WireError> {
        let (mut reply, answer) = oneshot::channel();
        let mut text = text;
        loop {
            let room = self.open(task).await?;
            match room.mailbox.send_back(RoomEvent::WriteText { file, text, reply }).await {
                Ok(()) => break,
                // The room ended in between: the next one takes it.
                Err(RoomEvent::WriteText { text: same_text, reply: same_reply, .. }) => {
                    (text, reply) = (same_text, same_reply);
                }
                Err(_) => return Err(WireError::plain(ErrorCode::Internal)),
            }
        }
        let limit = Duration::from_millis(self.shared.settings.barrier_ms);
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(WireError::plain(ErrorCode::NotStored)),
        }
    }

    /// For a drain, after the sockets have gone: waits until everything received is stored and what was begun is done, then
    /// ends all rooms. No room opens after it.
    pub async fn drain(&self) {
        for mailbox in self.shared.registry.drain() {
            mailbox.post(Letter::Drain);
        }
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
        if let Some(publisher) = &self.shared.publisher {
            publisher.flush(LAST_PUBLISHES).await;
        }
    }

    /// Number of open rooms.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.shared.registry.len()
    }
}

/// How long a drain waits until other nodes have been told what was stored last. They would find it in the tables.
const LAST_PUBLISHES: Duration = Duration::from_secs(2);

/// Longest wait for a room's answer in [`Rooms::people_in`].
const ASK_WHO_IS_HERE: Duration = Duration::from_millis(200);

/// Compactions share the disk with edits and are never urgent.
const COMPACTIONS_AT_ONCE: usize = 1;
/// Trials of merges at once: each has a copy of its document, and takes a core for a moment.
const TRIALS_AT_ONCE: usize = 2;

/// A cheap handle to one open room.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    mailbox: Arc<Mailbox>,
}

impl RoomHandle {
    /// Hands an event to the room; waits while the room's mailbox is full (that holds back the socket that sends too fast).
    /// Fails when the room has ended (the caller opens it again).
    pub async fn send(&self, event: RoomEvent) -> Result<(), RoomGone> {
        self.mailbox.send(event).await
    }
}

/// The room ended between opening and sending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the room has ended")]
pub struct RoomGone;
