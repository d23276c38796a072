//! Frames of the room socket in the Hocuspocus framing, seen from the server: reading what clients
//! send, writing what the server answers ([`write`]). The other side of the wire is in [`as_client`].
//!
//! A frame is `varString address, varUint type, payload`; a ping or pong is a frame of one single byte.
//! Bytes after a message are ignored, since newer clients append fields (v4 appended its version to Auth).

pub mod as_client;
pub mod write;

use thiserror::Error;

use crate::{
    address::MAX_ADDRESS_BYTES,
    lib0::{ReadError, Reader},
};

/// Longest token in Auth, in bytes: JSON web tokens with many claims reach a few thousand.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Longest client version in Auth, in bytes.
pub const MAX_VERSION_BYTES: usize = 64;

/// Message types of the framing, as numbers on the wire.
pub mod kind {
    /// Step 1, step 2, update.
    pub const SYNC: u64 = 0;
    /// Presence.
    pub const AWARENESS: u64 = 1;
    /// Token, answer to it.
    pub const AUTH: u64 = 2;
    /// Send me all presence.
    pub const QUERY_AWARENESS: u64 = 3;
    /// Between Hocuspocus servers only.
    pub const SYNC_REPLY: u64 = 4;
    /// Text beside the document.
    pub const STATELESS: u64 = 5;
    /// Between Hocuspocus servers only.
    pub const BROADCAST_STATELESS: u64 = 6;
    /// The document's connection ends, the socket stays.
    pub const CLOSE: u64 = 7;
    /// Stored or refused.
    pub const SYNC_STATUS: u64 = 8;
    /// First byte of a frame that is one byte long: are you there.
    pub const PING: u8 = 9;
    /// First byte of a frame that is one byte long: I am.
    pub const PONG: u8 = 10;
}

/// A frame from a client, borrowing from the bytes that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFrame<'a> {
    /// The whole frame was the byte `09`.
    Ping,
    /// The whole frame was the byte `0a`.
    Pong,
    /// Everything else has an address.
    Message {
        /// The address exactly as the client wrote it: replies must carry the same bytes.
        address: &'a str,
        /// What was said to it.
        message: ClientPayload<'a>,
    },
}

/// What a client says to an address. The bytes inside are not checked yet: [`crate::gate`] and
/// [`crate::awareness`] do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPayload<'a> {
    /// Document synchronisation.
    Sync(SyncMessage<'a>),
    /// Presence: an awareness update.
    Awareness(&'a [u8]),
    /// Here is my token.
    Auth {
        /// Empty when the client has none.
        token: &'a str,
        /// Version of the client's library; providers send it since v4.
        version: Option<&'a str>,
    },
    /// Tell me all presence you know.
    QueryAwareness,
    /// Text beside the document; on `@task` a control message.
    Stateless(&'a str),
    /// The client detached this document.
    Close,
    /// A type that only servers may send to each other (4 or 6). It must be refused.
    Forbidden(u8),
    /// A type that this version does not know. It is counted and ignored.
    Unknown(u64),
}

/// The three messages of the sync protocol, with their bytes unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMessage<'a> {
    /// A state vector: what the sender has.
    Step1(&'a [u8]),
    /// An update with what the receiver lacks.
    Step2(&'a [u8]),
    /// An update with what just happened.
    Update(&'a [u8]),
}

/// Why a frame could not be read. The connection can go on: frames are separate messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes do not hold the fields they should.
    #[error("the frame {0}")]
    Malformed(#[from] ReadError),
    /// The address is longer than [`MAX_ADDRESS_BYTES`].
    #[error("the frame's address is longer than {MAX_ADDRESS_BYTES} bytes")]
    AddressTooLong,
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TokenTooLong,
    /// A sync or auth message of a sort that does not exist.
    #[error("the frame has a message of an unknown sort")]
    UnknownSort,
}

/// Reads one frame from a client. Allocates nothing.
pub fn parse_frame(bytes: &[u8]) -> Result<ClientFrame<'_>, FrameError> {
    match bytes {
        [kind::PING] => return Ok(ClientFrame::Ping),
        [kind::PONG] => return Ok(ClientFrame::Pong),
        _ => {}
    }
    let mut reader = Reader::new(bytes);
    let address = reader.var_string()?;
    if address.len() > MAX_ADDRESS_BYTES {
        return Err(FrameError::AddressTooLong);
    }
    let message = match reader.var_uint(u64::from(u32::MAX))? {
        kind::SYNC => ClientPayload::Sync(read_sync(&mut reader)?),
        kind::AWARENESS => ClientPayload::Awareness(reader.var_bytes()?),
        kind::AUTH => read_auth(&mut reader)?,
        kind::QUERY_AWARENESS => ClientPayload::QueryAwareness,
        kind::STATELESS => ClientPayload::Stateless(reader.var_string()?),
        kind::CLOSE => ClientPayload::Close,
        refused @ (kind::SYNC_REPLY | kind::BROADCAST_STATELESS) => ClientPayload::Forbidden(refused as u8),
        unknown => ClientPayload::Unknown(unknown),
    };
    Ok(ClientFrame::Message { address, message })
}

/// Reads a sync message: its sort and its bytes. Shared with the framing without addresses.
pub(crate) fn read_sync<'a>(reader: &mut Reader<'a>) -> Result<SyncMessage<'a>, FrameError> {
    let sort = reader.var_uint(u64::from(u8::MAX))?;
    let bytes = reader.var_bytes()?;
    match sort {
        0 => Ok(SyncMessage::Step1(bytes)),
        1 => Ok(SyncMessage::Step2(bytes)),
        2 => Ok(SyncMessage::Update(bytes)),
        _ => Err(FrameError::UnknownSort),
    }
}

fn read_auth<'a>(reader: &mut Reader<'a>) -> Result<ClientPayload<'a>, FrameError> {
    if reader.var_uint(u64::from(u8::MAX))? != 0 {
        return Err(FrameError::UnknownSort);
    }
    let token = reader.var_string()?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(FrameError::TokenTooLong);
    }
    let version = if reader.is_empty() { None } else { Some(reader.var_string()?) };
    Ok(ClientPayload::Auth { token, version: version.filter(|text| text.len() <= MAX_VERSION_BYTES) })
}

/// Whether a client that said `version` in Auth understands one-byte pings: providers do since 4.0.
/// Older ones throw at them.
#[must_use]
pub fn understands_ping(version: Option<&str>) -> bool {
    version
        .and_then(|text| text.split('.').next())
        .and_then(|major| major.parse::<u32>().ok())
        .is_some_and(|major| major >= 4)
}

#[cfg(test)]
mod tests;
