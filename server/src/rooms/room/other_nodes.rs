//! What other nodes say and are told: edits they stored, and who is with them.

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::{
    bus::BusEvent,
    tables::{Tables, TablesError, Value},
};
use coderoom_protocol::ids::FileId;

use super::Room;
use crate::rooms::{
    between_nodes::{self, Message, Present},
    event::Place,
    mailbox::Letter,
};

/// Presence of one message: half of what one awareness update may have.
const ENTRIES_PER_MESSAGE: usize = 512;
/// Files asked for by one query.
const FILES_PER_QUERY: usize = 256;

impl Room {
    pub(super) fn heard(&mut self, event: BusEvent) {
        match event {
            BusEvent::Message(bytes) if between_nodes::is_message(&bytes) => self.heard_from_node(&bytes),
            BusEvent::Message(bytes) => self.announced(&bytes),
            BusEvent::Lost => {
                self.lost();
                self.lost_nodes();
            }
        }
    }

    fn heard_from_node(&mut self, bytes: &Bytes) {
        let Some(publisher) = &self.around.shared.publisher else { return };
        let Some((node, message)) = between_nodes::decode(bytes) else {
            metrics::counter!("coderoom_node_messages_refused_total").increment(1);
            return;
        };
        if node == publisher.node() {
            return;
        }
        match message {
            Message::Edits(row) => {
                self.with(row.file, |document, around| document.heard_row(around, &row));
            }
            Message::Behind { file, seq } => {
                self.with(file, |document, around| document.heard_of(around, seq));
            }
            Message::Presence { place, entries } => {
                let now = self.around.now;
                if self.presence_at(place).is_some_and(|presence| presence.hear(node, entries, now)) {
                    self.presence_changed(place);
                    self.look_again();
                }
            }
            Message::WhoIsHere { place } => {
                if self.presence_at(place).is_some_and(|presence| !presence.is_empty()) && !self.asked.contains(&place)
                {
                    self.asked.push(place);
                    self.presence_soon();
                }
            }
        }
    }

    fn publish(&self, message: Message) {
        if let Some(publisher) = &self.around.shared.publisher {
            publisher.publish(self.around.task, message);
        }
    }

    pub(super) fn publish_presence(&self, place: Place, mut ours: Vec<Present>) {
        while !ours.is_empty() && self.around.shared.publisher.is_some() {
            let rest = ours.split_off(ours.len().min(ENTRIES_PER_MESSAGE));
            self.publish(Message::Presence { place, entries: ours });
            ours = rest;
        }
    }

    /// The first session has come to a place: other nodes say who is there.
    pub(super) fn ask_who_is_here(&mut self, place: Place) {
        self.publish(Message::WhoIsHere { place });
        self.compare_later();
    }

    /// Messages may have been missed: presence is asked for and told anew. Edits are compared by [`Self::files_left`].
    fn lost_nodes(&mut self) {
        if self.around.shared.publisher.is_none() {
            return;
        }
        let open = self.documents.iter().filter(|(_, document)| !document.members.is_empty());
        let mut places: Vec<Place> = open.map(|(file, _)| Place::File(*file)).collect();
        places.push(Place::Task);
        for place in places {
            self.publish(Message::WhoIsHere { place });
            if !self.asked.contains(&place) {
                self.asked.push(place);
            }
        }
        self.presence_soon();
    }

    /// Reads what did not come by itself.
    pub(super) fn fill_gaps(&mut self) {
        for document in self.documents.values_mut() {
            if document.live.as_ref().is_some_and(|live| live.has_gap()) {
                document.catch_up(&self.around);
            }
        }
    }

    fn compare_later(&mut self) {
        if self.around.shared.publisher.is_some() {
            let pause = Duration::from_millis(self.around.shared.settings.compare_ms);
            self.compare_due.get_or_insert(self.around.now + pause);
        }
    }

    /// Asks the tables for the newest edits of documents that somebody looks at.
    pub(super) fn compare(&mut self) {
        let open = self.documents.values().filter(|document| !document.members.is_empty() && document.has_known());
        let files: Vec<FileId> = open.map(|document| document.file).collect();
        if files.is_empty() {
            return;
        }
        self.compare_later();
        let (shared, mailbox) = (self.around.shared.clone(), self.around.mailbox.clone());
        self.around.shared.tracker.spawn(async move {
            match numbers(&shared.tables, &files).await {
                Ok(numbers) => mailbox.post(Letter::Numbers(numbers)),
                Err(error) => tracing::debug!(%error, "open documents were not compared with the tables"),
            }
        });
    }

    /// What the tables have.
    pub(super) fn compared(&mut self, numbers: &[(FileId, u64)]) {
        for (file, seq) in numbers {
            self.with(*file, |document, around| document.heard_of(around, *seq));
        }
    }
}

async fn numbers(tables: &Tables, files: &[FileId]) -> Result<Vec<(FileId, u64)>, TablesError> {
    let mut numbers = Vec::with_capacity(files.len());
    for part in files.chunks(FILES_PER_QUERY) {
        let list = (1..=part.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        let values: Vec<Value> = part.iter().map(|file| file.to_string().into()).collect();
        for row in tables.query(format!("SELECT id, seq FROM files WHERE id IN ({list})"), values).await? {
            numbers.push((row.parse(0)?, row.uint(1)?));
        }
    }
    Ok(numbers)
}
