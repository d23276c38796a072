//! What a room says, as WebSocket frames in each framing. One encoding serves all sessions with the same framing.

use bytes::Bytes;
use coderoom_protocol::{
    control::ServerMessage, frame::write, lib0::var_uint_len, role::Role, split::split_update, y_frame,
};

use super::{
    event::{Framing, Session},
    frames,
};

/// The three messages of the sync protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// A state vector.
    One = 0,
    /// What the receiver lacked.
    Two = 1,
    /// What just happened.
    Update = 2,
}

/// Appends a sync message as one frame. Sessions with text frames get none.
pub(super) fn append_sync(buffer: &mut Vec<u8>, framing: &Framing, step: Step, payload: &[u8]) {
    let prefix: &[u8] = match framing {
        Framing::Addressed(prefix) => prefix,
        Framing::Bare => &[],
        Framing::Text => return,
    };
    // Type 0 (sync) in both framings, the step, and the payload's length: in place, since this is done for every edit.
    let mut head = [0, step as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (mut end, mut rest) = (2, payload.len());
    while rest >= 0x80 {
        head[end] = (rest & 0x7f) as u8 | 0x80;
        end += 1;
        rest >>= 7;
    }
    head[end] = rest as u8;
    frames::append_binary(buffer, &[prefix, &head[..=end], payload]);
}

/// One sync message.
pub(super) fn sync(framing: &Framing, step: Step, payload: &[u8]) -> Bytes {
    let mut buffer = Vec::with_capacity(sync_len(framing, payload.len()));
    append_sync(&mut buffer, framing, step, payload);
    buffer.into()
}

/// Updates as they came, each a frame, in one buffer.
pub(super) fn updates<'a>(framing: &Framing, updates: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let length = updates.clone().map(|update| sync_len(framing, update.len())).sum();
    let mut buffer = Vec::with_capacity(length);
    for update in updates {
        append_sync(&mut buffer, framing, Step::Update, update);
    }
    buffer.into()
}

/// What a client lacked, cut into pieces when it is large: updates, the last piece in the frame that ends the sync.
pub(super) fn large_sync(framing: &Framing, last: Step, state: &Bytes, piece_bytes: usize) -> Bytes {
    let pieces = split_update(state, piece_bytes);
    let mut buffer = Vec::with_capacity(pieces.iter().map(|piece| sync_len(framing, piece.len())).sum());
    for (index, piece) in pieces.iter().enumerate() {
        append_sync(&mut buffer, framing, if index + 1 == pieces.len() { last } else { Step::Update }, piece);
    }
    buffer.into()
}

fn sync_len(framing: &Framing, payload: usize) -> usize {
    let prefix = if let Framing::Addressed(prefix) = framing { prefix.len() } else { 0 };
    frames::frame_len(prefix + 2 + var_uint_len(payload as u64) + payload)
}

/// Appends answers to step 2 or update: stored or refused, `times` over. Only the room socket has them.
pub(super) fn append_status(buffer: &mut Vec<u8>, framing: &Framing, is_stored: bool, times: u32) {
    if let Framing::Addressed(prefix) = framing {
        // Type 8.
        let status = [8, u8::from(is_stored)];
        for _ in 0..times {
            frames::append_binary(buffer, &[prefix, &status]);
        }
    }
}

/// Presence.
pub(super) fn awareness(framing: &Framing, update: &[u8]) -> Option<Bytes> {
    let mut payload = Vec::new();
    match framing {
        Framing::Addressed(prefix) => write::awareness(&mut payload, prefix, update),
        Framing::Bare => y_frame::awareness(&mut payload, update),
        Framing::Text => return None,
    }
    Some(frames::binary(&payload))
}

/// A control message, already JSON.
pub(super) fn control(framing: &Framing, json: &str) -> Option<Bytes> {
    match framing {
        Framing::Addressed(prefix) => {
            let mut payload = Vec::new();
            write::stateless(&mut payload, prefix, json);
            Some(frames::binary(&payload))
        }
        Framing::Text => Some(frames::text(json)),
        Framing::Bare => None,
    }
}

