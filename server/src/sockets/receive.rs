//! The table of contents of the room socket: what a client can say, and who deals with it.

use std::sync::Arc;

use bytes::Bytes;
use coderoom_protocol::frame::{self, ClientFrame, ClientPayload, SyncMessage, write};

use super::{
    addresses::{Address, Addresses, Attached, Kept},
    control::{self, Speaker},
    say,
    socket::Socket,
};
use crate::rooms::{RoomEvent, SessionId};

/// What one room socket has said so far, and what it means.
#[derive(Debug)]
pub(super) struct RoomDoor {
    pub(super) socket: Arc<Socket>,
    pub(super) addresses: Addresses,
    /// The control channel as text frames, on sockets that asked for it.
    pub(super) text: Option<Arc<Speaker>>,
}

impl RoomDoor {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, addresses: Addresses::default(), text: None }
    }

    /// A binary frame. Waits while the room or the lane of requests is full.
    pub(super) async fn binary(&mut self, bytes: Bytes) {
        match frame::parse_frame(&bytes) {
            Ok(ClientFrame::Ping) => self.socket.outbox.push(say::pong()),
            Ok(ClientFrame::Pong) => {}
            Ok(ClientFrame::Message { address, message }) => self.message(address, message, &bytes).await,
            // Frames are separate messages: the next one may be good.
            Err(_) => count_refused("unreadable"),
        }
    }

    /// A text frame.
    pub(super) async fn text(&mut self, text: &str) {
        match &self.text {
            Some(speaker) => Box::pin(control::hear(speaker, text)).await,
            None => count_refused("text"),
        }
    }

    async fn message(&mut self, address: &str, message: ClientPayload<'_>, bytes: &[u8]) {
        for session in self.socket.outbox.take_ended() {
            self.addresses.end(session);
        }
        match message {
            ClientPayload::Auth { token, .. } => Box::pin(self.authenticate(address, token)).await,
            ClientPayload::Close => self.detach(address).await,
            ClientPayload::Forbidden(_) => count_refused("forbidden_type"),
            ClientPayload::Unknown(_) => count_refused("unknown_type"),
            ClientPayload::Sync(_)
            | ClientPayload::Awareness(_)
            | ClientPayload::QueryAwareness
            | ClientPayload::Stateless(_) => match self.addresses.get(address) {
                Some(Address::Attached(attached)) => hand_over(&self.socket, attached, message).await,
                Some(Address::Denied) => {}
                Some(Address::Closed) => {
                    self.socket.outbox.push(say::auth_ask(&write::address_prefix(address)));
                    Box::pin(self.before_auth(address, message, bytes)).await;
                }
                Some(Address::Waiting(_)) | None => Box::pin(self.before_auth(address, message, bytes)).await,
            },
        }
    }

    /// Clients before version 3 send no Auth when they have no token, and begin with step 1.
    async fn before_auth(&mut self, address: &str, message: ClientPayload<'_>, bytes: &[u8]) {
        if self.addresses.keep(address, bytes, self.socket.settings()) == Kept::Overflow {
            count_refused("before_auth");
            return self.deny(address, "too much was sent before the token").await;
        }
        if matches!(message, ClientPayload::Sync(SyncMessage::Step1(_))) {
            self.authenticate(address, "").await;
        }
    }

    async fn detach(&mut self, address: &str) {
        if let Some(Address::Attached(attached)) = self.addresses.take(address) {
            self.detach_session(attached.session).await;
        }
    }

    pub(super) async fn detach_session(&mut self, session: SessionId) {
        control::stop_following_all(&self.socket, session);
        self.socket.attendance.forget(session);
        self.socket.tell_room(RoomEvent::Detach { session }).await;
    }

    /// Detaches everything: the socket ends.
    pub(super) async fn end(&mut self) {
        let text = self.text.take().map(|speaker| speaker.session);
        let sessions: Vec<SessionId> = self.addresses.attached().map(|attached| attached.session).chain(text).collect();
        for session in sessions {
            self.socket.attendance.forget(session);
            self.socket.tell_room(RoomEvent::Detach { session }).await;
        }
        self.addresses = Addresses::default();
    }

    /// Those who hear events of the task on this socket.
    pub(super) fn speakers(&self) -> impl Iterator<Item = &Arc<Speaker>> {
        self.addresses.attached().filter_map(|attached| attached.speaker.as_ref()).chain(&self.text)
    }
}

/// Passes on what an attached address says.
pub(super) async fn hand_over(socket: &Arc<Socket>, attached: &Attached, message: ClientPayload<'_>) {
    let session = attached.session;
    let event = match message {
        ClientPayload::Sync(SyncMessage::Step1(state_vector)) => {
            RoomEvent::SyncStep1 { session, state_vector: Bytes::copy_from_slice(state_vector) }
        }
        ClientPayload::Sync(SyncMessage::Step2(update)) => {
            RoomEvent::Update { session, update: Bytes::copy_from_slice(update), is_step2: true }
        }
        ClientPayload::Sync(SyncMessage::Update(update)) => {
            RoomEvent::Update { session, update: Bytes::copy_from_slice(update), is_step2: false }
        }
        ClientPayload::Awareness(update) => RoomEvent::Awareness { session, update: Bytes::copy_from_slice(update) },
        ClientPayload::QueryAwareness => RoomEvent::QueryAwareness { session },
        ClientPayload::Stateless(text) => {
            return match &attached.speaker {
                Some(speaker) => Box::pin(control::hear(speaker, text)).await,
                // Documents have no control channel; nobody listens there.
                None => count_refused("stateless"),
            };
        }
        ClientPayload::Auth { .. } | ClientPayload::Close | ClientPayload::Forbidden(_) | ClientPayload::Unknown(_) => {
            return;
        }
    };
    socket.tell_room(event).await;
}

/// Counts a frame that nothing came of.
pub(super) fn count_refused(why: &'static str) {
    metrics::counter!("coderoom_frames_refused_total", "why" => why).increment(1);
}
