//! Sockets: the room socket (`/ws/tasks/{id}`) and the second door (`/yjs/{task}/{path}`).

/// Limits of a socket.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Largest message from a client, in bytes.
    pub max_frame_bytes: usize,
    /// An outbox refuses edits beyond this many bytes.
    pub outbox_bytes: usize,
    /// An outbox closes its socket beyond this many bytes.
    pub outbox_hard_bytes: usize,
}
