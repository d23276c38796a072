//! What other nodes have stored: told by them over the bus, or read from the tables where that left a gap.
//!
//! Edits of one document are numbered by the tables, but may come here in another order: what this node stored is shown at
//! once, whatever other nodes stored before it. Numbers that are missing are waited for a moment and then read.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use coderoom_protocol::gate;

use super::{
    Document, Live, Reading, Surroundings,
    tangle::{LONG_UPDATE_BYTES, pieces_of},
};
use crate::rooms::{
    between_nodes::StoredRow,
    event::RoomEvent,
    load_document::{self, Since},
    log_row,
    mailbox::Letter,
    merge_cost::{Meter, aside},
    say::Farewell,
};

impl Document {
    /// Whether another node may have stored what is not here, as far as the current event goes.
    pub(super) fn may_be_behind(&self, around: &Surroundings) -> bool {
        around.shared.publisher.is_some() && !self.is_fresh
    }

    /// Keeps an event, and all after it, until what other nodes have stored is here.
    pub(super) fn catch_up_first(&mut self, around: &mut Surroundings, event: RoomEvent) {
        self.waiting.get_or_insert_default();
        self.hold(around, event);
        if let Some(live) = &mut self.live {
            // One that is under way may have read too early.
            live.catching_up = None;
        }
        self.catch_up(around);
    }

    /// Reads what is missing, unless that is under way. Its end comes as [`Letter::CaughtUp`].
    pub(in crate::rooms) fn catch_up(&mut self, around: &Surroundings) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Some(live) = &mut self.live else { return };
        if live.catching_up.is_some() || self.is_loading {
            return;
        }
        let reading = NEXT.fetch_add(1, Ordering::Relaxed);
        live.catching_up = Some(Reading { number: reading, heard: 0 });
        metrics::counter!("coderoom_documents_caught_up_total").increment(1);
        let (file, epoch, after, task) = (self.file, live.epoch, live.seq, around.task);
        let (shared, mailbox) = (around.shared.clone(), around.mailbox.clone());
        let (shortest, longest) = shared.settings.retry_ms;
        let retry = (Duration::from_millis(shortest), Duration::from_millis(longest));
        around.shared.tracker.spawn(async move {
            let since = load_document::since(&shared.tables, task, file, epoch, after, retry).await;
            mailbox.post(Letter::CaughtUp(Box::new((file, reading, since))));
        });
    }

    /// What was missing has been read. Fails when the document must go.
    pub(in crate::rooms) fn caught_up(
        &mut self,
        around: &mut Surroundings,
        reading: u64,
        since: Since,
    ) -> Result<(), Farewell> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let Some(Reading { heard, .. }) = live.catching_up.take_if(|under_way| under_way.number == reading) else {
            return Ok(());
        };
        match since {
            Since::Gone => return Err(Farewell::Deleted),
            // It is being read as a whole, which ends the wait.
            _ if self.is_loading => return Ok(()),
            Since::Rows(rows, clients) => {
                live.clients.extend(clients);
                if !rows.into_iter().all(|row| self.take_row(around, &row)) {
                    self.load_anew(around);
                    return Ok(());
                }
            }
            Since::Cut => {
                self.load_anew(around);
                return Ok(());
            }
        }
        if let Some(live) = &mut self.live {
            if !live.believe(heard) {
                self.load_anew(around);
                return Ok(());
            }
            around.has_gap |= live.has_gap();
        }
        self.go_on(around);
        Ok(())
    }

    /// Another node says what it has stored.
    pub(in crate::rooms) fn heard_row(&mut self, around: &mut Surroundings, row: &StoredRow) {
        let last = row.last();
        if self.heard_of(around, last)
            && let Some(live) = &self.live
            && live.epoch == row.epoch
        {
            if !self.take_row(around, row) {
                metrics::counter!("coderoom_heard_rows_refused_total").increment(1);
            }
            around.has_gap |= self.live.as_ref().is_some_and(|live| live.has_gap());
        }
    }

    /// Another node says that edits up to this one are stored. Gives whether the document is there to take them.
    pub(in crate::rooms) fn heard_of(&mut self, around: &mut Surroundings, seq: u64) -> bool {
        if let Some(waiting) = &mut self.waiting {
            waiting.heard = waiting.heard.max(seq);
        }
        let Some(live) = &mut self.live else {
            if self.waiting.is_none() && self.rested.as_ref().is_some_and(|rested| rested.0 < seq) {
                self.begin_life(around);
            }
            return false;
        };
        live.hear(seq);
        around.has_gap |= live.has_gap();
        live.replica.is_some()
    }

    /// Whether it is in memory, or was while members stayed: then they must not miss what other nodes store.
    pub(in crate::rooms) fn has_known(&self) -> bool {
        self.live.is_some() || self.rested.is_some()
    }

    /// Applies and shows a row that another node has stored. `false`: it does not go with what is here.
    fn take_row(&mut self, around: &mut Surroundings, row: &StoredRow) -> bool {
        let Some(live) = &mut self.live else { return false };
        let Some(replica) = &live.replica else { return false };
        if live.has(row.seq, row.last()) {
            return true;
        }
        if row.count == 0 || !log_row::is_whole(&row.data, row.count) {
            return false;
        }
        let before = live.seen();
        let mut vector = live.shown.clone();
        let (mut inserted, mut pieces) = (0, 0);
        let updates: Vec<Bytes> = log_row::updates(&row.data).map(|update| row.data.slice_ref(update)).collect();
        for update in &updates {
            // It has passed the gate of its node, and passes ours all the same: the bus is not ours alone.
            let Ok(facts) = gate::check(update, |client| vector.get(client)) else { return false };
            vector.accept(&facts);
            inserted += facts.inserted_bytes;
            pieces += pieces_of(&facts);
        }
        let is_long = live.is_tangling() || row.data.len() >= LONG_UPDATE_BYTES;
        let meter = Meter::start();
        let applied = aside(is_long, || replica.apply(updates.iter().map(Bytes::as_ref)));
        live.merge_excess += meter.excess(row.count, row.data.len() as u64);
        for (client, clock) in vector.iter() {
            live.accepted.advance(client, clock);
        }
        live.shown = vector;
        live.text_bound += inserted;
        live.add_pieces(pieces);
        live.version += 1;
        live.forget_cache();
        live.note_stored(row.seq, row.last());
        live.loose_edits += row.count;
        live.loose_bytes += row.data.len() as u64;
        self.used_at = around.now;
        around.grows(inserted.cast_signed());
        self.members.push_updates(updates.iter(), None, || before.clone());
        match applied {
            Ok(()) => self.compact_if_due(around),
            Err(error) => self.rebuild(around, &error),
        }
        true
    }
}

