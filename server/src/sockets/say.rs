//! Encodes what the socket itself says: answers to Auth, control messages, signs of life. Whole WebSocket frames.

use bytes::Bytes;
use coderoom_protocol::{control::ServerMessage, frame::write, role::Role, y_frame};

use crate::rooms::{event::Framing, frames};

/// A frame of the room socket that `write` appends.
fn framed(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut payload = Vec::new();
    write(&mut payload);
    frames::binary(&payload)
}

/// The token is good.
pub(super) fn auth_ok(prefix: &[u8], role: Role) -> Bytes {
    framed(|out| write::auth_ok(out, prefix, role))
}

/// The token is not good, or the address names nothing.
pub(super) fn auth_denied(prefix: &[u8], reason: &str) -> Bytes {
    framed(|out| write::auth_denied(out, prefix, reason))
}

/// Send the token again.
pub(super) fn auth_ask(prefix: &[u8]) -> Bytes {
    framed(|out| write::auth_ask(out, prefix))
}

/// The answer to a one-byte ping.
pub(super) fn pong() -> Bytes {
    frames::binary(&write::PONG)
}

/// Presence of nobody, for an address of the room socket.
pub(super) fn keep_alive(prefix: &[u8]) -> Bytes {
    framed(|out| write::keep_alive(out, prefix))
}

/// Presence of nobody, for the second door.
pub(super) fn bare_keep_alive() -> Bytes {
    framed(y_frame::keep_alive)
}

/// A control message in the form this session asked for: a text frame, or Stateless. The second door has none.
pub(super) fn control(framing: &Framing, message: &ServerMessage) -> Bytes {
    let json = match serde_json::to_string(message) {
        Ok(json) => json,
        Err(error) => {
            // Only maps with keys that are no texts fail, and the messages have none.
            tracing::error!(%error, "a control message could not be encoded");
            return Bytes::new();
        }
    };
    match framing {
        Framing::Text => frames::text(&json),
        Framing::Addressed(prefix) => framed(|out| write::stateless(out, prefix, &json)),
        Framing::Bare => Bytes::new(),
    }
}
