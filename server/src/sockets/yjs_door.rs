//! The second door, for `y-websocket` and its relatives: one document a socket, no addresses.

use std::sync::Arc;

use bytes::Bytes;
use coderoom_protocol::{
    frame::SyncMessage,
    problem::{ErrorCode, WireError},
    tree::NodeKind,
    y_frame::{self, CLOSE_NOT_ALLOWED, CLOSE_NOT_FOUND, CLOSE_SIGN_IN, YFrame},
};

use super::{authenticate::attach_session, receive::count_refused, say, socket::Socket};
use crate::rooms::{Place, RoomEvent, SessionId, event::Framing};

/// A socket with one document.
#[derive(Debug)]
pub(super) struct YjsDoor {
    socket: Arc<Socket>,
    session: SessionId,
}

impl YjsDoor {
    /// Finds (or makes) the document and attaches to it. When that may not be, the socket is closed with a code that tells
    /// the client to stop: refusing the upgrade would make it try for ever.
    pub(super) async fn open(socket: Arc<Socket>, path: &str, create: bool) -> Self {
        let session = Socket::new_session();
        socket.introduce(say::bare_keep_alive());
        if let Err(error) = attach(&socket, session, path, create).await {
            let code = match error.code {
                ErrorCode::SignInRequired => CLOSE_SIGN_IN,
                ErrorCode::NotAllowed | ErrorCode::OriginRefused => CLOSE_NOT_ALLOWED,
                ErrorCode::Unavailable | ErrorCode::Internal => 1013,
                _ => CLOSE_NOT_FOUND,
            };
            socket.outbox.close(code, error.message);
        }
        Self { socket, session }
    }

    /// A frame: one message.
    pub(super) async fn binary(&mut self, bytes: &[u8]) {
        let session = self.session;
        let event = match y_frame::parse_y_frame(bytes) {
            Ok(YFrame::Sync(SyncMessage::Step1(state_vector))) => {
                RoomEvent::SyncStep1 { session, state_vector: Bytes::copy_from_slice(state_vector) }
            }
            Ok(YFrame::Sync(SyncMessage::Step2(update))) => {
                RoomEvent::Update { session, update: Bytes::copy_from_slice(update), is_step2: true }
            }
            Ok(YFrame::Sync(SyncMessage::Update(update))) => {
                RoomEvent::Update { session, update: Bytes::copy_from_slice(update), is_step2: false }
            }
            Ok(YFrame::Awareness(update)) => RoomEvent::Awareness { session, update: Bytes::copy_from_slice(update) },
            Ok(YFrame::QueryAwareness) => RoomEvent::QueryAwareness { session },
            Ok(YFrame::AuthDenied(_) | YFrame::Unknown(_)) => return count_refused("unknown_type"),
            Err(_) => return count_refused("unreadable"),
        };
        self.socket.tell_room(event).await;
    }

    /// Detaches: the socket ends.
    pub(super) async fn end(&mut self) {
        self.socket.attendance.forget(self.session);
        self.socket.tell_room(RoomEvent::Detach { session: self.session }).await;
    }
}

async fn attach(socket: &Arc<Socket>, session: SessionId, path: &str, create: bool) -> Result<(), WireError> {
    let app = &socket.app;
    let identity =
        socket.identity.as_ref().ok_or_else(|| WireError::new(ErrorCode::SignInRequired, "sign in first"))?;
    let standing = app.people.known_standing(identity, socket.task).await?.ok_or_else(not_found)?;
    let mut file = app.tasks.file_at(socket.task, path).await?;
    if file.is_none() && create {
        if !standing.role.may_edit() {
            return Err(WireError::new(ErrorCode::NotAllowed, "your role does not allow new files"));
        }
        app.people.check_upload(socket.task).await?;
        match app.tasks.create_text(socket.task, identity, path, "").await {
            Ok(_) => {}
            // Somebody else was quicker.
            Err(error) if error.code == ErrorCode::PathTaken => {}
            Err(error) => return Err(error),
        }
        file = app.tasks.file_at(socket.task, path).await?;
    }
    let file = file.filter(|file| file.kind == NodeKind::Text).ok_or_else(not_found)?;
    attach_session(socket, session, identity, standing, Framing::Bare, Place::File(file.id)).await
}

fn not_found() -> WireError {
    WireError::new(ErrorCode::NotFound, "not found")
}
