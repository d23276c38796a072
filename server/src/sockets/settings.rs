//! The limits of a socket, each with its unit and default.

use std::time::Duration;

use crate::rooms::outbox::OutboxLimits;

/// Limits of a socket.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Largest message from a client in bytes.
    pub max_frame_bytes: usize,
    /// An outbox refuses edits beyond this many bytes.
    pub outbox_bytes: usize,
    /// An outbox closes its socket beyond this many bytes.
    pub outbox_hard_bytes: usize,
    /// Sockets one user may have open at once on this node.
    pub max_per_user: usize,
    /// Sockets one address may have open at once on this node.
    pub max_per_address: usize,
    /// Frames a client may send in a second; a faster one is read more slowly.
    pub max_frames_per_second: u32,
    /// Bytes a client may send in a second; a faster one is read more slowly.
    pub max_bytes_per_second: usize,
    /// Bytes a client may send before it has said who it is.
    pub unknown_bytes: usize,
    /// A message of more than 64 KiB must be whole after this time.
    pub message_within: Duration,
    /// Bytes of frames that wait for a token, in all addresses of a socket together.
    pub waiting_bytes: usize,
    /// Frames that wait for a token, in all addresses of a socket together.
    pub waiting_frames: usize,
    /// Addresses of a socket that wait for a token.
    pub waiting_addresses: usize,
    /// Addresses that one socket may use.
    pub max_addresses: usize,
    /// Addresses of one socket that may stand for the same document, or for the task, by differing session ids.
    pub max_sessions_of_document: usize,
    /// Bytes of requests of the control channel that one socket may have unanswered, where each counts as 128 KiB at
    /// least; more are read later.
    pub open_request_bytes: usize,
    /// Logs that one socket may follow at once.
    pub max_followed_logs: usize,
    /// A sign of life is sent after this much silence of ours. Stock clients hang up after 30 s.
    pub keep_alive: Duration,
    /// A client must have introduced itself after this time.
    pub introduce_within: Duration,
    /// A client that said nothing for this long is pinged.
    pub ping_after: Duration,
    /// A client that said nothing for this long, in spite of pings, is dead; so is one that took nothing for this long.
    pub dead_after: Duration,
    /// Time that a closing socket has for what is still queued.
    pub close_within: Duration,
}

impl SocketSettings {
    /// The bounds of each socket's outbox.
    #[must_use]
    pub fn outbox(&self) -> OutboxLimits {
        OutboxLimits { edits_bytes: self.outbox_bytes, hard_bytes: self.outbox_hard_bytes }
    }
}

impl Default for SocketSettings {
    fn default() -> Self {
        let outbox = OutboxLimits::default();
        Self {
            max_frame_bytes: 4 * 1024 * 1024,
            outbox_bytes: outbox.edits_bytes,
            outbox_hard_bytes: outbox.hard_bytes,
            max_per_user: 500,
            max_per_address: 5_000,
            max_frames_per_second: 20_000,
            max_bytes_per_second: 16 * 1024 * 1024,
            unknown_bytes: 512 * 1024,
            message_within: Duration::from_secs(60),
            waiting_bytes: 5 * 1024 * 1024,
            waiting_frames: 1000,
            waiting_addresses: 100,
            max_addresses: 1000,
            max_sessions_of_document: 16,
            open_request_bytes: 8 * 1024 * 1024,
            max_followed_logs: 16,
            keep_alive: Duration::from_secs(15),
            introduce_within: Duration::from_secs(60),
            ping_after: Duration::from_secs(20),
            dead_after: Duration::from_secs(60),
            close_within: Duration::from_secs(5),
        }
    }
}
