//! What rooms of one task on different nodes tell each other over the bus. All of it are hints: who missed one reads the
//! tables (edits) or waits until presence expires.
//!
//! The messages share the task's topic with [`coderoom_worker::announce::TaskEvent`]s, which are JSON and begin with `{`.
//! Form: tag, node (8 bytes, little-endian), then numbers as varUint, ids as 16 bytes, the rest as bytes up to the end.

pub(super) mod publish;

use bytes::Bytes;
use coderoom_protocol::{
    awareness::{self, Entry},
    ids::{FileId, UserId},
    lib0::{Reader, write_var_uint},
};

use super::event::Place;

/// A node in this life: chosen at random when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u64);

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// A commit has stored these edits.
    Edits(StoredRow),
    /// What was stored up to this edit could not be published: who does not have it reads the tables.
    Behind { file: FileId, seq: u64 },
    /// Presence that changed at a place: of clients of the sending node, each with whose it is.
    Presence { place: Place, entries: Vec<Present> },
    /// Somebody came to this place and does not know who is there on other nodes.
    WhoIsHere { place: Place },
}

/// One row of edits, as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredRow {
    pub(super) file: FileId,
    pub(super) epoch: u64,
    /// Number of its first edit.
    pub(super) seq: u64,
    /// How many edits.
    pub(super) count: u64,
    /// See [`super::log_row`].
    pub(super) data: Bytes,
}

impl StoredRow {
    /// Number of its last edit.
    pub(super) fn last(&self) -> u64 {
        (self.seq + self.count).saturating_sub(1)
    }
}

/// Presence of one client, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) user: UserId,
    pub(super) client: u64,
    pub(super) clock: u32,
    /// `None`: gone.
    pub(super) state: Option<Box<str>>,
}

const EDITS: u8 = 1;
const BEHIND: u8 = 2;
const PRESENCE: u8 = 3;
const WHO_IS_HERE: u8 = 4;

/// Whether bytes of the task's topic are one of these messages.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|tag| *tag < b' ')
}

/// Encodes a message of `node`.
pub(super) fn encode(node: NodeId, message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(64);
    out.push(match message {
        Message::Edits(_) => EDITS,
        Message::Behind { .. } => BEHIND,
        Message::Presence { .. } => PRESENCE,
        Message::WhoIsHere { .. } => WHO_IS_HERE,
    });
    out.extend(node.0.to_le_bytes());
    match message {
        Message::Edits(row) => {
            out.extend(row.file.as_bytes());
            for number in [row.epoch, row.seq, row.count] {
                write_var_uint(&mut out, number);
            }
            out.extend_from_slice(&row.data);
        }
        Message::Behind { file, seq } => {
            out.extend(file.as_bytes());
            write_var_uint(&mut out, *seq);
        }
        Message::Presence { place, entries } => {
            put_place(&mut out, *place);
            write_var_uint(&mut out, entries.len() as u64);
            for entry in entries {
                out.extend(entry.user.as_bytes());
            }
            let entries = entries.iter().map(|entry| Entry {
                client: entry.client,
                clock: entry.clock,
                state: entry.state.as_deref(),
            });
            awareness::encode(&mut out, entries);
        }
        Message::WhoIsHere { place } => put_place(&mut out, *place),
    }
    out.into()
}

/// Reads a message and who sent it; `None` when it is none that this version knows.
pub(super) fn decode(bytes: &Bytes) -> Option<(NodeId, Message)> {
    let (&tag, rest) = bytes.split_first()?;
    let (node, rest) = rest.split_first_chunk()?;
    let node = NodeId(u64::from_le_bytes(*node));
    let message = match tag {
        EDITS => {
            let (file, rest) = split_id(rest)?;
            let mut reader = Reader::new(rest);
            let mut number = || reader.var_uint(MAX_NUMBER).ok();
            let (epoch, seq, count) = (number()?, number()?, number()?);
            let data = bytes.slice_ref(reader.rest());
            Message::Edits(StoredRow { file: FileId::from_bytes(file), epoch, seq, count, data })
        }
        BEHIND => {
            let (file, rest) = split_id(rest)?;
            let seq = Reader::new(rest).var_uint(MAX_NUMBER).ok()?;
            Message::Behind { file: FileId::from_bytes(file), seq }
        }
        PRESENCE => {
            let (place, rest) = split_place(rest)?;
            let mut reader = Reader::new(rest);
            let count = reader.count(16).ok()?;
            let mut users = Vec::with_capacity(count);
            let mut rest = reader.rest();
            for _ in 0..count {
                let (user, after) = split_id(rest)?;
                users.push(UserId::from_bytes(user));
                rest = after;
            }
            let entries = awareness::parse(rest).ok()?;
            let present = users.into_iter().zip(&entries).map(|(user, entry)| Present {
                user,
                client: entry.client,
                clock: entry.clock,
                state: entry.state.map(Box::from),
            });
            Message::Presence { place, entries: present.collect() }
        }
        WHO_IS_HERE => Message::WhoIsHere { place: split_place(rest)?.0 },
        _ => return None,
    };
    Some((node, message))
}

/// Numbers of epochs and edits stay below this, as integers of every client do.
const MAX_NUMBER: u64 = (1 << 53) - 1;

fn put_place(out: &mut Vec<u8>, place: Place) {
    match place {
        Place::Task => out.push(0),
        Place::File(file) => {
            out.push(1);
            out.extend(file.as_bytes());
        }
    }
}

fn split_place(bytes: &[u8]) -> Option<(Place, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((Place::Task, rest)),
        (1, rest) => split_id(rest).map(|(file, rest)| (Place::File(FileId::from_bytes(file)), rest)),
        _ => None,
    }
}

fn split_id(bytes: &[u8]) -> Option<([u8; 16], &[u8])> {
    bytes.split_first_chunk().map(|(id, rest)| (*id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Message> {
        let file = FileId::new();
        let present = |clock, state: Option<&str>| Present {
            user: UserId::new(),
            client: 1 << 40,
            clock,
            state: state.map(Box::from),
        };
        vec![
            Message::Edits(StoredRow { file, epoch: 1, seq: 1 << 40, count: 3, data: Bytes::from_static(b"\x01a") }),
            Message::Behind { file, seq: 7 },
            Message::Presence {
                place: Place::File(file),
                entries: vec![present(1, Some("{}")), present(u32::MAX, None)],
            },
            Message::Presence { place: Place::Task, entries: vec![] },
            Message::WhoIsHere { place: Place::Task },
        ]
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        for message in messages() {
            let bytes = encode(NodeId(u64::MAX - 1), &message);
            assert!(is_message(&bytes) && !is_message(b"{\"kind\":\"task\"}"));
            assert_eq!(decode(&bytes), Some((NodeId(u64::MAX - 1), message)));
        }
    }

    #[test]
    fn cut_and_unknown_messages_are_no_messages_and_harm_nobody() {
        for message in messages() {
            let bytes = encode(NodeId(5), &message);
            for end in 0..bytes.len() {
                // A cut row of edits is still a message; that its edits are not whole is seen where they are taken.
                let read = decode(&bytes.slice(..end));
                assert!(read.is_none_or(|(_, read)| matches!(read, Message::Edits(_))), "{message:?} cut at {end}");
            }
        }
        assert_eq!(decode(&Bytes::from_static(&[9, 0, 0, 0, 0, 0, 0, 0, 0])), None);
    }
}