impl Live {
    /// Edits from `first` to `last` are here.
    pub(super) fn note_stored(&mut self, first: u64, last: u64) {
        self.hear(last);
        let end = self.beyond.entry(first).or_default();
        *end = last.max(*end);
        while let Some(next) = self.beyond.first_entry()
            && *next.key() <= self.seq + 1
        {
            self.seq = self.seq.max(next.remove());
        }
    }

    /// Edits up to this one are stored, it is said.
    pub(super) fn hear(&mut self, seq: u64) {
        self.heard = self.heard.max(seq);
        if let Some(reading) = &mut self.catching_up {
            reading.heard = reading.heard.max(seq);
        }
    }

    /// The tables have been read; since that began the edit `since` was told of. An edit is told of when it is stored, so what
    /// was told before and was not found is not true (a forged message, tables from a backup): it would leave a gap for ever.
    /// `false`: such edits are even shown, and the document has to be read as a whole.
    fn believe(&mut self, since: u64) -> bool {
        self.heard = self.seq.max(since);
        let is_true = self.beyond.values().all(|last| *last <= self.heard);
        if !is_true {
            self.beyond.clear();
        }
        is_true
    }

    /// Whether these are here already.
    fn has(&self, first: u64, last: u64) -> bool {
        last <= self.seq || self.beyond.range(..=first).next_back().is_some_and(|(_, end)| last <= *end)
    }

    /// Whether the tables have edits that are not here.
    pub(in crate::rooms) fn has_gap(&self) -> bool {
        self.seq < self.heard
    }
}
