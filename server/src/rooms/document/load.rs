//! Bringing a document into memory, once for however many wait, and building it anew after a fault.

use std::{collections::BTreeMap, time::Duration};

use coderoom_protocol::{
    control::NoticeCode,
    problem::{ErrorCode, WireError},
};

use super::{Document, Held, InFlight, Live, Surroundings, new_generation};
use crate::rooms::{
    event::{RoomEvent, SessionId},
    load_document::{self, LoadError, Loaded},
    mailbox::Letter,
    replica::ReplicaError,
    say::{self, Farewell},
};

impl Document {
    /// Does what an event asks for, or keeps it until the replica is there.
    pub(in crate::rooms) fn handle(&mut self, around: &mut Surroundings, event: RoomEvent) {
        if self.waiting.is_none() && self.live.is_none() {
            self.begin_life(around);
        }
        if self.waiting.is_some() {
            return self.hold(around, event);
        }
        match event {
            RoomEvent::Update { session, update, is_step2 } => self.receive(around, session, update, is_step2),
            RoomEvent::SyncStep1 { session, state_vector } => self.step1(around, session, &state_vector),
            RoomEvent::Drained { session } => self.drained(around, session),
            // Against the text that all nodes have stored, not what this one has heard of.
            RoomEvent::WriteText { .. } if self.may_be_behind(around) => self.catch_up_first(around, event),
            RoomEvent::WriteText { text, reply, .. } => self.write_text(around, text, reply),
            // Everything else is the room's.
            _ => {}
        }
    }

    pub(super) fn hold(&mut self, around: &Surroundings, event: RoomEvent) {
        let Some(waiting) = &mut self.waiting else { return };
        let cost = 256 + payload_len(&event);
        if waiting.bytes + cost > around.shared.settings.loading_bytes {
            match event {
                RoomEvent::WriteText { reply, .. } => {
                    let _ = reply.send(Err(WireError::plain(ErrorCode::Unavailable)));
                }
                RoomEvent::Update { session, .. } | RoomEvent::SyncStep1 { session, .. } => {
                    self.end_session(session, Farewell::TooMuch);
                }
                _ => {}
            }
            return;
        }
        waiting.bytes += cost;
        waiting.held.push_back(Held::Event(event));
    }

    fn end_session(&mut self, session: SessionId, why: Farewell) {
        if let Some(session) = self.members.remove(session) {
            say::farewell(&session, why);
        }
    }

    /// Brings the document into memory.
    pub(super) fn begin_life(&mut self, around: &Surroundings) {
        self.generation = new_generation();
        self.begin_load(around);
    }

    fn begin_load(&mut self, around: &Surroundings) {
        self.waiting.get_or_insert_default();
        self.is_loading = true;
        let (file, generation, task) = (self.file, self.generation, around.task);
        let (shared, mailbox) = (around.shared.clone(), around.mailbox.clone());
        let (shortest, longest) = shared.settings.retry_ms;
        let retry = (Duration::from_millis(shortest), Duration::from_millis(longest));
        around.shared.tracker.spawn(async move {
            let loaded = load_document::load(&shared.tables, task, file, retry).await;
            metrics::counter!("coderoom_documents_loaded_total").increment(1);
            mailbox.post(Letter::Loaded(Box::new((file, generation, loaded))));
        });
    }

