//! Who is attached to a place, and how they are told things: each thing is encoded once per distinct framing.

use bytes::Bytes;
use coderoom_protocol::{gate::StateVector, ids::UserId};

use super::{
    event::{Framing, Session, SessionId},
    outbox::Pushed,
    say::{self, Farewell, Step},
};

/// The sessions attached to one place.
#[derive(Default)]
pub(super) struct Members {
    list: Vec<Member>,
    /// Distinct framings with the number of members that have them.
    framings: Vec<(Framing, usize)>,
}

/// One session.
pub(super) struct Member {
    pub(super) session: Session,
    /// Index in `framings`.
    framing: usize,
    /// Set while the session's outbox refuses edits and presence.
    pub(super) behind: Option<Box<Behind>>,
    /// An edit of it was refused that may fit later: it is asked for it when another one was taken.
    pub(super) has_refused: bool,
}

/// What a session with a full outbox has when it can take more.
pub(super) struct Behind {
    /// What it had when the first edit was refused.
    pub(super) known: StateVector,
    /// Applied commits of the document then: when no more have come, nothing was missed.
    pub(super) version: u64,
    /// It waits for a step 2.
    pub(super) owes_step2: bool,
}

/// Answers for one session, in the order in which they are due.
pub(super) struct Answers {
    pub(super) session: SessionId,
    /// Stored or refused, and how often in a row.
    pub(super) runs: Vec<(bool, u32)>,
}

impl Member {
    /// Whose edit was refused; from now on it counts as asked for.
    pub(super) fn take_refused(&mut self) -> Option<SessionId> {
        std::mem::take(&mut self.has_refused).then_some(self.session.id)
    }
}

