//! What the parts of one socket share: who it is, its outbox, its way to the room, its signs of life.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use coderoom_protocol::{
    ids::{RunId, TaskId, UserId},
    problem::{ErrorCode, WireError},
};
use tokio::task::AbortHandle;

use super::{SocketSettings, attendance::Attendance, lane::Lane, wire::Inflow};
use crate::{
    app::App,
    counted::{Counted, PerKey},
    people::Identity,
    rooms::{RoomEvent, RoomHandle, SessionId, event::ConnectionId, outbox::Outbox},
};

/// Seconds after which a refused client may try again: some socket will have closed by then, or not.
const AGAIN_S: u64 = 10;

/// The refusal of one socket more than somebody may have.
pub(super) fn too_many_sockets(limit: usize) -> WireError {
    let message = format!("You have {limit} connections open, and that is the most. Close one first.");
    WireError::new(ErrorCode::TooManyRequests, message).retry_after(AGAIN_S)
}

/// One open socket. Shared by its task, by the requests it made, and by its followers of logs.
#[derive(Debug)]
pub(super) struct Socket {
    /// The server it belongs to.
    pub(super) app: Arc<App>,
    /// Unique in the process.
    pub(super) id: ConnectionId,
    /// The task in its URL.
    pub(super) task: TaskId,
    /// Who opened it, as far as the upgrade request said.
    pub(super) identity: Option<Identity>,
    /// The socket as one of its user's, once the user is known.
    counted: Mutex<Option<Counted<UserId>>>,
    /// The socket as one of its address.
    _of_address: Counted<IpAddr>,
    per_user: PerKey<UserId>,
    /// Where its sessions are noted while they are attached.
    pub(super) attendance: Attendance,
    /// What came in and is not done with.
    pub(super) inflow: Arc<Inflow>,
    /// What is to be written.
    pub(super) outbox: Arc<Outbox>,
    /// A frame arrived since the watch looked last.
    pub(super) heard: AtomicBool,
    /// Bytes were written since the watch looked last.
    pub(super) spoke: AtomicBool,
    /// The client has said who it is, or was told that it may not come in.
    pub(super) introduced: AtomicBool,
    /// A frame that every client takes as a sign of life and does nothing with.
    pub(super) keep_alive: Mutex<Option<Bytes>>,
    /// Requests of the control channel that wait or run.
    pub(super) lane: Lane,
    /// Followers of logs, by the session that asked.
    pub(super) followers: Mutex<HashMap<(SessionId, RunId), AbortHandle>>,
    /// The room, once it was opened. Replaced when it had ended.
    room: Mutex<Option<RoomHandle>>,
}

impl Socket {
    /// A socket that nobody writes to yet. `too_many_requests` when its user has too many already.
    pub(super) fn new(
        app: Arc<App>,
        (per_user, attendance): (PerKey<UserId>, Attendance),
        of_address: Counted<IpAddr>,
        task: TaskId,
        identity: Option<Identity>,
    ) -> Result<Arc<Self>, WireError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let outbox = Arc::new(Outbox::new(app.socket_settings.outbox()));
        let lane = Lane::new(app.socket_settings.open_request_bytes);
        let inflow = Inflow::new(identity.is_some(), &app.socket_settings);
        let user = identity.as_ref().map(|identity| identity.user);
        let socket = Self {
            counted: Mutex::new(None),
            _of_address: of_address,
            per_user,
            attendance,
            app,
            id: ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            task,
            identity,
            inflow,
            outbox,
            heard: AtomicBool::new(false),
            spoke: AtomicBool::new(false),
            introduced: AtomicBool::new(false),
            keep_alive: Mutex::new(None),
            lane,
            followers: Mutex::default(),
            room: Mutex::new(None),
        };
        if let Some(user) = user {
            socket.count_for(user)?;
        }
        Ok(Arc::new(socket))
    }

    /// Counts the socket as this user's, unless it is somebody's already.
    pub(super) fn count_for(&self, user: UserId) -> Result<(), WireError> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.is_none() {
            let limit = self.settings().max_per_user;
            *counted = Some(self.per_user.count(user, limit).ok_or_else(|| too_many_sockets(limit))?);
        }
        self.inflow.know();
        Ok(())
    }

    /// The client has said who it is, or was told that it may not come in. `keep_alive` is sent when nothing else is.
    pub(super) fn introduce(&self, keep_alive: Bytes) {
        self.introduced.store(true, Ordering::Relaxed);
        *self.keep_alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(keep_alive);
    }

    pub(super) fn settings(&self) -> &SocketSettings {
        &self.app.socket_settings
    }

    /// A session id that nobody had before.
    pub(super) fn new_session() -> SessionId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        SessionId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The room, if this socket has opened it.
    pub(super) fn room(&self) -> Option<RoomHandle> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the room (again), for sessions to attach to.
    pub(super) async fn open_room(&self) -> Result<RoomHandle, WireError> {
        let room = self.app.rooms.open(self.task).await?;
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room.clone());
        Ok(room)
    }

    /// Tells the room something about a session that is attached. Waits while the room's mailbox is full: that holds back
    /// the client that sends too fast. A room that has ended under its sessions ends the socket: the client comes back
    /// and finds the room as it is stored.
    pub(super) async fn tell_room(&self, event: RoomEvent) {
        let Some(room) = self.room() else { return };
        if room.send(event).await.is_err() {
            self.outbox.close(1012, "the room was restarted; reconnect");
        }
    }

    /// Ends what runs beside the socket's task, and frees the queue.
    pub(super) fn end(&self) {
        self.outbox.abandon();
        let followers = std::mem::take(&mut *self.followers.lock().unwrap_or_else(PoisonError::into_inner));
        for follower in followers.into_values() {
            follower.abort();
        }
    }
}
