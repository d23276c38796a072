//! Encodes complete, unmasked server-to-client WebSocket frames (RFC 6455 §5.2), so that one encoding serves many sockets.

use bytes::Bytes;

/// A binary frame with this payload.
#[must_use]
pub fn binary(_payload: &[u8]) -> Bytes {
    todo!()
}

/// A text frame with this payload.
#[must_use]
pub fn text(_payload: &str) -> Bytes {
    todo!()
}
