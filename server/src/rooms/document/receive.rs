//! An edit, from the socket to the group commit; and the question for what a client lacks.

use std::collections::hash_map::Entry;

use bytes::Bytes;
use coderoom_protocol::{
    control::NoticeCode,
    gate::{self, Facts, Refusal, StateVector},
    ids::UserId,
};

use super::{
    Document, Fits, InFlight, Live, Surroundings,
    tangle::{TANGLED, pieces_of},
};
use crate::rooms::{
    event::{RoomEvent, SessionId},
    log_row,
    members::{Behind, Members},
    outbox::Pushed,
    presence::Presence,
    replica::Replica,
    say::{self, Step},
};

/// An answer with nothing in it: no clients, no deletions.
pub(in crate::rooms) const EMPTY_UPDATE: &[u8] = &[0, 0];
/// While storing works, this many times the bound for failing storage may be in flight.
const HEALTHY_BACKLOG: usize = 4;

/// What becomes of an update.
enum Verdict {
    /// Stored with the next commit.
    Accept(Facts),
    /// Nothing in it is new: stored when all before it are.
    NothingNew,
    /// Not taken, for a reason of ours.
    Refuse,
    /// Not taken, because the text or the task would be too large; it may fit when something was deleted.
    TooLarge,
    /// Not taken, because it writes in somebody else's name; it may be good when that person has sent it.
    Foreign,
    /// Not taken; the client may be ahead of us and is asked for everything.
    Ask,
    /// Judged again when the document has caught up with what other nodes have stored.
    CatchUp,
    /// Judged again when merging it has been tried.
    Try,
}

impl Document {
    /// Takes an update from a session. It is answered exactly once, now or when it is stored.
    pub(in crate::rooms) fn receive(
        &mut self,
        around: &mut Surroundings,
        session: SessionId,
        update: Bytes,
        is_step2: bool,
    ) {
        let tried = self.tried.take();
        let may_be_behind = self.may_be_behind(around);
        let Some(live) = &mut self.live else { return };
        let Some(member) = self.members.get(session) else { return };
        let verdict = if member.session.role.may_edit() {
            live.judge(&update, is_step2, around, self.file, may_be_behind)
        } else {
            live.judge_reader(&update, is_step2)
        };
        let user = member.session.user.id;
        let verdict = match verdict {
            Verdict::Accept(facts) => live.judge_writers(facts, user, &self.presence, may_be_behind),
            other => other,
        };
        let verdict = match (verdict, tried) {
            (Verdict::Accept(_), Some(Fits::No)) => {
                let words =
                    "Your changes take too long to merge, so they are not taken. Copy your text into a new file.";
                around.notices.push((NoticeCode::ReadOnly, self.file, words.into()));
                Verdict::Refuse
            }
            (Verdict::Accept(facts), None) if Self::must_be_tried(&facts) => Verdict::Try,
            (other, _) => other,
        };
        match verdict {
            Verdict::Accept(facts) => {
                live.own(&facts, user, is_step2, &self.presence);
                if live.gathered.count == 0 {
                    around.unsubmitted.push(self.file);
                }
                let growth = facts.inserted_bytes.cast_signed();
                live.accept(Some(session), update, facts, growth);
                around.grows(growth);
                self.used_at = around.now;
            }
            Verdict::NothingNew => live.answer(&self.members, session, true),
            Verdict::Refuse => live.answer(&self.members, session, false),
            Verdict::TooLarge | Verdict::Foreign => {
                live.answer(&self.members, session, false);
                if let Some(member) = self.members.get_mut(session) {
                    member.has_refused = true;
                }
            }
            Verdict::Try => self.try_first(around, session, update, is_step2),
            Verdict::CatchUp => self.catch_up_first(around, RoomEvent::Update { session, update, is_step2 }),
            Verdict::Ask => {
                live.answer(&self.members, session, false);
                // The answer to a step 1 that still has holes would only be the same again.
                if !is_step2 {
                    live.push_step1(&self.members, session);
                }
            }
        }
    }

    /// Answers a client's state vector with what it lacks, and asks for what we lack.
    pub(in crate::rooms) fn step1(&mut self, around: &mut Surroundings, session: SessionId, vector: &[u8]) {
        let Some(live) = &self.live else { return };
        let known = match StateVector::parse(vector) {
            Ok(known) => known,
            Err(refusal) => return count_refusal(&refusal),
        };
        if !live.accepted.covers(&known) && self.may_be_behind(around) {
            let state_vector = Bytes::copy_from_slice(vector);
            return self.catch_up_first(around, RoomEvent::SyncStep1 { session, state_vector });
        }
        let Some(live) = &mut self.live else { return };
        let Some(member) = self.members.get_mut(session) else { return };
        self.used_at = around.now;
        if let Some(behind) = &mut member.behind {
            // It takes nothing now. One answer is due when it does, to what it asked last.
            behind.known = known;
            behind.owes_step2 = true;
            return live.push_step1(&self.members, session);
        }
        let pieces = around.shared.settings.sync_piece_bytes;
        let frames = match live.diff_frames(&known, &member.session.framing, Step::Two, pieces) {
            Ok(frames) => frames,
            Err(error) => return self.rebuild(around, &error),
        };
        if member.session.outbox.push_edits(session, frames) == Pushed::Refused {
            member.behind = Some(Box::new(Behind { known, version: live.version, owes_step2: true }));
        }
        live.push_step1(&self.members, session);
    }