/// A control message as JSON.
pub(super) fn json(message: &ServerMessage) -> String {
    serde_json::to_string(message).unwrap_or_else(|error| {
        tracing::error!(error = %error, "a control message has no JSON form");
        String::from("{}")
    })
}

/// What the session may do from now on.
pub(super) fn role(framing: &Framing, role: Role) -> Option<Bytes> {
    let Framing::Addressed(prefix) = framing else { return None };
    let mut payload = Vec::new();
    write::auth_ok(&mut payload, prefix, role);
    Some(frames::binary(&payload))
}

/// Why the room ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The file, or the whole task, is gone.
    Deleted,
    /// The user has no role any more.
    NoRole,
    /// The document cannot be read.
    Damaged,
    /// The client sends more than fits while the document loads.
    TooMuch,
}

impl Farewell {
    /// A sentence for people, and the close code of the second door.
    fn words(self) -> (&'static str, u16) {
        match self {
            Self::Deleted => ("deleted", y_frame::CLOSE_NOT_FOUND),
            Self::NoRole => ("you have no access any more", y_frame::CLOSE_NOT_ALLOWED),
            Self::Damaged => ("the document cannot be read", 1011),
            Self::TooMuch => ("too much at once; try again", 1013),
        }
    }
}

/// Ends a session: its address on the room socket, the whole socket on the other doors.
pub(super) fn farewell(session: &Session, why: Farewell) {
    let (reason, code) = why.words();
    match &session.framing {
        Framing::Addressed(prefix) => {
            let mut payload = Vec::new();
            if why == Farewell::NoRole {
                write::auth_denied(&mut payload, prefix, reason);
            } else {
                write::close(&mut payload, prefix, reason);
            }
            session.outbox.end_session(session.id, frames::binary(&payload));
        }
        Framing::Bare | Framing::Text => session.outbox.close(code, reason),
    }
}

#[cfg(test)]
mod tests {
    use coderoom_protocol::{
        frame::{
            SyncMessage,
            as_client::{ServerFrame, ServerPayload, parse_server_frame},
            write::address_prefix,
        },
        y_frame::{YFrame, parse_y_frame},
    };

    use super::*;

    /// The payload of a single frame shorter than 126 bytes.
    fn payload(frame: &[u8]) -> &[u8] {
        &frame[2..]
    }

    #[test]
    fn frames_are_read_back_in_both_framings() {
        let framing = Framing::Addressed(address_prefix("/a.py").into());
        let frame = sync(&framing, Step::Update, b"xyz");
        let expected = ServerPayload::Sync(SyncMessage::Update(b"xyz"));
        let ServerFrame::Message { address, message } = parse_server_frame(payload(&frame)).unwrap() else {
            panic!("a message")
        };
        assert_eq!((address, message), ("/a.py", expected));
        let frame = sync(&Framing::Bare, Step::One, b"xyz");
        assert_eq!(parse_y_frame(payload(&frame)).unwrap(), YFrame::Sync(SyncMessage::Step1(b"xyz")));
        let mut status = Vec::new();
        append_status(&mut status, &framing, true, 1);
        let ServerFrame::Message { message, .. } = parse_server_frame(payload(&status)).unwrap() else {
            panic!("a message")
        };
        assert_eq!(message, ServerPayload::SyncStatus(true));
    }

    #[test]
    fn reserved_length_is_the_written_length() {
        let framing = Framing::Addressed(address_prefix("/a.py").into());
        let list = [Bytes::from(vec![1; 200]), Bytes::from_static(b"a")];
        let frames = updates(&framing, list.iter());
        assert_eq!(frames.len(), list.iter().map(|update| sync_len(&framing, update.len())).sum::<usize>());
    }
}
