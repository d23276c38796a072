//! The room socket's framing seen from a client: writing what clients send, reading what servers
//! answer. Used by the feature `client`, by scenarios and by benchmarks.

use super::{FrameError, SyncMessage, kind, read_sync};
use crate::{
    address::MAX_ADDRESS_BYTES,
    lib0::{Reader, write_bytes, write_string, write_var_uint},
};

/// A frame from a server, borrowing from the bytes that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFrame<'a> {
    /// Answer with [`super::write::PONG`].
    Ping,
    /// The answer to our ping.
    Pong,
    /// Everything else has an address.
    Message {
        /// The address exactly as this client used it.
        address: &'a str,
        /// What the server says about it.
        message: ServerPayload<'a>,
    },
}

/// What a server says about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerPayload<'a> {
    /// Document synchronisation.
    Sync(SyncMessage<'a>),
    /// Presence: an awareness update.
    Awareness(&'a [u8]),
    /// Send the token again.
    AuthAsk,
    /// The token is not good, for this reason.
    AuthDenied(&'a str),
    /// The token is good: `read-write` or `readonly`.
    AuthOk(&'a str),
    /// Tell me all presence you know.
    QueryAwareness,
    /// Text beside the document.
    Stateless(&'a str),
    /// The document's connection ended, for this reason.
    Close(&'a str),
    /// The answer to one step 2 or update: stored or refused.
    SyncStatus(bool),
    /// A type that this version does not know.
    Unknown(u64),
}

/// Reads one frame from a server.
pub fn parse_server_frame(bytes: &[u8]) -> Result<ServerFrame<'_>, FrameError> {
    match bytes {
        [kind::PING] => return Ok(ServerFrame::Ping),
        [kind::PONG] => return Ok(ServerFrame::Pong),
        _ => {}
    }
    let mut reader = Reader::new(bytes);
    let address = reader.var_string()?;
    if address.len() > MAX_ADDRESS_BYTES {
        return Err(FrameError::AddressTooLong);
    }
    let message = match reader.var_uint(u64::from(u32::MAX))? {
        kind::SYNC => ServerPayload::Sync(read_sync(&mut reader)?),
        kind::AWARENESS => ServerPayload::Awareness(reader.var_bytes()?),
        kind::AUTH => match reader.var_uint(u64::from(u8::MAX))? {
            0 => ServerPayload::AuthAsk,
            1 => ServerPayload::AuthDenied(reader.var_string()?),
            2 => ServerPayload::AuthOk(reader.var_string()?),
            _ => return Err(FrameError::UnknownSort),
        },
        kind::QUERY_AWARENESS => ServerPayload::QueryAwareness,
        kind::STATELESS => ServerPayload::Stateless(reader.var_string()?),
        kind::CLOSE => ServerPayload::Close(reader.var_string()?),
        kind::SYNC_STATUS => ServerPayload::SyncStatus(reader.var_uint(1)? == 1),
        unknown => ServerPayload::Unknown(unknown),
    };
    Ok(ServerFrame::Message { address, message })
}

/// Here is my token; `version` as providers send it since v4.
#[must_use]
pub fn auth(address: &str, token: &str, version: Option<&str>) -> Vec<u8> {
    let mut out = begin(address, kind::AUTH);
    out.push(0);
    write_string(&mut out, token);
    if let Some(version) = version {
        write_string(&mut out, version);
    }
    out
}

/// A sync message.
#[must_use]
pub fn sync(address: &str, message: SyncMessage<'_>) -> Vec<u8> {
    let mut out = begin(address, kind::SYNC);
    let (sort, bytes) = message.parts();
    out.push(sort);
    write_bytes(&mut out, bytes);
    out
}

/// Presence: an encoded awareness update.
#[must_use]
pub fn awareness(address: &str, update: &[u8]) -> Vec<u8> {
    let mut out = begin(address, kind::AWARENESS);
    write_bytes(&mut out, update);
    out
}

/// Tell me all presence you know.
#[must_use]
pub fn query_awareness(address: &str) -> Vec<u8> {
    begin(address, kind::QUERY_AWARENESS)
}

/// Text beside the document; on `@task` a control message as JSON.
#[must_use]
pub fn stateless(address: &str, text: &str) -> Vec<u8> {
    let mut out = begin(address, kind::STATELESS);
    write_string(&mut out, text);
    out
}

/// I am done with this document.
#[must_use]
pub fn close(address: &str) -> Vec<u8> {
    begin(address, kind::CLOSE)
}

fn begin(address: &str, kind: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(address.len() + 16);
    write_string(&mut out, address);
    write_var_uint(&mut out, kind);
    out
}

impl<'a> SyncMessage<'a> {
    /// The sort's number on the wire, and the bytes.
    pub(crate) fn parts(self) -> (u8, &'a [u8]) {
        match self {
            Self::Step1(bytes) => (0, bytes),
            Self::Step2(bytes) => (1, bytes),
            Self::Update(bytes) => (2, bytes),
        }
    }
}
