//! The framing of the second door: `y-websocket` and its relatives. One document per socket, so no
//! address; one message per frame: `varUint type, payload`.
//!
//! Version 3 of the client reads only the first message of a frame, so the server never joins two.

use crate::{
    frame::{FrameError, SyncMessage, read_sync},
    lib0::{Reader, write_bytes, write_string},
};

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

/// Close code for "sign in first". Clients from 3.1 on stop at codes from 4400 to 4499.
pub const CLOSE_SIGN_IN: u16 = 4401;
/// Close code for "your role does not allow this".
pub const CLOSE_NOT_ALLOWED: u16 = 4403;
/// Close code for "not there, not yours, or deleted".
pub const CLOSE_NOT_FOUND: u16 = 4404;

/// A frame of the second door, from either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YFrame<'a> {
    /// Document synchronisation.
    Sync(SyncMessage<'a>),
    /// Presence: an awareness update.
    Awareness(&'a [u8]),
    /// Tell me all presence you know.
    QueryAwareness,
    /// Permission denied, for this reason. Only servers say this; clients log it.
    AuthDenied(&'a str),
    /// A type that this version does not know. It is counted and ignored.
    Unknown(u64),
}

/// Reads one frame. Allocates nothing; bytes after the message are ignored.
pub fn parse_y_frame(bytes: &[u8]) -> Result<YFrame<'_>, FrameError> {
    let mut reader = Reader::new(bytes);
    Ok(match reader.var_uint(u64::from(u32::MAX))? {
        SYNC => YFrame::Sync(read_sync(&mut reader)?),
        AWARENESS => YFrame::Awareness(reader.var_bytes()?),
        AUTH => {
            if reader.var_uint(u64::from(u8::MAX))? != 0 {
                return Err(FrameError::UnknownSort);
            }
            YFrame::AuthDenied(reader.var_string()?)
        }
        QUERY_AWARENESS => YFrame::QueryAwareness,
        unknown => YFrame::Unknown(unknown),
    })
}

/// Appends a sync message as one frame.
pub fn sync(out: &mut Vec<u8>, message: SyncMessage<'_>) {
    let (sort, bytes) = message.parts();
    out.reserve(bytes.len() + 7);
    out.extend_from_slice(&[SYNC as u8, sort]);
    write_bytes(out, bytes);
}

/// Appends an encoded awareness update as one frame.
pub fn awareness(out: &mut Vec<u8>, update: &[u8]) {
    out.reserve(update.len() + 6);
    out.push(AWARENESS as u8);
    write_bytes(out, update);
}

/// Appends presence of nobody: a sign of life. Clients hang up after 30 s of silence.
pub fn keep_alive(out: &mut Vec<u8>) {
    awareness(out, &[0]);
}

/// Appends the question for all presence.
pub fn query_awareness(out: &mut Vec<u8>) {
    out.push(QUERY_AWARENESS as u8);
}

/// Appends the refusal, which clients log. Close the socket with one of the codes above after it.
pub fn auth_denied(out: &mut Vec<u8>, reason: &str) {
    out.extend_from_slice(&[AUTH as u8, 0]);
    write_string(out, reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let cases = [
            YFrame::Sync(SyncMessage::Step1(&[0])),
            YFrame::Sync(SyncMessage::Step2(&[0, 0])),
            YFrame::Sync(SyncMessage::Update(&[1; 200])),
            YFrame::Awareness(&[0]),
            YFrame::QueryAwareness,
            YFrame::AuthDenied("sign in first"),
        ];
        for frame in cases {
            let mut out = Vec::new();
            match frame {
                YFrame::Sync(message) => sync(&mut out, message),
                YFrame::Awareness(update) => awareness(&mut out, update),
                YFrame::QueryAwareness => query_awareness(&mut out),
                YFrame::AuthDenied(reason) => auth_denied(&mut out, reason),
                YFrame::Unknown(_) => unreachable!("not among the cases"),
            }
            assert_eq!(parse_y_frame(&out), Ok(frame));
        }
    }

    #[test]
    fn unknown_types_are_told_and_broken_frames_refused() {
        // 102 is the sync status of y-sweet.
        assert_eq!(parse_y_frame(&[102, 1, 0]), Ok(YFrame::Unknown(102)));
        assert!(parse_y_frame(&[]).is_err());
        assert!(parse_y_frame(&[0, 0]).is_err());
        assert!(parse_y_frame(&[0, 3, 0]).is_err());
        assert!(parse_y_frame(&[1, 9, 0]).is_err());
    }
}
