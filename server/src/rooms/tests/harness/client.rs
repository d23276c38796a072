//! Somebody with a replica, who reads when the test says so.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coderoom_protocol::{
    awareness,
    frame::{
        SyncMessage,
        as_client::{ServerFrame, ServerPayload, parse_server_frame},
    },
    ids::{TaskId, UserId},
    role::Role,
    y_frame::{YFrame, parse_y_frame},
};

use super::PATIENCE;
use crate::rooms::{
    Place, RoomEvent, Rooms, SessionId,
    outbox::{Next, Outbox},
    replica::Replica,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::rooms::tests) enum Door {
    Room,
    Second,
    Text,
}

/// Somebody with a replica and an outbox that is read when the test says so.
pub(in crate::rooms::tests) struct Client {
    pub(in crate::rooms::tests) id: SessionId,
    /// Its Yjs client id.
    pub(in crate::rooms::tests) number: u64,
    pub(in crate::rooms::tests) outbox: Arc<Outbox>,
    pub(super) rooms: Rooms,
    pub(super) task: TaskId,
    pub(in crate::rooms::tests) replica: Replica,
    pub(super) place: Place,
    pub(super) role: Role,
    pub(in crate::rooms::tests) user: UserId,
    pub(super) door: Door,
    /// Every SyncStatus, in order.
    pub(in crate::rooms::tests) answers: Vec<bool>,
    pub(in crate::rooms::tests) is_synced: bool,
    /// State vectors that the server asked with.
    pub(in crate::rooms::tests) step1s: Vec<Vec<u8>>,
    /// Updates that came (not step 2).
    pub(in crate::rooms::tests) updates: usize,
    /// Bytes of answers to step 1.
    pub(in crate::rooms::tests) sync_bytes: usize,
    pub(in crate::rooms::tests) presence: HashMap<u64, (u32, Option<String>)>,
    /// Control messages.
    pub(in crate::rooms::tests) control: Vec<serde_json::Value>,
    /// Why the room ended the session, or the close code of the socket.
    pub(in crate::rooms::tests) farewell: Option<String>,
    /// Whether the server's questions are answered, as clients do.
    pub(in crate::rooms::tests) answers_step1: bool,
    /// Keeps the replica as it is, whatever comes.
    pub(in crate::rooms::tests) drops_updates: bool,
}

impl Client {
    pub(in crate::rooms::tests) async fn send(&self, event: RoomEvent) {
        self.rooms.open(self.task).await.unwrap().send(event).await.unwrap();
    }

    pub(super) async fn send_if_open(&self, event: RoomEvent) {
        if let Ok(room) = self.rooms.open(self.task).await {
            let _ = room.send(event).await;
        }
    }

    pub(in crate::rooms::tests) async fn detach(&self) {
        self.send(RoomEvent::Detach { session: self.id }).await;
    }

    pub(in crate::rooms::tests) async fn send_update(&self, update: impl Into<Bytes>) {
        self.send(RoomEvent::Update { session: self.id, update: update.into(), is_step2: false }).await;
    }

    pub(in crate::rooms::tests) async fn send_step2(&self, update: impl Into<Bytes>) {
        self.send(RoomEvent::Update { session: self.id, update: update.into(), is_step2: true }).await;
    }

    pub(in crate::rooms::tests) async fn send_step1(&self) {
        let state_vector = self.replica.vector().unwrap().encode().into();
        self.send(RoomEvent::SyncStep1 { session: self.id, state_vector }).await;
    }