    /// A session can take edits again after its outbox was full: gives it one diff, and the presence of the place.
    pub(in crate::rooms) fn drained(&mut self, around: &mut Surroundings, session: SessionId) {
        let Some(live) = &mut self.live else { return };
        let Some(member) = self.members.get_mut(session) else { return };
        member.session.outbox.resume(session);
        let Some(mut behind) = member.behind.take() else { return };
        if behind.owes_step2 || behind.version != live.version {
            let step = if behind.owes_step2 { Step::Two } else { Step::Update };
            let pieces = around.shared.settings.sync_piece_bytes;
            let frames = match live.diff_frames(&behind.known, &member.session.framing, step, pieces) {
                Ok(frames) => frames,
                Err(error) => return self.rebuild(around, &error),
            };
            if member.session.outbox.push_edits(session, frames) == Pushed::Refused {
                behind.version = u64::MAX;
                member.behind = Some(behind);
                return;
            }
        }
        if let Some(all) = self.presence.all()
            && let Some(frames) = say::awareness(&member.session.framing, &all)
            && member.session.outbox.push_presence(session, frames) == Pushed::Refused
        {
            let (known, version) = live.seen();
            member.behind = Some(Box::new(Behind { known, version, owes_step2: false }));
        }
    }
}

impl Live {
    fn judge(
        &mut self,
        update: &Bytes,
        is_step2: bool,
        around: &mut Surroundings,
        file: coderoom_protocol::ids::FileId,
        may_be_behind: bool,
    ) -> Verdict {
        let mut facts = match gate::check(update, |client| self.accepted.get(client)) {
            Ok(facts) => facts,
            // The client may come from another node, and have what this one has not heard of yet.
            Err(refusal) if refusal.needs_resync() && may_be_behind => return Verdict::CatchUp,
            Err(refusal) => {
                count_refusal(&refusal);
                return if refusal.needs_resync() { Verdict::Ask } else { Verdict::Refuse };
            }
        };
        if facts.is_empty() || (is_step2 && self.adds_nothing(&facts, update)) {
            return Verdict::NothingNew;
        }
        if self.is_read_only {
            return Verdict::Refuse;
        }
        let settings = &around.shared.settings;
        if self.is_tangled(pieces_of(&facts), settings) {
            metrics::counter!("coderoom_updates_refused_total", "reason" => "merge").increment(1);
            around.notices.push((NoticeCode::ReadOnly, file, TANGLED.into()));
            return Verdict::Refuse;
        }
        let backlog = settings.max_backlog_bytes * if self.is_failing { 1 } else { HEALTHY_BACKLOG };
        if self.in_flight_bytes + update.len() > backlog {
            self.is_read_only = true;
            let words = "The file takes no edits until storing works again.";
            around.notices.push((NoticeCode::ReadOnly, file, words.into()));
            return Verdict::Refuse;
        }
        let limit = settings.max_text_bytes;
        if !self.fits(facts.inserted_bytes, limit) || around.space.lacks(facts.inserted_bytes) {
            facts.inserted_bytes = self.growth(&facts, update);
        }
        if !self.fits(facts.inserted_bytes, limit) {
            metrics::counter!("coderoom_updates_refused_total", "reason" => "too_large").increment(1);
            let words = "The file is as large as a text file may be.";
            around.notices.push((NoticeCode::ReadOnly, file, words.into()));
            return Verdict::TooLarge;
        }
        if around.space.refuses(facts.inserted_bytes) {
            around.task_is_full(file);
            return Verdict::TooLarge;
        }
        Verdict::Accept(facts)
    }

    /// Nobody may go on where another writes: that person's own next edits would be taken for known ones, and be acknowledged
    /// and lost.
    fn judge_writers(&self, facts: Facts, user: UserId, presence: &Presence, may_be_behind: bool) -> Verdict {
        for writer in &facts.writers {
            let known = self.accepted.get(writer.client);
            if writer.end <= known {
                continue;
            }
            let owner = self.clients.get(&writer.client).copied();
            if owner.is_none() && known > 0 && may_be_behind {
                return Verdict::CatchUp;
            }
            if owner.or_else(|| presence.owner(writer.client)).is_some_and(|owner| owner != user) {
                metrics::counter!("coderoom_updates_refused_total", "reason" => "foreign_client").increment(1);
                return Verdict::Foreign;
            }
        }
        Verdict::Accept(facts)
    }

