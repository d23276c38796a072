//! Who is in a place and where their cursors are: a small map of our own. Clocks count as in y-protocols; ids belong to
//! the connection that announced them; whoever leaves is nulled at the same clock, so that the same page can come back.
//!
//! Holds no sockets and reads no clock: the room says what happened and when, and sends what is encoded here.

use std::collections::HashMap;

use bytes::Bytes;
use coderoom_protocol::{
    awareness::{self, Entry},
    ids::UserId,
};
use tokio::time::Instant;

use super::{
    between_nodes::{NodeId, Present},
    event::SessionId,
};

/// Bounds of one user's presence in one place, whatever sessions they have there.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresenceLimits {
    /// Ids, with those that have gone and are still remembered.
    pub(super) entries: usize,
    /// Bytes of all their states together.
    pub(super) bytes: usize,
}

/// Presence of one place.
#[derive(Default)]
pub(super) struct Presence {
    /// By client id.
    known: HashMap<u64, Known>,
    /// Changed since the last flush, each once.
    changed: Vec<u64>,
    /// What [`Self::all`] said last, while it is still true: everybody who comes, or asks, is told the same.
    encoded: Option<Bytes>,
}

struct Known {
    clock: u32,
    /// `None`: gone. Kept until it expires, so that an older state cannot come back.
    state: Option<Box<str>>,
    /// Who announced it. `None`: the session has gone.
    owner: Option<Owner>,
    /// Said last by a session of this node: other nodes are told by us.
    is_ours: bool,
    user: UserId,
    renewed_at: Instant,
    /// Nulled by us, not by the client: the same page may come back at the same clock.
    nulled_by_us: bool,
    is_changed: bool,
}

impl Known {
    fn state_bytes(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.len())
    }
}

/// Who stands for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A session here.
    Session(SessionId),
    /// A session of another node.
    Node(NodeId),
}

impl Presence {
    /// Takes in what a session announces. Entries that are stale, or belong to another user's connection, or go beyond the
    /// limits, are left out; so are those that `may_say` refuses, which is asked last. Gives whether anything changed.
    pub(super) fn announce(
        &mut self,
        session: SessionId,
        user: UserId,
        entries: &[Entry<'_>],
        limits: PresenceLimits,
        now: Instant,
        may_say: impl Fn(&str) -> bool,
    ) -> bool {
        let mut changed = false;
        let mut held = self.held_by(user);
        for entry in entries {
            if !self.is_news(entry, user) {
                continue;
            }
            let then = self.with_entry(held, user, entry);
            // Who goes frees something, whatever there is already.
            let fits = entry.state.is_none() || (then.entries <= limits.entries && then.bytes <= limits.bytes);
            if fits && entry.state.is_none_or(&may_say) {
                self.put(session, user, entry, now);
                held = then;
                changed = true;
            }
        }
        changed
    }

    /// What there is of a user.
    fn held_by(&self, user: UserId) -> PresenceLimits {
        let own = self.known.values().filter(|known| known.user == user);
        own.fold(PresenceLimits { entries: 0, bytes: 0 }, |held, known| PresenceLimits {
            entries: held.entries + 1,
            bytes: held.bytes + known.state_bytes(),
        })
    }

    /// What there will be of a user who has `held` now.
    fn with_entry(&self, held: PresenceLimits, user: UserId, entry: &Entry<'_>) -> PresenceLimits {
        let before = self.known.get(&entry.client).filter(|known| known.user == user);
        PresenceLimits {
            entries: held.entries + usize::from(before.is_none()),
            bytes: held.bytes - before.map_or(0, Known::state_bytes) + entry.state.map_or(0, str::len),
        }
    }

    /// y-protocols accepts what is newer, or as new and the end. Two connections of one user may hand an id over:
    /// the page that reconnects is often faster than the end of its old socket.
    fn is_news(&self, entry: &Entry<'_>, user: UserId) -> bool {
        match self.known.get(&entry.client) {
            None => entry.state.is_some(),
            Some(known) if known.user != user && known.owner.is_some() => false,
            Some(known) if entry.clock == known.clock => match entry.state {
                None => known.state.is_some(),
                Some(_) => known.nulled_by_us,
            },
            Some(known) => entry.clock > known.clock,
        }
    }

    fn put(&mut self, session: SessionId, user: UserId, entry: &Entry<'_>, now: Instant) {
        let known = Known {
            clock: entry.clock,
            state: entry.state.map(Box::from),
            owner: Some(Owner::Session(session)),
            is_ours: true,
            user,
            renewed_at: now,
            nulled_by_us: false,
            is_changed: true,
        };
        self.insert(entry.client, known);
    }

    fn insert(&mut self, client: u64, known: Known) {
        self.encoded = None;
        let before = self.known.insert(client, known);
        if before.is_none_or(|before| !before.is_changed) {
            self.changed.push(client);
        }
    }

    /// Takes in what another node says of its sessions. What is newer counts; an end counts only from the node that stood
    /// for the entry, since the same page may have come here before its old node noticed. Gives whether anything changed.
    pub(super) fn hear(&mut self, node: NodeId, entries: Vec<Present>, now: Instant) -> bool {
        let mut changed = false;
        for Present { user, client, clock, state } in entries {
            let owner = Some(Owner::Node(node));
            let is_end = state.is_none();
            match self.known.get_mut(&client) {
                None if is_end => continue,
                Some(known) if known.user != user && known.owner.is_some() => continue,
                Some(known) if clock < known.clock => continue,
                Some(known) if clock == known.clock => {
                    let comes_back = !is_end && known.state.is_none() && known.nulled_by_us;
                    let ends = is_end && known.state.is_some() && known.owner == owner;
                    if !comes_back && !ends {
                        if known.owner == owner {
                            known.renewed_at = now;
                        }
                        continue;
                    }
                }
                None | Some(_) => {}
            }
            let owner = owner.filter(|_| !is_end);
            let known = Known {
                clock,
                state,
                owner,
                is_ours: false,
                user,
                renewed_at: now,
                nulled_by_us: is_end,
                is_changed: true,
            };
            self.insert(client, known);
            changed = true;
        }
        changed
    }

    /// Whose client id it is, as far as somebody stands for it.
    pub(super) fn owner(&self, client: u64) -> Option<UserId> {
        self.known.get(&client).filter(|known| known.owner.is_some()).map(|known| known.user)
    }

    /// Whether this user stands for any client id.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.known.values().any(|known| known.user == user && known.owner.is_some())
    }

