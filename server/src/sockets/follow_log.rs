//! Sends the log of a run to one session, at the pace at which its socket takes it. A slow reader slows down nobody:
//! its follower waits for room in the outbox and goes on from storage.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use coderoom_protocol::{
    control::ServerMessage,
    ids::RunId,
    problem::{ErrorCode, WireError},
};
use coderoom_worker::log::{LogEvent, LogPiece, LogReader};
use tokio::time::{sleep, timeout};

use super::{control::Speaker, say};

/// Bytes of a log in one message.
const PIECE_BYTES: usize = 32 * 1024;
/// How long the first bytes of a character may wait for the rest of it.
const CHARACTER_PATIENCE: Duration = Duration::from_millis(100);
/// Pause before reading again when storage does not answer.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Begins to follow; who follows the run already, goes on at the new offset.
pub(super) async fn begin(speaker: &Arc<Speaker>, run: RunId, offset: u64) -> Result<(), WireError> {
    let socket = &speaker.socket;
    let reader = LogReader::open(&socket.app.runs, run, offset).await?;
    let key = (speaker.session, run);
    let mut followers = socket.followers.lock().unwrap_or_else(PoisonError::into_inner);
    followers.retain(|_, follower| !follower.is_finished());
    let limit = socket.settings().max_followed_logs;
    if !followers.contains_key(&key) && followers.len() >= limit {
        let message = format!("You follow {limit} logs on this connection, and that is the most. Unfollow one first.");
        return Err(WireError::new(ErrorCode::TooManyRequests, message));
    }
    if socket.outbox.is_closed() {
        return Ok(());
    }
    let task = tokio::spawn(follow(Arc::clone(speaker), run, reader));
    if let Some(before) = followers.insert(key, task.abort_handle()) {
        before.abort();
    }
    Ok(())
}

/// Stops following; nothing happens when nobody followed.
pub(super) fn end(speaker: &Speaker, run: RunId) {
    let mut followers = speaker.socket.followers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(follower) = followers.remove(&(speaker.session, run)) {
        follower.abort();
    }
}

async fn follow(speaker: Arc<Speaker>, run: RunId, mut reader: LogReader) {
    let outbox = &speaker.socket.outbox;
    let mut cut: Option<LogPiece> = None;
    while outbox.wait_for_log_room().await {
        let event = match &cut {
            None => reader.next(PIECE_BYTES).await,
            Some(_) => match timeout(CHARACTER_PATIENCE, reader.next(PIECE_BYTES)).await {
                Ok(event) => event,
                Err(_) => {
                    // The program wrote half a character and waits.
                    send(&speaker, run, cut.take());
                    continue;
                }
            },
        };
        match event {
            Ok(LogEvent::Piece(piece)) => {
                let (before, whole) = join(cut.take(), piece);
                send(&speaker, run, before);
                let (whole, rest) = split_at_character(whole);
                send(&speaker, run, whole);
                cut = rest;
            }
            Ok(LogEvent::End { size, sha256, truncated }) => {
                send(&speaker, run, cut.take());
                let end = ServerMessage::LogEnd { run, size, sha256, truncated };
                outbox.push_log(say::control(&speaker.framing, &end));
                return;
            }
            Ok(LogEvent::Wait) => {}
            Err(error) if error.code == ErrorCode::NotFound => return,
            Err(error) => {
                tracing::warn!(run.id = %run, %error, "a log could not be read; trying again");
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

fn send(speaker: &Speaker, run: RunId, piece: Option<LogPiece>) {
    let Some(piece) = piece else { return };
    let end = piece.end();
    let LogPiece { offset, stream, at, bytes } = piece;
    let (text, base64) = match std::str::from_utf8(&bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(&bytes).into_owned(), Some(STANDARD.encode(&bytes))),
    };
    let message = ServerMessage::Log { run, offset, end, stream, at, text, base64 };
    speaker.socket.outbox.push_log(say::control(&speaker.framing, &message));
}

/// Puts the beginning of a character before the piece that has the rest of it; gives it back alone when what follows comes
/// from another stream.
fn join(cut: Option<LogPiece>, piece: LogPiece) -> (Option<LogPiece>, LogPiece) {
    match cut {
        Some(cut) if cut.stream == piece.stream && cut.end() == piece.offset => {
            let bytes = [&cut.bytes[..], &piece.bytes[..]].concat().into();
            (None, LogPiece { offset: cut.offset, stream: cut.stream, at: cut.at, bytes })
        }
        other => (other, piece),
    }
}

/// Cuts off the beginning of a character whose rest has not come yet. Bytes that are no UTF-8 at all stay.
fn split_at_character(piece: LogPiece) -> (Option<LogPiece>, Option<LogPiece>) {
    let whole = match std::str::from_utf8(&piece.bytes) {
        Ok(_) => return (Some(piece), None),
        Err(_) => piece.bytes.len() - unfinished_character(&piece.bytes),
    };
    let LogPiece { offset, stream, at, bytes } = piece;
    let part = |offset: u64, bytes: bytes::Bytes| (!bytes.is_empty()).then(|| LogPiece { offset, stream, at, bytes });
    (part(offset, bytes.slice(..whole)), part(offset + whole as u64, bytes.slice(whole..)))
}

/// Bytes at the end that begin a character and lack its rest: 0 to 3.
fn unfinished_character(bytes: &[u8]) -> usize {
    let last_three = bytes.iter().rev().take(3).enumerate();
    for (index, byte) in last_three {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        return if index + 1 < length { index + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use coderoom_protocol::control::LogStream;

    use super::*;

    fn piece(offset: u64, bytes: &'static [u8]) -> LogPiece {
        LogPiece { offset, stream: LogStream::Out, at: 1, bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn characters_are_not_cut_between_pieces() {
        let text = "aä中😀".as_bytes();
        for cut_at in 0..=text.len() {
            let first = LogPiece { bytes: text[..cut_at].to_vec().into(), ..piece(10, b"") };
            let second = LogPiece { bytes: text[cut_at..].to_vec().into(), ..piece(10 + cut_at as u64, b"") };
            let (whole, rest) = split_at_character(first);
            assert!(whole.as_ref().is_none_or(|whole| std::str::from_utf8(&whole.bytes).is_ok()));
            let (before, second) = join(rest, second);
            assert_eq!(before, None);
            assert_eq!(whole.as_ref().map_or(10, LogPiece::end), second.offset);
            assert!(std::str::from_utf8(&second.bytes).is_ok());
            assert_eq!(second.end(), 10 + text.len() as u64);
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_where_they_are() {
        let (whole, rest) = split_at_character(piece(0, b"ok\xff\xfe"));
        assert_eq!((whole, rest), (Some(piece(0, b"ok\xff\xfe")), None));
        let (whole, rest) = split_at_character(piece(0, b"\xff\xe4\xb8"));
        assert_eq!((whole, rest), (Some(piece(0, b"\xff")), Some(piece(1, b"\xe4\xb8"))));
        assert_eq!(unfinished_character(b"\x80\x80\x80\x80"), 0);
    }

    #[test]
    fn beginning_of_a_character_is_given_back_when_another_stream_follows() {
        let other = LogPiece { stream: LogStream::Err, ..piece(2, b"x") };
        let (before, next) = join(Some(piece(0, b"\xe4\xb8")), other.clone());
        assert_eq!((before, next), (Some(piece(0, b"\xe4\xb8")), other));
    }
}
