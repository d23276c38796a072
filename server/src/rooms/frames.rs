//! Encodes complete, unmasked server-to-client WebSocket frames (RFC 6455 §5.2), so that one encoding serves many
//! sockets: a room encodes what a commit says once per form of address and hands the same [`Bytes`] to every member.
//!
//! Payloads are given in parts and their length is known before the first byte is written: one allocation per buffer,
//! however many frames it holds, and no byte is moved twice.

use bytes::Bytes;

/// Final text frame.
const TEXT: u8 = 0x81;
/// Final binary frame.
const BINARY: u8 = 0x82;
/// Close.
const CLOSE: u8 = 0x88;
/// Ping.
const PING: u8 = 0x89;

/// Longest header of a server frame in bytes: two bytes and a 64-bit length, no mask.
pub const MAX_HEADER_BYTES: usize = 10;
/// Longest reason of a close frame in bytes: control frames hold 125, two of them are the code.
const MAX_CLOSE_REASON_BYTES: usize = 123;

/// A binary frame with this payload.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    binary_of(&[payload])
}

/// A binary frame whose payload is these parts, one after the other.
#[must_use]
pub fn binary_of(parts: &[&[u8]]) -> Bytes {
    let length = payload_len(parts);
    let mut buffer = Vec::with_capacity(header_len(length) + length);
    append(&mut buffer, BINARY, parts, length);
    buffer.into()
}

/// A text frame with this payload.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    let mut buffer = Vec::with_capacity(header_len(payload.len()) + payload.len());
    append_text(&mut buffer, payload);
    buffer.into()
}

/// Appends a binary frame whose payload is these parts to `buffer`: for several frames in one buffer.
pub fn append_binary(buffer: &mut Vec<u8>, parts: &[&[u8]]) {
    append(buffer, BINARY, parts, payload_len(parts));
}

/// Appends a text frame to `buffer`.
pub fn append_text(buffer: &mut Vec<u8>, payload: &str) {
    append(buffer, TEXT, &[payload.as_bytes()], payload.len());
}

/// An empty WebSocket ping.
#[must_use]
pub fn ping() -> Bytes {
    Bytes::from_static(&[PING, 0])
}

/// A close frame. A reason that does not fit is cut at a character.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(MAX_CLOSE_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let parts: [&[u8]; 2] = [&code.to_be_bytes(), &reason.as_bytes()[..end]];
    let mut buffer = Vec::with_capacity(4 + end);
    append(&mut buffer, CLOSE, &parts, 2 + end);
    buffer.into()
}

/// Bytes that a binary frame with a payload of `length` bytes takes: to reserve a buffer for several frames at once.
#[must_use]
pub fn frame_len(length: usize) -> usize {
    header_len(length) + length
}

fn payload_len(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

fn header_len(length: usize) -> usize {
    match length {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => MAX_HEADER_BYTES,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
fn append(buffer: &mut Vec<u8>, first_byte: u8, parts: &[&[u8]], length: usize) {
    buffer.reserve(header_len(length) + length);
    buffer.push(first_byte);
    match length {
        0..=125 => buffer.push(length as u8),
        126..=0xffff => {
            buffer.push(126);
            buffer.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            buffer.push(127);
            buffer.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    for part in parts {
        buffer.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::{
        Message,
        protocol::{Role, WebSocket},
    };

    use super::*;

    fn read_all(bytes: &[u8]) -> Vec<Message> {
        let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Client, None);
        let mut messages = Vec::new();
        while let Ok(message) = socket.read() {
            messages.push(message);
        }
        messages
    }

    #[test]
    fn frames_of_every_header_size_read_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
            let payload = vec![b'x'; length];
            let frame = binary(&payload);
            assert_eq!(frame.len(), frame_len(length));
            assert_eq!(read_all(&frame), [Message::Binary(payload.clone().into())]);
            assert_eq!(read_all(&text(&"x".repeat(length))), [Message::Text("x".repeat(length).into())]);
        }
    }

    #[test]
    fn several_frames_share_a_buffer() {
        let mut buffer = Vec::new();
        append_binary(&mut buffer, &[b"ab", b"", b"c"]);
        append_text(&mut buffer, "d");
        assert_eq!(read_all(&buffer), [Message::Binary("abc".into()), Message::Text("d".into())]);
        assert_eq!(binary_of(&[b"ab", b"c"]), binary(b"abc"));
    }

    #[test]
    fn close_reason_is_cut_at_a_character() {
        let frame = close(1001, &"ä".repeat(100));
        let [Message::Close(Some(close))] = &read_all(&frame)[..] else { panic!("one close frame") };
        assert_eq!(u16::from(close.code), 1001);
        assert_eq!(close.reason.as_str(), "ä".repeat(61));
    }
}
