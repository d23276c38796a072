//! The room of one task: a single owner of its documents, its presence and who is connected. Everything that can wake it
//! is in the `select!` below and in [`Letter`]; nothing it does waits for anything but the next cause.

mod announced;
mod attach;
mod hear;
mod measure;
mod other_nodes;
mod ticks;

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use coderoom_protocol::{
    control::{NoticeCode, ServerMessage},
    gate,
    ids::{FileId, RunId, TaskId, UserId},
};
use tokio::time::Instant;

use self::hear::Hearing;
use super::{
    Shared,
    document::{Document, Measure, Surroundings, Ticket, receive::EMPTY_UPDATE},
    event::{Place, RoomEvent, SessionId},
    mailbox::{Letter, Mailbox},
    members::Members,
    presence::Presence,
    say::{self, Farewell, Step},
    space::Space,
};

/// Letters kept room for between batches.
const KEPT_LETTERS: usize = 16;

/// Everything a room owns.
pub(super) struct Room {
    around: Surroundings,
    documents: HashMap<FileId, Document>,
    /// Which place each session is attached to.
    places: HashMap<SessionId, Place>,
    /// Sessions of the room itself.
    members: Members,
    presence: Presence,
    /// Places with presence that has not been sent.
    restless: Vec<Place>,
    /// When gathered presence is sent.
    presence_due: Option<Instant>,
    /// Places whose presence another node asked for.
    asked: Vec<Place>,
    /// When edits that are missing are read.
    gap_due: Option<Instant>,
    /// When open documents are compared with the tables.
    compare_due: Option<Instant>,
    /// When to look for what has expired or is idle.
    sweep_due: Option<Instant>,
    /// Since when nobody has been here.
    empty_since: Option<Instant>,
    is_draining: bool,
    /// The task is gone: who comes now is told so.
    is_deleted: bool,
    /// Roles that are being read: since when, and whether another change was announced meanwhile.
    reading: HashMap<UserId, (Instant, bool)>,
    /// The states that were told last, by number: they only rise. At most `announced::KNOWN_RUNS`.
    runs: BTreeMap<RunId, u8>,
}