    /// The client ids of an accepted update are the user's from now on. A step 2 may carry what others wrote (tables that were
    /// restored from a backup lack it), so there presence must say the same; who announces nobody is a program, and brings
    /// what it wrote itself.
    fn own(&mut self, facts: &Facts, user: UserId, is_step2: bool, presence: &Presence) {
        let announces_nobody = is_step2 && !presence.has(user);
        for writer in facts.writers.iter().filter(|writer| writer.end > self.accepted.get(writer.client)) {
            let is_new = self.accepted.get(writer.client) == 0;
            if is_step2 && presence.owner(writer.client) != Some(user) && !(is_new && announces_nobody) {
                continue;
            }
            if let Entry::Vacant(vacant) = self.clients.entry(writer.client) {
                vacant.insert(user);
                self.gathered.clients.push((writer.client, user));
            }
        }
    }

    /// A reader's step 2 is as good as stored when there is nothing new in it.
    fn judge_reader(&mut self, update: &Bytes, is_step2: bool) -> Verdict {
        if !is_step2 {
            return Verdict::Refuse;
        }
        match gate::check(update, |client| self.accepted.get(client)) {
            Ok(facts) if facts.is_empty() || self.adds_nothing(&facts, update) => Verdict::NothingNew,
            Ok(_) => Verdict::Refuse,
            Err(refusal) => {
                count_refusal(&refusal);
                Verdict::Refuse
            }
        }
    }

    fn adds_nothing(&mut self, facts: &Facts, update: &[u8]) -> bool {
        if !facts.writes_nothing_new(|client| self.accepted.get(client)) {
            return false;
        }
        if facts.delete_ranges == 0 {
            return true;
        }
        self.find_deleted();
        let Some(deleted) = &self.cache.deleted else { return false };
        facts.adds_nothing(update, |client| self.accepted.get(client), |range| deleted.covers(range))
    }

    /// Most bytes by which the text grows, with a second look at what the update deletes. Only when nothing is in flight: the
    /// document does not know yet what that deletes.
    fn growth(&mut self, facts: &Facts, update: &[u8]) -> u64 {
        if !self.in_flight.is_empty() {
            return facts.inserted_bytes;
        }
        self.find_deleted();
        let Some(deleted) = &self.cache.deleted else { return facts.inserted_bytes };
        let growth = facts.growth(update, |client| self.accepted.get(client), |range| deleted.left_of(range));
        u64::try_from(growth).unwrap_or(0)
    }

    fn find_deleted(&mut self) {
        if self.cache.deleted.is_none() {
            self.cache.deleted = self.replica.as_ref().and_then(|replica| replica.deleted().ok());
        }
    }

    /// Whether the text may grow by `bytes`. The bound only grows; when it says no, the text itself is asked.
    fn fits(&mut self, bytes: u64, limit: u64) -> bool {
        if self.text_bound + bytes <= limit {
            return true;
        }
        if self.exact_at != Some(self.version)
            && let Some(Ok(text)) = self.replica.as_ref().map(Replica::text)
        {
            let in_flight: u64 = self
                .in_flight
                .iter()
                .map(|entry| if let InFlight::Edit { update, .. } = entry { update.len() as u64 } else { 0 })
                .sum();
            self.text_bound = self.text_bound.min(text.len() as u64 + in_flight);
            self.exact_at = Some(self.version);
        }
        self.text_bound + bytes <= limit
    }

    /// Takes an update that has passed the gate on its way. The task grows by at most `growth` bytes.
    pub(super) fn accept(&mut self, author: Option<SessionId>, update: Bytes, facts: Facts, growth: i64) {
        self.accepted.accept(&facts);
        log_row::append(&mut self.gathered.data, &update);
        self.gathered.count += 1;
        self.gathered.inserted_bytes += facts.inserted_bytes;
        self.gathered.growth += growth;
        self.text_bound += facts.inserted_bytes;
        let pieces = pieces_of(&facts);
        self.add_pieces(pieces);
        self.in_flight_bytes += update.len();
        self.in_flight.push_back(InFlight::Edit { author, update, writers: facts.writers, pieces });
    }

    /// Answers an update that needs no commit, behind the answers that are still due.
    fn answer(&mut self, members: &Members, session: SessionId, is_stored: bool) {
        if !self.in_flight.is_empty() {
            self.in_flight.push_back(InFlight::Answer { session, is_stored });
        } else if let Some(member) = members.get(session) {
            let mut frame = Vec::new();
            say::append_status(&mut frame, &member.session.framing, is_stored, 1);
            if !frame.is_empty() {
                member.session.outbox.push(frame.into());
            }
        }
    }

    pub(super) fn push_step1(&self, members: &Members, session: SessionId) {
        if let Some(member) = members.get(session) {
            member.session.outbox.push(say::sync(&member.session.framing, Step::One, &self.accepted.encode()));
        }
    }

    /// What members have now that nothing is behind, and the version of it.
    pub(in crate::rooms) fn seen(&self) -> (StateVector, u64) {
        (self.shown.clone(), self.version)
    }
}

fn count_refusal(refusal: &Refusal) {
    let reason = match refusal {
        Refusal::Malformed(_) => "malformed",
        Refusal::Hole { .. } => "hole",
        Refusal::UnknownOrigin { .. } => "unknown_origin",
        Refusal::TooManyBlocks | Refusal::TooManyDeletes => "too_many",
    };
    metrics::counter!("coderoom_updates_refused_total", "reason" => reason).increment(1);
}