impl Members {
    pub(super) fn add(&mut self, session: Session) {
        let framing = match self.framings.iter().position(|(framing, _)| *framing == session.framing) {
            Some(index) => index,
            None => {
                // A place that nobody uses any more is taken again.
                let free = self.framings.iter().position(|(_, count)| *count == 0);
                let entry = (session.framing.clone(), 0);
                if let Some(slot) = free.and_then(|index| self.framings.get_mut(index)) {
                    *slot = entry;
                } else {
                    self.framings.push(entry);
                }
                free.unwrap_or(self.framings.len() - 1)
            }
        };
        self.framings[framing].1 += 1;
        self.list.push(Member { session, framing, behind: None, has_refused: false });
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Session> {
        let index = self.list.iter().position(|member| member.session.id == session)?;
        let member = self.list.swap_remove(index);
        self.framings[member.framing].1 -= 1;
        Some(member.session)
    }

    pub(super) fn get(&self, session: SessionId) -> Option<&Member> {
        self.list.iter().find(|member| member.session.id == session)
    }

    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Member> {
        self.list.iter_mut().find(|member| member.session.id == session)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.list.iter_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn has_user(&self, user: UserId) -> bool {
        self.list.iter().any(|member| member.session.user.id == user)
    }

    /// Ends all sessions that `which` picks; gives them back.
    pub(super) fn end(&mut self, why: Farewell, mut which: impl FnMut(&Session) -> bool) -> Vec<SessionId> {
        let picked: Vec<SessionId> =
            self.list.iter().filter(|member| which(&member.session)).map(|member| member.session.id).collect();
        for id in &picked {
            if let Some(session) = self.remove(*id) {
                say::farewell(&session, why);
            }
        }
        picked
    }

    /// Gives updates, as they came, to all but `but`. `now` tells what members have and the document's version, asked when
    /// an outbox refuses.
    pub(super) fn push_updates<'a>(
        &mut self,
        updates: impl Iterator<Item = &'a Bytes> + Clone,
        but: Option<SessionId>,
        now: impl Fn() -> (StateVector, u64),
    ) {
        self.push(
            but,
            now,
            |framing| match framing {
                Framing::Text => None,
                _ => Some(say::updates(framing, updates.clone())),
            },
            false,
        );
    }

    /// Gives presence to all.
    pub(super) fn push_presence(&mut self, update: &[u8], now: impl Fn() -> (StateVector, u64)) {
        self.push(None, now, |framing| say::awareness(framing, update), true);
    }

    fn push(
        &mut self,
        but: Option<SessionId>,
        now: impl Fn() -> (StateVector, u64),
        encode: impl Fn(&Framing) -> Option<Bytes>,
        is_presence: bool,
    ) {
        let mut encoded: Vec<Option<Option<Bytes>>> = vec![None; self.framings.len()];
        for member in &mut self.list {
            if Some(member.session.id) == but || member.behind.is_some() {
                continue;
            }
            let framing = &self.framings[member.framing].0;
            let session = &member.session;
            let mut frames = || encoded[member.framing].get_or_insert_with(|| encode(framing)).clone();
            let pushed = if is_presence {
                // Asked first: as many forms of address as a client made up are not encoded for a socket that takes nothing.
                match session.outbox.admit_presence(session.id) {
                    Pushed::Queued => frames().map(|frames| session.outbox.push_presence(session.id, frames)),
                    not_now => Some(not_now),
                }
            } else {
                frames().map(|frames| session.outbox.push_edits(session.id, frames))
            };
            let Some(pushed) = pushed else { continue };
            if pushed == Pushed::Refused {
                let (known, version) = now();
                member.behind = Some(Box::new(Behind { known, version, owes_step2: false }));
            }
        }
    }

    /// Gives a control message to all.
    pub(super) fn push_control(&self, json: &str) {
        let mut encoded: Vec<Option<Option<Bytes>>> = vec![None; self.framings.len()];
        for member in &self.list {
            let framing = &self.framings[member.framing].0;
            if let Some(frames) = encoded[member.framing].get_or_insert_with(|| say::control(framing, json)) {
                member.session.outbox.push(frames.clone());
            }
        }
    }

    /// Asks all members for what they have and the room lacks.
    pub(super) fn push_step1(&self, vector: &[u8]) {
        for member in &self.list {
            if member.session.framing != Framing::Text {
                member.session.outbox.push(say::sync(&member.session.framing, Step::One, vector));
            }
        }
    }

    /// Gives each author its answers.
    pub(super) fn push_answers(&self, answers: &[Answers]) {
        for Answers { session, runs } in answers {
            let Some(member) = self.get(*session) else { continue };
            let mut buffer = Vec::new();
            for (is_stored, times) in runs {
                say::append_status(&mut buffer, &member.session.framing, *is_stored, *times);
            }
            if !buffer.is_empty() {
                member.session.outbox.push(buffer.into());
            }
        }
    }
}

/// Adds an answer behind those the session has already.
pub(super) fn add_answer(answers: &mut Vec<Answers>, session: SessionId, is_stored: bool) {
    match answers.iter_mut().find(|answers| answers.session == session) {
        Some(answers) => match answers.runs.last_mut() {
            Some((last, times)) if *last == is_stored => *times += 1,
            _ => answers.runs.push((is_stored, 1)),
        },
        None => answers.push(Answers { session, runs: vec![(is_stored, 1)] }),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc};

    use coderoom_protocol::{control::UserSummary, role::Role};

    use super::*;
    use crate::rooms::{event::ConnectionId, outbox::Outbox};

    #[test]
    fn presence_is_encoded_only_for_whom_it_can_be_put() {
        let outbox = Arc::new(Outbox::new(Default::default()));
        let mut members = Members::default();
        for number in 1..=100 {
            members.add(Session {
                id: SessionId(number),
                connection: ConnectionId(1),
                user: UserSummary { id: UserId::new(), name: "vera".into() },
                role: Role::Viewer,
                ceiling: Role::Owner,
                framing: Framing::Addressed(number.to_be_bytes().as_slice().into()),
                outbox: Arc::clone(&outbox),
            });
        }
        let encoded = Cell::new(0);
        let mut tell = |bytes: usize| {
            let encode = |_: &Framing| {
                encoded.set(encoded.get() + 1);
                Some(vec![0; bytes].into())
            };
            members.push(None, Default::default, encode, true);
            encoded.take()
        };
        assert_eq!(tell(100), 100);
        assert_eq!(tell(50_000), 2, "the second fills the outbox of all");
        assert_eq!(tell(100), 0, "the outbox has not been read");
    }
}
