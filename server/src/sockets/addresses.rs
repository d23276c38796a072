//! Where each address of a room socket stands. Plain state, no I/O.
//!
//! ```text
//! (unknown) --frames before Auth--> waiting --Auth--> attached | denied      denied --Auth--> attached | denied
//! attached --room ends it--> closed --frames--> waiting                      attached --client's Close--> (unknown)
//! ```

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use coderoom_protocol::ids::UserId;

use super::{SocketSettings, control::Speaker};
use crate::{
    people::Identity,
    rooms::{Place, SessionId},
};

/// An address that is attached to a place of the room.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    /// Its session in the room.
    pub(super) session: SessionId,
    /// What it stands for.
    pub(super) place: Place,
    /// Whose it is.
    pub(super) user: UserId,
    /// Who speaks on the control channel; only on `@task`.
    pub(super) speaker: Option<Arc<Speaker>>,
}

impl Attached {
    /// The same session for the same person with another credential.
    pub(super) fn with_identity(self, identity: Identity) -> Self {
        let speaker = self.speaker.map(|speaker| {
            let Speaker { socket, framing, session, .. } = &*speaker;
            let (socket, framing) = (Arc::clone(socket), framing.clone());
            Arc::new(Speaker { socket, identity, framing, session: *session })
        });
        Self { speaker, ..self }
    }
}

/// Frames that came before Auth.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In order, copied so that they pin no read buffer.
    pub(super) frames: Vec<Bytes>,
    /// The address was attached before, and the room ended it: the client does not begin anew by itself.
    pub(super) again: bool,
}

/// Where one address stands.
#[derive(Debug)]
pub(super) enum Address {
    /// It sent something before it said who it is.
    Waiting(Waiting),
    /// It is somebody's.
    Attached(Attached),
    /// It was told that it may not come in, and may try again.
    Denied,
    /// The room ended it; the first thing it says is answered by the question for its token.
    Closed,
}

/// What to do with a frame for an address that is not attached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It waits for Auth.
    Waits,
    /// Too much waits: deny the address.
    Overflow,
}

/// All addresses of one socket.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    known: HashMap<Box<str>, Address>,
    waiting_addresses: usize,
    waiting_frames: usize,
    waiting_bytes: usize,
}

impl Addresses {
    /// Where the address stands.
    pub(super) fn get(&self, address: &str) -> Option<&Address> {
        self.known.get(address)
    }

    /// Keeps a frame until Auth comes.
    pub(super) fn keep(&mut self, address: &str, frame: &[u8], settings: &SocketSettings) -> Kept {
        let is_closed = matches!(self.known.get(address), Some(Address::Closed));
        let is_new = is_closed || !self.known.contains_key(address);
        if self.waiting_frames >= settings.waiting_frames
            || self.waiting_bytes + frame.len() > settings.waiting_bytes
            || (is_new && self.waiting_addresses >= settings.waiting_addresses)
            || (is_new && !is_closed && self.is_full(settings))
        {
            return Kept::Overflow;
        }
        if is_new {
            self.known.insert(address.into(), Address::Waiting(Waiting { frames: Vec::new(), again: is_closed }));
            self.waiting_addresses += 1;
        }
        if let Some(Address::Waiting(waiting)) = self.known.get_mut(address) {
            waiting.frames.push(Bytes::copy_from_slice(frame));
            self.waiting_frames += 1;
            self.waiting_bytes += frame.len();
        }
        Kept::Waits
    }

    /// Whether no further address may be used.
    pub(super) fn is_full(&self, settings: &SocketSettings) -> bool {
        self.known.len() >= settings.max_addresses
    }

    /// Whether so many other addresses stand for this place that this one may not.
    pub(super) fn is_crowded(&self, place: Place, address: &str, settings: &SocketSettings) -> bool {
        let others = self.known.iter().filter(|(other, state)| {
            ***other != *address && matches!(state, Address::Attached(attached) if attached.place == place)
        });
        others.count() >= settings.max_sessions_of_document
    }