    /// A session has gone: its ids are nulled at the same clock. Gives whether anything changed.
    pub(super) fn leave(&mut self, session: SessionId, now: Instant) -> bool {
        self.null(|known| known.owner == Some(Owner::Session(session)), now)
    }

    /// Nulls what nobody renewed since `expiry` ago and forgets what was nulled before that. Gives whether anything changed.
    pub(super) fn expire(&mut self, now: Instant, expiry: std::time::Duration) -> bool {
        let is_old = |known: &Known| now.duration_since(known.renewed_at) >= expiry;
        let before = self.known.len();
        self.known.retain(|_, known| known.is_changed || known.state.is_some() || !is_old(known));
        if self.known.len() != before {
            self.encoded = None;
        }
        self.null(is_old, now)
    }

    fn null(&mut self, which: impl Fn(&Known) -> bool, now: Instant) -> bool {
        let mut changed = false;
        for (client, known) in self.known.iter_mut().filter(|(_, known)| which(known)) {
            known.owner = None;
            if known.state.take().is_some() {
                known.nulled_by_us = true;
                known.renewed_at = now;
                changed = true;
                self.encoded = None;
                if !std::mem::replace(&mut known.is_changed, true) {
                    self.changed.push(*client);
                }
            }
        }
        changed
    }

    /// When [`Self::expire`] has something to do next.
    pub(super) fn next_expiry(&self, expiry: std::time::Duration) -> Option<Instant> {
        self.known.values().map(|known| known.renewed_at + expiry).min()
    }

    /// Whether something waits for [`Self::flush`].
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What changed since the last flush, as one update, and what of it other nodes have to know.
    pub(super) fn flush(&mut self) -> (Vec<u8>, Vec<Present>) {
        let changed = std::mem::take(&mut self.changed);
        for client in &changed {
            if let Some(known) = self.known.get_mut(client) {
                known.is_changed = false;
            }
        }
        let entries: Vec<_> = changed.iter().filter_map(|client| self.entry(*client)).collect();
        let ours = changed.iter().filter_map(|client| self.present(*client)).collect();
        (encode(entries), ours)
    }

    /// Everybody who is here by a session of this node, for nodes that do not know.
    pub(super) fn ours(&self) -> Vec<Present> {
        let here = self.known.keys().filter_map(|client| self.present(*client));
        here.filter(|present| present.state.is_some()).collect()
    }

    fn present(&self, client: u64) -> Option<Present> {
        let known = self.known.get(&client).filter(|known| known.is_ours)?;
        Some(Present { user: known.user, client, clock: known.clock, state: known.state.clone() })
    }

    /// All that is known, with those who have just left: a page that comes back learns that it was nulled and announces
    /// itself anew. `None` when nobody is or was here.
    pub(super) fn all(&mut self) -> Option<Bytes> {
        if self.known.is_empty() {
            return None;
        }
        if self.encoded.is_none() {
            let entries = self.known.keys().filter_map(|client| self.entry(*client)).collect();
            self.encoded = Some(encode(entries).into());
        }
        self.encoded.clone()
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn entry(&self, client: u64) -> Option<Entry<'_>> {
        let known = self.known.get(&client)?;
        Some(Entry { client, clock: known.clock, state: known.state.as_deref() })
    }
}

fn encode(entries: Vec<Entry<'_>>) -> Vec<u8> {
    let mut update = Vec::new();
    awareness::encode(&mut update, entries.into_iter());
    update
}

#[cfg(test)]
mod tests;