    /// The document has been read. `false`: it cannot be had, and must go.
    pub(in crate::rooms) fn loaded(
        &mut self,
        around: &mut Surroundings,
        generation: u64,
        loaded: Result<Loaded, LoadError>,
    ) -> Result<(), Farewell> {
        // A roll-back while loading changes the generation of a document that is being rebuilt, not what it is read from.
        if generation != self.generation && self.live.is_none() {
            return Ok(());
        }
        self.is_loading = false;
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(LoadError::Gone) => return Err(Farewell::Deleted),
            Err(error @ LoadError::Damaged(_)) => {
                tracing::error!(error = %error, file.id = %self.file, "a document cannot be read");
                return Err(Farewell::Damaged);
            }
        };
        match &mut self.live {
            None => {
                self.live = Some(Box::new(Live::new(loaded)));
                self.wake_members();
            }
            Some(_) => self.rebuilt(loaded)?,
        }
        self.used_at = around.now;
        self.go_on(around);
        Ok(())
    }

    /// Does what waited. The document is as the tables had it a moment ago.
    pub(super) fn go_on(&mut self, around: &mut Surroundings) {
        let Some(waiting) = self.waiting.take() else { return };
        if let Some(live) = &mut self.live {
            live.hear(waiting.heard);
            around.has_gap |= live.has_gap();
        }
        self.is_fresh = true;
        for held in waiting.held {
            match held {
                Held::Event(event) => self.handle(around, event),
                Held::Ticket(ticket) => self.join_barrier(&ticket),
            }
        }
        self.is_fresh = false;
    }

    /// Members that stayed while the document was not in memory get what came meanwhile.
    fn wake_members(&mut self) {
        let (Some(live), Some(rested)) = (&mut self.live, self.rested.take()) else { return };
        let (seq, known) = *rested;
        if live.seq > seq
            && let Ok(state) = live.diff(&known)
        {
            let before = (known, live.version);
            live.version += 1;
            self.members.push_updates([state].iter(), None, || before.clone());
        }
    }

    /// After a fault in the replica, or when the tables have edits that did not come from here: reads everything again.
    /// Edits in flight stay in flight.
    pub(in crate::rooms) fn rebuild(&mut self, around: &mut Surroundings, why: &ReplicaError) {
        let Some(live) = &mut self.live else { return };
        metrics::counter!("coderoom_documents_rebuilt_total").increment(1);
        tracing::error!(error = %why, file.id = %self.file, seq = live.seq, "a document is built anew from its log");
        around.notices.push((NoticeCode::Rebuilt, self.file, "The document was rebuilt after a fault.".into()));
        self.load_anew(around);
    }

    /// Reads everything again, unless that is under way.
    pub(super) fn load_anew(&mut self, around: &Surroundings) {
        if let Some(live) = &mut self.live {
            live.replica = None;
            live.forget_cache();
        }
        if !self.is_loading {
            self.begin_load(around);
        }
    }

    fn rebuilt(&mut self, loaded: Loaded) -> Result<(), Farewell> {
        let Some(live) = &mut self.live else { return Ok(()) };
        if loaded.epoch != live.epoch {
            return Err(Farewell::Deleted);
        }
        live.unapplied.retain(|(seq, _)| *seq > loaded.seq);
        let newer = std::mem::take(&mut live.unapplied);
        let applied = loaded.replica.apply(newer.iter().map(|(_, update)| update.as_ref()));
        let vector = applied.and_then(|()| loaded.replica.vector());
        let Ok(vector) = vector else { return Err(Farewell::Damaged) };
        let known = std::mem::replace(&mut live.shown, vector);
        live.seq = loaded.seq;
        live.beyond.clear();
        for (seq, _) in newer {
            live.note_stored(seq, seq);
        }
        live.note_stored(loaded.seq, loaded.seq);
        live.replica = Some(loaded.replica);
        live.version += 1;
        live.merge_excess = loaded.merge_excess;
        live.pieces = None;
        live.loose_edits = loaded.loose_edits;
        live.loose_bytes = loaded.loose_bytes;
        live.accepted = live.shown.clone();
        for entry in &live.in_flight {
            if let InFlight::Edit { writers, .. } = entry {
                for writer in writers {
                    live.accepted.advance(writer.client, writer.end);
                }
            }
        }
        // Members may lack what did not come from here, and may have what was lost.
        if let Ok(state) = live.diff(&known) {
            let seen = live.seen();
            self.members.push_updates([state].iter(), None, || seen.clone());
        }
        self.members.push_step1(&live.accepted.encode());
        Ok(())
    }

    /// Ends everything about a document that cannot be had; gives the sessions that were attached.
    pub(in crate::rooms) fn end(&mut self, around: &mut Surroundings, why: Farewell) -> Vec<SessionId> {
        self.roll_back(around);
        let code = if why == Farewell::Deleted { ErrorCode::NotFound } else { ErrorCode::Internal };
        for held in self.waiting.take().map(|waiting| waiting.held).unwrap_or_default() {
            if let Held::Event(RoomEvent::WriteText { reply, .. }) = held {
                let _ = reply.send(Err(WireError::plain(code)));
            }
        }
        self.live = None;
        self.rested = None;
        around.shared.commits.forget(self.file);
        self.members.end(why, |_| true)
    }
}

fn payload_len(event: &RoomEvent) -> usize {
    match event {
        RoomEvent::SyncStep1 { state_vector, .. } => state_vector.len(),
        RoomEvent::Update { update, .. } => update.len(),
        RoomEvent::WriteText { text, .. } => text.len(),
        _ => 0,
    }
}

impl Live {
    fn new(loaded: Loaded) -> Self {
        Self {
            epoch: loaded.epoch,
            seq: loaded.seq,
            beyond: BTreeMap::new(),
            heard: loaded.seq,
            catching_up: None,
            replica: Some(loaded.replica),
            unapplied: Vec::new(),
            accepted: loaded.vector.clone(),
            shown: loaded.vector,
            clients: loaded.clients,
            in_flight: Default::default(),
            in_flight_bytes: 0,
            gathered: Default::default(),
            text_bound: loaded.size,
            exact_at: None,
            version: 0,
            pieces: None,
            counted_pieces: 0,
            merge_excess: loaded.merge_excess,
            loose_edits: loaded.loose_edits,
            loose_bytes: loaded.loose_bytes,
            is_compacting: false,
            compaction_failed_at: None,
            cache: Default::default(),
            writes: Default::default(),
            writing: None,
            is_failing: false,
            is_read_only: false,
        }
    }
}