    /// Takes the address out of the list, with what waited for it.
    pub(super) fn take(&mut self, address: &str) -> Option<Address> {
        let taken = self.known.remove(address)?;
        if let Address::Waiting(waiting) = &taken {
            self.waiting_addresses -= 1;
            self.waiting_frames -= waiting.frames.len();
            self.waiting_bytes -= waiting.frames.iter().map(Bytes::len).sum::<usize>();
        }
        Some(taken)
    }

    /// Puts an address (back) into the list.
    pub(super) fn put(&mut self, address: &str, state: Address) {
        self.take(address);
        self.known.insert(address.into(), state);
    }

    /// The room has ended this session.
    pub(super) fn end(&mut self, session: SessionId) {
        for state in self.known.values_mut() {
            if matches!(state, Address::Attached(attached) if attached.session == session) {
                *state = Address::Closed;
            }
        }
    }

    /// Everything attached, for the end of the socket.
    pub(super) fn attached(&self) -> impl Iterator<Item = &Attached> {
        self.known.values().filter_map(|state| match state {
            Address::Attached(attached) => Some(attached),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use coderoom_protocol::ids::FileId;

    use super::*;

    fn settings() -> SocketSettings {
        SocketSettings {
            waiting_frames: 10,
            waiting_bytes: 100,
            waiting_addresses: 3,
            max_addresses: 5,
            ..SocketSettings::default()
        }
    }

    #[test]
    fn frames_wait_within_all_three_bounds() {
        let settings = settings();
        let mut addresses = Addresses::default();
        for _ in 0..10 {
            assert_eq!(addresses.keep("a", b"x", &settings), Kept::Waits);
        }
        assert_eq!(addresses.keep("a", b"x", &settings), Kept::Overflow, "too many frames");
        let Some(Address::Waiting(waiting)) = addresses.take("a") else { panic!("the address waits") };
        assert_eq!(waiting.frames.len(), 10);
        assert_eq!(addresses.keep("a", &[0; 101], &settings), Kept::Overflow, "too many bytes");
        for name in ["a", "b", "c"] {
            assert_eq!(addresses.keep(name, b"x", &settings), Kept::Waits);
        }
        assert_eq!(addresses.keep("d", b"x", &settings), Kept::Overflow, "too many addresses");
        addresses.put("a", Address::Denied);
        assert_eq!(addresses.keep("d", b"x", &settings), Kept::Waits, "a denied address waits no more");
    }

    fn attached(session: u64, place: Place) -> Attached {
        Attached { session: SessionId(session), place, user: UserId::new(), speaker: None }
    }

    #[test]
    fn few_addresses_of_a_socket_stand_for_one_document() {
        let settings = SocketSettings { max_sessions_of_document: 2, ..SocketSettings::default() };
        let [file, other] = [FileId::new(), FileId::new()].map(Place::File);
        let mut addresses = Addresses::default();
        for (session, address) in [(1, "/a"), (2, "/a\0x")] {
            assert!(!addresses.is_crowded(file, address, &settings));
            addresses.put(address, Address::Attached(attached(session, file)));
        }
        assert!(addresses.is_crowded(file, "/a\0y", &settings));
        assert!(!addresses.is_crowded(file, "/a", &settings), "it has its place already");
        assert!(
            !addresses.is_crowded(other, "/b", &settings) && !addresses.is_crowded(Place::Task, "@task", &settings)
        );
        addresses.end(SessionId(2));
        assert!(!addresses.is_crowded(file, "/a\0y", &settings), "another has ended");
    }

    #[test]
    fn session_ended_by_the_room_is_closed_until_it_authenticates() {
        let mut addresses = Addresses::default();
        addresses.put("a", Address::Attached(attached(7, Place::Task)));
        addresses.end(SessionId(8));
        assert_eq!(addresses.attached().count(), 1);
        addresses.end(SessionId(7));
        assert!(matches!(addresses.get("a"), Some(Address::Closed)));
        assert_eq!(addresses.attached().count(), 0);
        assert_eq!(addresses.keep("a", b"x", &settings()), Kept::Waits);
        let Some(Address::Waiting(waiting)) = addresses.take("a") else { panic!("the address waits") };
        assert!(waiting.again);
    }
}
