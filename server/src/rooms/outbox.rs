//! A socket's outgoing queue: encoded WebSocket frames, bounded in bytes. The room (and the socket itself) put in,
//! the socket's task takes out and writes; nobody waits here but the log's follower.

use bytes::Bytes;

use super::event::SessionId;

/// What became of an edit put into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It will be written.
    Queued,
    /// The queue is full: nothing was put in. From now on edits of this session are refused until the queue has drained;
    /// the socket then sends [`super::RoomEvent::Drained`], and the room answers with one diff.
    Refused,
    /// The socket is gone.
    Closed,
}

/// Bounded queue of one socket.
#[derive(Debug)]
pub struct Outbox {}

impl Outbox {
    /// Puts one or more complete WebSocket frames with edits of a session.
    pub fn push_edits(&self, _session: SessionId, _frames: Bytes) -> Pushed {
        todo!()
    }

    /// Puts frames that must not be lost: answers, acknowledgements, control messages, first syncs, resync diffs.
    /// Beyond a hard bound the socket is closed (1013), so that memory stays bounded.
    pub fn push(&self, _frames: Bytes) {
        todo!()
    }

    /// Puts presence; while the queue is not empty enough a newer one of the same session replaces an older one
    /// (the room sends whole states, so replacing is harmless only for the same set: the room passes the whole presence of
    /// the place when this returns `Refused` earlier and asks again).
    pub fn push_presence(&self, _session: SessionId, _frames: Bytes) -> Pushed {
        todo!()
    }
}
