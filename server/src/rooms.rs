//! Rooms: one task (in the sense of the runtime) per open coderoom task owns its documents, its presence and the list of
//! who is connected. Others hold a [`RoomHandle`], send [`RoomEvent`]s, and find what the room says in their outboxes.
//!
//! Nothing here knows sockets: an [`outbox::Outbox`] is a bounded queue of encoded WebSocket frames.

pub mod event;
pub mod frames;
mod log_row;
pub mod outbox;
pub mod read_text;
mod replica;
pub mod seed;
pub mod settings;
mod stored;

use std::sync::Arc;

use coderoom_backing::{bus::Bus, clock::Clock, tables::Tables};
use coderoom_protocol::{
    control::FileWritten,
    ids::{FileId, TaskId, UserId},
    problem::WireError,
    role::Role,
};
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

pub use event::{Place, RoomEvent, Session, SessionId};
pub use replica::ReplicaError;
pub use settings::RoomSettings;
pub use stored::StoredError;

/// Reads the role of a user in a task anew (`None`: no role). Asked when a membership changes while the user is connected.
pub type ReadRole =
    Arc<dyn Fn(TaskId, UserId) -> BoxFuture<'static, Result<Option<Role>, WireError>> + Send + Sync + 'static>;

/// A cheap handle to all open rooms of this node.
#[derive(Clone, Debug)]
pub struct Rooms {}

impl Rooms {
    /// No open rooms yet. Background work (one group commit for all rooms, one task per room) is counted by `tracker`.
    #[must_use]
    pub fn new(
        _tables: Tables,
        _bus: Bus,
        _clock: Clock,
        _settings: RoomSettings,
        _read_role: ReadRole,
        _tracker: &TaskTracker,
    ) -> Self {
        todo!()
    }

    /// The room of a task, opened if it is not. The caller has checked that the task exists.
    pub async fn open(&self, _task: TaskId) -> Result<RoomHandle, WireError> {
        todo!()
    }

    /// Waits until every edit that this node had received for the task before the call is stored.
    /// Fails with `not_stored` after a named time limit ([`RoomSettings::barrier_ms`]).
    pub async fn barrier(&self, _task: TaskId) -> Result<(), WireError> {
        todo!()
    }

    /// Makes the text of a live document equal to `text` by the smallest edit; returns when it is stored.
    pub async fn write_text(&self, _task: TaskId, _file: FileId, _text: String) -> Result<FileWritten, WireError> {
        todo!()
    }

    /// For a drain, after the sockets have gone: waits until everything received is stored, then ends all rooms.
    /// No room opens after it.
    pub async fn drain(&self) {
        todo!()
    }
}

/// A cheap handle to one open room.
#[derive(Clone, Debug)]
pub struct RoomHandle {}

impl RoomHandle {
    /// Hands an event to the room; waits while the room's mailbox is full (that holds back the socket that sends too fast).
    /// Fails when the room has ended (the caller opens it again).
    pub async fn send(&self, _event: RoomEvent) -> Result<(), RoomGone> {
        todo!()
    }
}

/// The room ended between opening and sending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the room has ended")]
pub struct RoomGone;
