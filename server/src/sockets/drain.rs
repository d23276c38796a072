//! The end of a socket because the server goes away: everything received is stored and acknowledged first.

use std::sync::Arc;

use coderoom_protocol::control::{NoticeCode, ServerMessage};

use super::{connection::Door, socket::Socket};

/// Tells who listens, and waits until the room has stored what this socket sent.
pub(super) async fn drain(socket: &Arc<Socket>, door: &Door) {
    if let Door::Room(door) = door {
        let message =
            "The server is going away. Everything you did is stored; your editor reconnects by itself.".into();
        let notice = ServerMessage::Notice { code: NoticeCode::Draining, message, file: None };
        for speaker in door.speakers() {
            speaker.say(&notice);
        }
    }
    if socket.room().is_some() {
        // What could not be stored was not acknowledged, and the client still has it.
        if let Err(error) = socket.app.rooms.barrier(socket.task).await {
            tracing::warn!(task.id = %socket.task, %error, "edits were not stored before a socket closed");
        }
    }
}