    pub(in crate::rooms::tests) async fn announce(&self, entries: &[awareness::Entry<'_>]) {
        let mut update = Vec::new();
        awareness::encode(&mut update, entries.iter().copied());
        self.send(RoomEvent::Awareness { session: self.id, update: update.into() }).await;
    }

    /// Edits its own replica; gives the update, not sent yet.
    pub(in crate::rooms::tests) fn edit(&self, offset: u32, removed: u32, inserted: &str) -> Vec<u8> {
        self.replica.edit([(offset, removed, inserted.to_owned())]).unwrap()
    }

    /// Edits and sends.
    pub(in crate::rooms::tests) async fn type_at(&self, offset: u32, inserted: &str) {
        self.send_update(self.edit(offset, 0, inserted)).await;
    }

    pub(in crate::rooms::tests) fn text(&self) -> String {
        self.replica.text().unwrap()
    }

    pub(in crate::rooms::tests) async fn sync(&mut self) {
        self.is_synced = false;
        let answered = self.answers.len();
        self.send_step1().await;
        self.wait("step 2", |client| client.is_synced).await;
        if self.door == Door::Room {
            self.wait("the answer to our step 2", |client| client.answers.len() > answered).await;
        }
    }

    /// Reads the outbox until something holds.
    pub(in crate::rooms::tests) async fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            let read = tokio::time::timeout_at(deadline, self.read()).await;
            assert!(read.is_ok(), "client {} did not get: {what} ({:?})", self.number, self.answers);
        }
    }

    pub(in crate::rooms::tests) async fn wait_text(&mut self, text: &str) {
        self.wait(&format!("the text {text:?}"), |client| client.text() == text).await;
    }

    pub(in crate::rooms::tests) async fn wait_answers(&mut self, answers: &[bool]) {
        self.wait(&format!("the answers {answers:?}"), |client| client.answers.len() >= answers.len()).await;
        assert_eq!(self.answers, answers);
    }

    /// Reads what has come, until nothing has for a while.
    pub(in crate::rooms::tests) async fn read_all(&mut self) {
        while tokio::time::timeout(Duration::from_millis(60), self.read()).await.is_ok() {}
    }

    /// Reads what is there.
    pub(in crate::rooms::tests) async fn read_all_quickly(&mut self) {
        while tokio::time::timeout(Duration::from_millis(1), self.read()).await.is_ok() {}
    }

    async fn read(&mut self) {
        let mut batch = Vec::new();
        match self.outbox.next(&mut batch).await {
            Next::Close { code, .. } => {
                self.farewell = Some(code.to_string());
                return;
            }
            Next::Write => {}
        }
        for bytes in batch {
            for payload in split_frames(&bytes) {
                match self.door {
                    Door::Room => self.take_room_frame(payload).await,
                    Door::Second => self.take_y_frame(payload).await,
                    Door::Text => self.control.push(serde_json::from_slice(payload).unwrap()),
                }
            }
        }
        for session in self.outbox.take_drained() {
            self.send(RoomEvent::Drained { session }).await;
        }
    }

    async fn take_room_frame(&mut self, payload: &[u8]) {
        let ServerFrame::Message { message, .. } = parse_server_frame(payload).unwrap() else { panic!("a message") };
        match message {
            ServerPayload::Sync(message) => self.take_sync(message).await,
            ServerPayload::Awareness(update) => self.take_presence(update),
            ServerPayload::SyncStatus(is_stored) => self.answers.push(is_stored),
            ServerPayload::Stateless(json) => self.control.push(serde_json::from_str(json).unwrap()),
            ServerPayload::Close(reason) | ServerPayload::AuthDenied(reason) => self.farewell = Some(reason.into()),
            ServerPayload::AuthOk(scope) => self.control.push(serde_json::json!({ "scope": scope })),
            other => panic!("unexpected {other:?}"),
        }
    }

    async fn take_y_frame(&mut self, payload: &[u8]) {
        match parse_y_frame(payload).unwrap() {
            YFrame::Sync(message) => self.take_sync(message).await,
            YFrame::Awareness(update) => self.take_presence(update),
            other => panic!("unexpected {other:?}"),
        }
    }

    async fn take_sync(&mut self, message: SyncMessage<'_>) {
        match message {
            SyncMessage::Step1(vector) => {
                self.step1s.push(vector.to_vec());
                if self.answers_step1 {
                    let known = coderoom_protocol::gate::StateVector::parse(vector).unwrap();
                    self.send_step2(self.replica.diff_v1(&known).unwrap()).await;
                }
            }
            SyncMessage::Step2(update) => {
                self.is_synced = true;
                self.sync_bytes += update.len();
                self.apply(update);
            }
            SyncMessage::Update(update) => {
                self.updates += 1;
                self.apply(update);
            }
        }
    }

    fn apply(&self, update: &[u8]) {
        if !self.drops_updates {
            self.replica.apply([update]).unwrap();
        }
    }

    fn take_presence(&mut self, update: &[u8]) {
        for entry in awareness::parse(update).unwrap() {
            self.presence.insert(entry.client, (entry.clock, entry.state.map(str::to_owned)));
        }
    }
}

/// The payloads of whole, unmasked WebSocket frames.
fn split_frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut payloads = Vec::new();
    while let [_, length, rest @ ..] = bytes {
        let (length, rest) = match *length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            short => (usize::from(short), rest),
        };
        payloads.push(&rest[..length]);
        bytes = &rest[length..];
    }
    payloads
}
