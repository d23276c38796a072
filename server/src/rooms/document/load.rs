//! Bringing a document into memory, once for however many wait, and building it anew after a fault.

use std::time::Duration;

use coderoom_protocol::{
    control::NoticeCode,
    problem::{ErrorCode, WireError},
};

use super::{Document, Held, InFlight, Live, Surroundings, Waiting, new_generation};
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
            self.generation = new_generation();
            self.begin_load(around);
        }
        if self.waiting.is_some() {
            return self.hold(around, event);
        }
        match event {
            RoomEvent::Update { session, update, is_step2 } => self.receive(around, session, update, is_step2),
            RoomEvent::SyncStep1 { session, state_vector } => self.step1(around, session, &state_vector),
            RoomEvent::Drained { session } => self.drained(around, session),
            RoomEvent::WriteText { text, reply, .. } => self.write_text(around, text, reply),
            // Everything else is the room's.
            _ => {}
        }
    }

    fn hold(&mut self, around: &Surroundings, event: RoomEvent) {
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

    fn begin_load(&mut self, around: &Surroundings) {
        self.waiting = Some(Box::default());
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
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(LoadError::Gone) => return Err(Farewell::Deleted),
            Err(error @ LoadError::Damaged(_)) => {
                tracing::error!(error = %error, file.id = %self.file, "a document cannot be read");
                return Err(Farewell::Damaged);
            }
        };
        match &mut self.live {
            None => self.live = Some(Box::new(Live::new(loaded))),
            Some(_) => self.rebuilt(around, loaded)?,
        }
        // A rebuild may have found that it must begin again: then everything goes on waiting.
        if self.live.as_ref().is_some_and(|live| live.replica.is_some()) {
            let waiting = self.waiting.take().unwrap_or_default();
            self.used_at = around.now;
            for held in waiting.held {
                match held {
                    Held::Event(event) => self.handle(around, event),
                    Held::Ticket(ticket) => self.join_barrier(&ticket),
                }
            }
        }
        Ok(())
    }

    /// After a fault in the replica, or when the tables have edits that did not come from here: reads everything again.
    /// Edits in flight stay in flight.
    pub(in crate::rooms) fn rebuild(&mut self, around: &mut Surroundings, why: &ReplicaError) {
        let Some(live) = &mut self.live else { return };
        metrics::counter!("coderoom_documents_rebuilt_total").increment(1);
        tracing::error!(error = %why, file.id = %self.file, seq = live.seq, "a document is built anew from its log");
        live.replica = None;
        live.forget_cache();
        around.notices.push((NoticeCode::Rebuilt, self.file, "The document was rebuilt after a fault.".into()));
        if self.waiting.is_none() {
            self.begin_load(around);
        }
    }

    fn rebuilt(&mut self, around: &mut Surroundings, loaded: Loaded) -> Result<(), Farewell> {
        let Some(live) = &mut self.live else { return Ok(()) };
        if loaded.epoch != live.epoch {
            return Err(Farewell::Deleted);
        }
        live.unapplied.retain(|(seq, _)| *seq > loaded.seq);
        if live.unapplied.first().is_some_and(|(seq, _)| *seq != loaded.seq + 1) {
            // It was read before the edits it lacks were stored: once more.
            self.begin_load_again(around);
            return Ok(());
        }
        let newer = std::mem::take(&mut live.unapplied);
        let applied = loaded.replica.apply(newer.iter().map(|(_, update)| update.as_ref()));
        let vector = applied.and_then(|()| loaded.replica.vector());
        let Ok(vector) = vector else { return Err(Farewell::Damaged) };
        let known = std::mem::replace(&mut live.shown, vector);
        live.seq = live.seq.max(loaded.seq);
        live.replica = Some(loaded.replica);
        live.version += 1;
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

    fn begin_load_again(&mut self, around: &Surroundings) {
        let held = self.waiting.take();
        self.begin_load(around);
        self.waiting = held.or_else(|| Some(Box::new(Waiting::default())));
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
            replica: Some(loaded.replica),
            unapplied: Vec::new(),
            accepted: loaded.vector.clone(),
            shown: loaded.vector,
            in_flight: Default::default(),
            in_flight_bytes: 0,
            gathered: Default::default(),
            text_bound: loaded.size,
            exact_at: None,
            version: 0,
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