/// Runs a room to its end.
pub(super) async fn run(shared: Arc<Shared>, task: TaskId, mailbox: Arc<Mailbox>) {
    // Boxed: most rooms are idle, and what an idle task costs is the size of this future.
    let mut room = Box::new(Room::new(shared, task, mailbox));
    let mut hearing = Hearing::begin(&room.around.shared.bus, task).await;
    let (mut letters, mut heard) = (Vec::new(), Vec::new());
    loop {
        let due = room.next_due();
        // Not in a fixed order: a room that is never without letters must still hear the bus and its own clock.
        tokio::select! {
            () = room.around.mailbox.take(&mut letters) => {
                room.begin_batch();
                for letter in letters.drain(..) {
                    room.open_letter(letter);
                }
                if letters.capacity() > KEPT_LETTERS {
                    letters = Vec::new();
                }
            }
            () = hearing.take(&mut heard) => {
                room.begin_batch();
                for event in heard.drain(..) {
                    room.heard(event);
                }
            }
            () = sleep_until(due) => {
                room.begin_batch();
                room.tick();
            }
        }
        room.end_batch();
        if room.may_end() && room.around.mailbox.close_if_empty() {
            return;
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Room {
    fn new(shared: Arc<Shared>, task: TaskId, mailbox: Arc<Mailbox>) -> Self {
        let now = Instant::now();
        let space = Space::new(shared.settings.max_task_bytes);
        Self {
            around: Surroundings {
                shared,
                task,
                mailbox,
                now,
                notices: Vec::new(),
                space,
                measure: Measure::No,
                unsubmitted: Vec::new(),
                has_gap: false,
            },
            documents: HashMap::new(),
            places: HashMap::new(),
            members: Members::default(),
            presence: Presence::default(),
            restless: Vec::new(),
            asked: Vec::new(),
            gap_due: None,
            compare_due: None,
            presence_due: None,
            sweep_due: None,
            empty_since: Some(now),
            is_draining: false,
            is_deleted: false,
            reading: HashMap::new(),
            runs: BTreeMap::new(),
        }
    }

    fn begin_batch(&mut self) {
        self.around.now = Instant::now();
    }

    /// Hands what the batch accepted to the group commit, and says on the control channel what happened.
    fn end_batch(&mut self) {
        for file in std::mem::take(&mut self.around.unsubmitted) {
            if let Some(document) = self.documents.get_mut(&file) {
                document.submit(&self.around);
            }
        }
        for (code, file, message) in std::mem::take(&mut self.around.notices) {
            self.notice(code, Some(file), &message);
        }
        if std::mem::take(&mut self.around.has_gap) {
            let due = self.around.now + Duration::from_millis(self.around.shared.settings.gap_ms);
            self.gap_due.get_or_insert(due);
        }
        self.begin_measure();
    }

    fn notice(&self, code: NoticeCode, file: Option<FileId>, message: &str) {
        if !self.members.is_empty() {
            self.members.push_control(&say::json(&ServerMessage::Notice { code, message: message.to_owned(), file }));
        }
    }

    /// The table of contents: what a room does on what.
    fn open_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Attach(attach) => {
                let (session, place, attached) = *attach;
                self.attach(session, place);
                if let Some(attached) = attached {
                    let _ = attached.send(());
                }
            }
            Letter::Event(event) => self.event(event),
            Letter::Committed(outcome) => {
                let file = outcome.file;
                let is_gone = self.with(file, |document, around| !document.committed(around, outcome));
                if is_gone == Some(true) {
                    self.end_document(file, Farewell::Deleted);
                }
            }
            Letter::StoringFails(file) => {
                self.with(file, Document::storing_fails);
            }
            Letter::Loaded(loaded) => {
                let (file, generation, loaded) = *loaded;
                let outcome = self.with(file, |document, around| document.loaded(around, generation, loaded));
                if let Some(Err(why)) = outcome {
                    self.end_document(file, why);
                }
            }
            Letter::CaughtUp(since) => {
                let (file, reading, since) = *since;
                let outcome = self.with(file, |document, around| document.caught_up(around, reading, since));
                if let Some(Err(why)) = outcome {
                    self.end_document(file, why);
                }
            }
            Letter::Numbers(numbers) => self.compared(&numbers),
            Letter::CompactionTurn(file, turn) => {
                self.with(file, |document, around| document.compact_now(around, turn));
            }
            Letter::Compacted(compacted) => {
                let (file, generation, done) = *compacted;
                self.with(file, |document, around| document.compacted(around, generation, &done));
            }
            Letter::Computed(computed) => {
                let (file, generation, update) = *computed;
                self.with(file, |document, around| document.computed(around, generation, update));
            }
            Letter::Tried(file, trial, fits) => {
                self.with(file, |document, around| document.tried(around, trial, fits));
            }
            Letter::Role(user, role) => self.role_read(user, role),
            Letter::Runs(runs) => self.runs_read(runs),
            Letter::FilesLeft(left) => self.files_left(left.map(|left| *left)),
            Letter::Space(used) => self.measured(used),
            Letter::Drain => self.is_draining = true,
        }
    }

    fn event(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Update { session, .. }
            | RoomEvent::SyncStep1 { session, .. }
            | RoomEvent::Drained { session } => {
                match self.places.get(&session) {
                    Some(Place::File(file)) => {
                        let file = *file;
                        self.with(file, |document, around| document.handle(around, event));
                        self.look_again();
                    }
                    Some(Place::Task) => self.task_document(session, &event),
                    // It has been ended; its socket knows.
                    None => {}
                }
            }
            RoomEvent::Awareness { session, update } => self.awareness(session, &update),
            RoomEvent::QueryAwareness { session } => self.push_all_presence(session),
            RoomEvent::Detach { session } => self.detach(session),
            RoomEvent::RoleChanged { user, role } => self.role_changed(user, role),
            RoomEvent::Standing { session, role } => self.standing(session, role),
            RoomEvent::Barrier { reply } => {
                let ticket = Ticket::new(reply);
                for document in self.documents.values_mut() {
                    document.join_barrier(&ticket);
                }
            }
            RoomEvent::WhoIsHere { reply } => {
                let mut people: Vec<_> = self.members.iter().map(|member| member.session.user.clone()).collect();
                people.sort_unstable_by_key(|person| person.id);
                people.dedup_by_key(|person| person.id);
                // Who asked may have stopped waiting.
                let _ = reply.send(people);
            }
            RoomEvent::WriteText { file, .. } => {
                self.document(file);
                self.with(file, |document, around| document.handle(around, event));
                self.look_again();
            }
            // Comes as a letter of its own.
            RoomEvent::Attach { .. } => {}
        }
    }

    /// The room's own document is empty and stays so; a provider that is attached to it must still come to rest.
    fn task_document(&mut self, session: SessionId, event: &RoomEvent) {
        if matches!(event, RoomEvent::Drained { .. }) {
            if let Some(member) = self.members.get_mut(session) {
                member.session.outbox.resume(session);
                member.behind = None;
            }
            return self.push_all_presence(session);
        }
        let Some(member) = self.members.get(session) else { return };
        let framing = &member.session.framing;
        let mut frames = Vec::new();
        match event {
            RoomEvent::SyncStep1 { .. } => {
                say::append_sync(&mut frames, framing, Step::Two, EMPTY_UPDATE);
                say::append_sync(&mut frames, framing, Step::One, &[0]);
            }
            RoomEvent::Update { update, .. } => {
                let is_empty = gate::check(update, |_| 0).is_ok_and(|facts| facts.is_empty());
                say::append_status(&mut frames, framing, is_empty, 1);
            }
            _ => {}
        }
        if !frames.is_empty() {
            member.session.outbox.push(frames.into());
        }
    }

    fn with<T>(&mut self, file: FileId, work: impl FnOnce(&mut Document, &mut Surroundings) -> T) -> Option<T> {
        self.documents.get_mut(&file).map(|document| work(document, &mut self.around))
    }

    fn document(&mut self, file: FileId) -> &mut Document {
        match self.documents.entry(file) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(Document::new(file, self.around.now)),
        }
    }

    /// A document that cannot be had goes, with the sessions attached to it.
    fn end_document(&mut self, file: FileId, why: Farewell) {
        let Some(mut document) = self.documents.remove(&file) else { return };
        for session in document.end(&mut self.around, why) {
            self.places.remove(&session);
        }
        self.note_emptiness();
    }

    fn may_end(&self) -> bool {
        let idle = Duration::from_millis(self.around.shared.settings.idle_room_ms);
        let is_idle = || {
            self.documents.is_empty()
                && self.empty_since.is_some_and(|since| self.around.now.duration_since(since) >= idle)
        };
        let has_told = !self.is_draining || self.presence_due.is_none();
        (self.is_draining || is_idle()) && has_told && self.documents.values().all(Document::is_settled)
    }
}

impl Drop for Room {
    /// However a room ends, nobody is left talking to it: sockets that are still attached close and come back.
    fn drop(&mut self) {
        self.around.mailbox.close();
        self.around.shared.registry.forget(self.around.task, &self.around.mailbox);
        let documents = self.documents.values().flat_map(|document| document.members.iter());
        for member in self.members.iter().chain(documents) {
            member.session.outbox.close(1012, "the room has ended; connect again");
        }
    }
}
