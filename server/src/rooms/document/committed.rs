//! After the commit, and only then: edits are shown to the others, acknowledged to their authors, and applied.

use std::sync::Arc;

use bytes::Bytes;
use coderoom_protocol::{
    control::{FileWritten, NoticeCode},
    ids::FileId,
    problem::{ErrorCode, WireError},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{Document, Gathered, InFlight, Measure, Surroundings, new_generation, tangle::LONG_UPDATE_BYTES};
use crate::rooms::{
    between_nodes::{Message, StoredRow},
    compact,
    event::{Framing, SessionId},
    group_commit::{Outcome, Rejected},
    log_row,
    mailbox::Letter,
    members::{Answers, Member, add_answer},
    merge_cost::{Meter, aside},
};

/// The edits of one commit, taken from what is in flight, with what is due after them.
#[derive(Default)]
struct Batch {
    updates: Vec<Bytes>,
    bytes: usize,
    answers: Vec<Answers>,
    /// Set when all edits have this author.
    author: Option<SessionId>,
}

impl Document {
    /// Takes in what became of the oldest edits in flight. `false`: the file is gone and so must be the document.
    pub(in crate::rooms) fn committed(&mut self, around: &mut Surroundings, outcome: Outcome) -> bool {
        if outcome.generation != self.generation || self.live.is_none() {
            return true;
        }
        match outcome.result {
            Ok(last) => self.stored(around, outcome.count, last),
            Err(Rejected::Full { used }) => {
                around.space.found(used, around.now);
                self.refuse_in_flight(around);
            }
            Err(Rejected::Refused) => {
                self.roll_back(around);
                if let Some(live) = &self.live {
                    self.members.push_step1(&live.accepted.encode());
                }
            }
            Err(Rejected::Gone) => {
                self.roll_back(around);
                return false;
            }
        }
        true
    }

    fn stored(&mut self, around: &mut Surroundings, count: u64, last: u64) {
        let Some(live) = &mut self.live else { return };
        let first = (last + 1).saturating_sub(count);
        let before = live.seen();
        let mut batch = Batch::default();
        while batch.updates.len() < count as usize {
            let Some(entry) = live.in_flight.pop_front() else { break };
            if let InFlight::Edit { writers, update, .. } = &entry {
                for writer in writers {
                    live.shown.advance(writer.client, writer.end);
                }
                live.in_flight_bytes -= update.len();
            }
            batch.take(entry, self.file, last);
        }
        while let Some(entry) = live.in_flight.pop_front_if(|entry| !matches!(entry, InFlight::Edit { .. })) {
            batch.take(entry, self.file, last);
        }
        // The author of a whole batch has it; one of several gets what everybody gets, which changes nothing for it.
        // At the second door the echo is the acknowledgement.
        let but = batch.author.filter(|author| {
            self.members.get(*author).is_none_or(|member| matches!(member.session.framing, Framing::Addressed(_)))
        });
        self.members.push_updates(batch.updates.iter(), but, || before.clone());
        self.members.push_answers(&batch.answers);
        if let Some(publisher) = &around.shared.publisher {
            publisher.publish(around.task, Message::Edits(batch.row(self.file, live.epoch, first)));
        }

        let mut fault = None;
        match &live.replica {
            // It rests on nothing that is not here: what other nodes stored before it may come later.
            Some(replica) => {
                let is_long =
                    live.is_tangling() || batch.updates.iter().any(|update| update.len() >= LONG_UPDATE_BYTES);
                let meter = Meter::start();
                fault = aside(is_long, || replica.apply(batch.updates.iter().map(Bytes::as_ref))).err();
                live.merge_excess += meter.excess(count, batch.bytes as u64);
            }
            None => live.unapplied.extend((first..).zip(batch.updates.iter().cloned())),
        }
        live.note_stored(first, last);
        around.has_gap |= live.has_gap();
        live.version += 1;
        live.forget_cache();
        for Answers { session, .. } in &batch.answers {
            if self.members.get_mut(*session).is_some_and(|member| std::mem::take(&mut member.has_refused)) {
                live.push_step1(&self.members, *session);
            }
        }
        live.loose_edits += count;
        live.loose_bytes += batch.bytes as u64;
        self.used_at = around.now;
        if around.space.is_waited_for() {
            around.measure = Measure::Exact;
        }
        self.storing_works(around);
        match fault {
            Some(error) => self.rebuild(around, &error),
            None => self.compact_if_due(around),
        }
    }

    /// The task may not grow by what is in flight: its authors are asked for it again when there is space.
    fn refuse_in_flight(&mut self, around: &mut Surroundings) {
        let Some(live) = &mut self.live else { return };
        for entry in &live.in_flight {
            if let InFlight::Edit { author: Some(session), writers, .. } = entry {
                let least: u64 = writers.iter().map(|writer| u64::from(writer.end - writer.start)).sum();
                around.space.wait_for(least.max(1));
                if let Some(member) = self.members.get_mut(*session) {
                    member.has_refused = true;
                }
            }
        }
        self.roll_back(around);
        around.task_is_full(self.file);
    }

    /// There may be space for what was refused.
    pub(in crate::rooms) fn ask_refused(&mut self) {
        let Some(live) = &self.live else { return };
        let refused: Vec<_> = self.members.iter_mut().filter_map(Member::take_refused).collect();
        for session in refused {
            live.push_step1(&self.members, session);
        }
    }

    /// Storing these edits has failed and is tried again: members are told once.
    pub(in crate::rooms) fn storing_fails(&mut self, around: &mut Surroundings) {
        if let Some(live) = &mut self.live
            && !live.in_flight.is_empty()
            && !live.is_failing
        {
            live.is_failing = true;
            let words = "Edits cannot be stored at the moment; the server keeps trying.";
            around.notices.push((NoticeCode::NotStored, self.file, words.into()));
        }
    }

    fn storing_works(&mut self, around: &mut Surroundings) {
        let Some(live) = &mut self.live else { return };
        let has_room = live.in_flight_bytes <= around.shared.settings.max_backlog_bytes / 2;
        let reopens = live.is_read_only && has_room;
        if live.is_failing || reopens {
            live.is_failing = false;
            around.notices.push((NoticeCode::Stored, self.file, "Edits are stored again.".into()));
        }
        if reopens {
            live.is_read_only = false;
            // What was refused meanwhile is still with the clients.
            self.members.push_step1(&live.accepted.encode());
        }
    }

    /// Everything in flight will never be stored: it is refused, and the document is what the tables have.
    pub(in crate::rooms) fn roll_back(&mut self, around: &mut Surroundings) {
        self.generation = new_generation();
        let Some(live) = &mut self.live else { return };
        let mut answers = Vec::new();
        for entry in live.in_flight.drain(..) {
            if let InFlight::Edit { writers, .. } = &entry {
                // Whose they are has not been stored either.
                writers.iter().filter(|writer| live.shown.get(writer.client) == 0).for_each(|writer| {
                    live.clients.remove(&writer.client);
                });
            }
            match entry {
                InFlight::Edit { author: Some(session), .. } | InFlight::Answer { session, .. } => {
                    add_answer(&mut answers, session, false);
                }
                InFlight::Written { reply, growth, .. } => {
                    let growth = u64::try_from(growth).unwrap_or_default();
                    let is_full = around.space.lacks(growth);
                    let why =
                        if is_full { around.space.refusal(growth) } else { WireError::plain(ErrorCode::NotStored) };
                    let _ = reply.send(Err(why));
                }
                InFlight::Edit { author: None, .. } | InFlight::Ticket(_) => {}
            }
        }
        if let Some(reply) = live.writing.take() {
            let _ = reply.send(Err(WireError::plain(ErrorCode::NotStored)));
        }
        live.in_flight_bytes = 0;
        live.gathered = Gathered::default();
        live.accepted = live.shown.clone();
        live.exact_at = None;
        self.members.push_answers(&answers);
        self.write_next(around);
    }

    pub(super) fn compact_if_due(&mut self, around: &mut Surroundings) {
        let settings = &around.shared.settings;
        let Some(live) = &self.live else { return };
        let edits = live.loose_edits - live.compaction_failed_at.map_or(0, |at| at.min(live.loose_edits));
        if edits >= settings.compact_after_edits || live.loose_bytes >= settings.compact_after_bytes && edits > 0 {
            self.compact(around);
        }
    }

    /// Waits for a turn to compact, which comes as [`Letter::CompactionTurn`].
    pub(super) fn compact(&mut self, around: &Surroundings) {
        let Some(live) = &mut self.live else { return };
        if live.is_compacting || live.replica.is_none() || live.has_gap() {
            return;
        }
        live.is_compacting = true;
        let file = self.file;
        let (shared, mailbox) = (around.shared.clone(), around.mailbox.clone());
        around.shared.tracker.spawn(async move {
            // One at a time: compaction is never urgent, and edits share the same disk.
            if let Ok(turn) = Arc::clone(&shared.compactions).acquire_owned().await {
                mailbox.post(Letter::CompactionTurn(file, turn));
            }
        });
    }

    /// Compacts what is applied. Its end comes as [`Letter::Compacted`]. The state is taken only now: many documents may
    /// have waited, and each state is as large as its text.
    pub(in crate::rooms) fn compact_now(&mut self, around: &mut Surroundings, turn: OwnedSemaphorePermit) {
        let Some(live) = &mut self.live else { return };
        // What came between asks for another turn when all of it is here.
        live.is_compacting = false;
        let Some(replica) = &live.replica else { return };
        if live.has_gap() {
            return;
        }
        let compaction = match compact::begin(self.file, live.epoch, live.seq, replica) {
            Ok(compaction) => compaction,
            Err(error) => return self.rebuild(around, &error),
        };
        live.is_compacting = true;
        let (file, generation) = (self.file, self.generation);
        let (shared, mailbox) = (around.shared.clone(), around.mailbox.clone());
        around.shared.tracker.spawn(async move {
            let _turn = turn;
            let done = compact::finish(&shared.tables, &shared.clock, shared.settings.keep_history, compaction).await;
            mailbox.post(Letter::Compacted(Box::new((file, generation, done))));
        });
    }

    /// A compaction has ended. What came while it ran may be enough for the next.
    pub(in crate::rooms) fn compacted(
        &mut self,
        around: &mut Surroundings,
        generation: u64,
        done: &compact::Compacted,
    ) {
        let Some(live) = &mut self.live else { return };
        live.is_compacting = false;
        if generation != self.generation {
            return;
        }
        if done.is_stored {
            live.loose_edits = live.seq.saturating_sub(done.seq);
            live.loose_bytes = 0;
            live.compaction_failed_at = None;
            if live.loose_edits == 0 && live.in_flight.is_empty() {
                live.text_bound = done.text_bytes;
            }
            self.compact_if_due(around);
        } else {
            live.compaction_failed_at = Some(live.loose_edits);
        }
    }
}

impl Batch {
    /// As the tables have it.
    fn row(&self, file: FileId, epoch: u64, first: u64) -> StoredRow {
        let mut data = Vec::with_capacity(self.bytes + self.updates.len() * 2);
        for update in &self.updates {
            log_row::append(&mut data, update);
        }
        StoredRow { file, epoch, seq: first, count: self.updates.len() as u64, data: data.into() }
    }

    fn take(&mut self, entry: InFlight, file: FileId, last: u64) {
        match entry {
            InFlight::Edit { author, update, .. } => {
                if self.updates.is_empty() {
                    self.author = author;
                } else if self.author != author {
                    self.author = None;
                }
                self.bytes += update.len();
                self.updates.push(update);
                if let Some(session) = author {
                    add_answer(&mut self.answers, session, true);
                }
            }
            InFlight::Answer { session, is_stored } => add_answer(&mut self.answers, session, is_stored),
            InFlight::Written { reply, changed, .. } => {
                let _ = reply.send(Ok(FileWritten { file, seq: last, changed }));
            }
            InFlight::Ticket(_) => {}
        }
    }
}
