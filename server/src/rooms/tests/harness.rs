//! A node with one task, and clients of it.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use coderoom_backing::{bus::Bus, clock::Clock, tables::Tables, values};
use coderoom_protocol::{
    awareness,
    control::UserSummary,
    frame::{
        SyncMessage,
        as_client::{ServerFrame, ServerPayload, parse_server_frame},
        write::address_prefix,
    },
    ids::{FileId, RunId, TaskId, UserId},
    role::Role,
    run::{Run, RunState},
    y_frame::{YFrame, parse_y_frame},
};
use coderoom_worker::{
    announce::{TaskEvent, task_topic},
    schema::MIGRATIONS,
};

use crate::rooms::{
    Place, RoomEvent, RoomSettings, Rooms, Session, SessionId,
    event::{ConnectionId, Framing},
    outbox::{Next, Outbox, OutboxLimits},
    read_text,
    replica::Replica,
    seed,
};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Node {
    pub(super) tables: Tables,
    pub(super) bus: Bus,
    pub(super) rooms: Rooms,
    pub(super) task: TaskId,
    pub(super) user: UserId,
    /// What [`crate::rooms::ReadRole`] answers.
    pub(super) roles: Arc<Mutex<HashMap<UserId, Option<Role>>>>,
    directory: Option<tempfile::TempDir>,
}

impl Node {
    pub(super) async fn start(settings: RoomSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Self::start_at(directory.path(), settings).await;
        node.directory = Some(directory);
        node
    }

    pub(super) async fn start_at(directory: &Path, settings: RoomSettings) -> Self {
        let tables = Tables::open_sqlite(&directory.join("coderoom.db")).await.unwrap();
        tables.migrate(MIGRATIONS).await.unwrap();
        let streams = directory.join("streams");
        std::fs::create_dir_all(&streams).unwrap();
        let bus = Bus::open_local(&streams).await.unwrap();
        let (task, user) = (TaskId::new(), UserId::new());
        tables
            .execute(
                "INSERT INTO users (id, name, name_key, created_at) VALUES ($1, $2, $2, 0)",
                values![user.to_string(), format!("u{user}")],
            )
            .await
            .unwrap();
        tables
            .execute(
                "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at) VALUES ($1, 't', 'python', $2, 0, 0)",
                values![task.to_string(), user.to_string()],
            )
            .await
            .unwrap();
        let roles = Arc::new(Mutex::new(HashMap::new()));
        let rooms = rooms(&tables, &bus, &roles, settings);
        Self { tables, bus, rooms, task, user, roles, directory: None }
    }

    /// Other rooms on the same tables, as after a restart. Sessions have ended.
    pub(super) async fn restart(&mut self, settings: RoomSettings) {
        self.rooms.drain().await;
        self.rooms = rooms(&self.tables, &self.bus, &self.roles, settings);
    }

    /// Another node on the same tables, as far as rooms go.
    pub(super) fn twin(&self, settings: RoomSettings) -> Self {
        Self {
            tables: self.tables.clone(),
            bus: self.bus.clone(),
            rooms: rooms(&self.tables, &self.bus, &self.roles, settings),
            task: self.task,
            user: self.user,
            roles: Arc::clone(&self.roles),
            directory: None,
        }
    }

    pub(super) async fn file(&self, text: &str) -> FileId {
        let file = FileId::new();
        let (seeds, seq) = seed::statements(file, 1, text, 0);
        let mut tx = self.tables.begin().await.unwrap();
        tx.execute(
            "INSERT INTO files (id, task_id, path, path_key, kind, seq, size, created_at, updated_at) \
             VALUES ($1, $2, $1, $1, 'text', $3, $4, 0, 0)",
            values![file.to_string(), self.task.to_string(), seq as i64, text.len() as i64],
        )
        .await
        .unwrap();
        tx.batch(seeds).await.unwrap();
        tx.commit().await.unwrap();
        file
    }

    /// The text as the tables have it.
    pub(super) async fn stored_text(&self, file: FileId) -> String {
        read_text::read_text(&self.tables, file).await.unwrap().unwrap().1
    }

    pub(super) async fn number(&self, sql: &'static str, file: FileId) -> i64 {
        self.tables.query(sql, values![file.to_string()]).await.unwrap()[0].int(0).unwrap()
    }

    pub(super) async fn stored_edits(&self, file: FileId) -> i64 {
        self.number("SELECT COALESCE(SUM(count), 0) FROM edits WHERE file_id = $1", file).await
    }

    pub(super) async fn announce(&self, event: &TaskEvent) {
        let message = serde_json::to_vec(event).unwrap();
        self.bus.publish(&task_topic(self.task), message.into()).await.unwrap();
    }

    pub(super) async fn editor(&self, file: FileId) -> Client {
        self.client(Place::File(file), Role::Editor, self.user, Door::Room).await
    }

    /// An editor that has everything.
    pub(super) async fn synced(&self, file: FileId) -> Client {
        let mut client = self.editor(file).await;
        client.sync().await;
        client
    }

    pub(super) async fn client(&self, place: Place, role: Role, user: UserId, door: Door) -> Client {
        self.client_with(place, role, user, door, OutboxLimits::default()).await
    }

    pub(super) async fn client_with(
        &self,
        place: Place,
        role: Role,
        user: UserId,
        door: Door,
        limits: OutboxLimits,
    ) -> Client {
        let number = next_number();
        let replica = Replica::new(number);
        self.attach(place, role, user, door, limits, number, replica).await
    }

    /// The same page again, over a new socket.
    pub(super) async fn reconnect(&self, client: Client, limits: OutboxLimits) -> Client {
        client.send_if_open(RoomEvent::Detach { session: client.id }).await;
        let Client { number, replica, place, role, user, door, .. } = client;
        self.attach(place, role, user, door, limits, number, replica).await
    }

    #[expect(clippy::too_many_arguments, reason = "every one of them is what some test varies")]
    async fn attach(
        &self,
        place: Place,
        role: Role,
        user: UserId,
        door: Door,
        limits: OutboxLimits,
        number: u64,
        replica: Replica,
    ) -> Client {
        let framing = match (&door, place) {
            (Door::Second, _) => Framing::Bare,
            (Door::Text, _) => Framing::Text,
            (Door::Room, Place::Task) => Framing::Addressed(address_prefix("@task").into()),
            (Door::Room, Place::File(file)) => Framing::Addressed(address_prefix(&file.to_string()).into()),
        };
        let session = Session {
            id: SessionId(next_number()),
            connection: ConnectionId(next_number()),
            user: UserSummary { id: user, name: "somebody".into() },
            role,
            framing,
            outbox: Arc::new(Outbox::new(limits)),
        };
        let client = Client {
            id: session.id,
            number,
            outbox: Arc::clone(&session.outbox),
            rooms: self.rooms.clone(),
            task: self.task,
            replica,
            place,
            role,
            user,
            door,
            answers: Vec::new(),
            is_synced: false,
            step1s: Vec::new(),
            updates: 0,
            sync_bytes: 0,
            presence: HashMap::new(),
            control: Vec::new(),
            farewell: None,
            answers_step1: true,
            drops_updates: false,
        };
        client.send(RoomEvent::Attach { session, place, attached: None }).await;
        client
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(100_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn rooms(
    tables: &Tables,
    bus: &Bus,
    roles: &Arc<Mutex<HashMap<UserId, Option<Role>>>>,
    settings: RoomSettings,
) -> Rooms {
    let roles = Arc::clone(roles);
    let read_role: crate::rooms::ReadRole = Arc::new(move |_, user| {
        let role = roles.lock().unwrap().get(&user).copied().flatten();
        Box::pin(async move { Ok(role) })
    });
    let read_runs: crate::rooms::ReadRuns = Arc::new(|task| Box::pin(async move { Ok(vec![queued_run(task)]) }));
    let ask = crate::rooms::Ask { read_role, read_runs };
    Rooms::new(tables.clone(), bus.clone(), Clock::default(), settings, ask)
}

/// What [`crate::rooms::ReadRuns`] answers.
fn queued_run(task: TaskId) -> Run {
    Run {
        id: RunId::new(),
        task,
        number: 7,
        user: UserId::new(),
        user_name: "ann".into(),
        state: RunState::Queued,
        phase: String::new(),
        queue_position: Some(1),
        reason: None,
        message: None,
        command: "sh run.sh".into(),
        remarks: String::new(),
        exit_code: None,
        signal: None,
        peak_memory_bytes: None,
        cpu_ms: None,
        sandbox: None,
        log_bytes: 0,
        log_truncated: false,
        has_output: false,
        submitted_at: 0,
        started_at: None,
        ended_at: None,
        stopped_by: None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Room,
    Second,
    Text,
}

/// Somebody with a replica and an outbox that is read when the test says so.
pub(super) struct Client {
    pub(super) id: SessionId,
    /// Its Yjs client id.
    pub(super) number: u64,
    pub(super) outbox: Arc<Outbox>,
    rooms: Rooms,
    task: TaskId,
    pub(super) replica: Replica,
    place: Place,
    role: Role,
    user: UserId,
    door: Door,
    /// Every SyncStatus, in order.
    pub(super) answers: Vec<bool>,
    pub(super) is_synced: bool,
    /// State vectors that the server asked with.
    pub(super) step1s: Vec<Vec<u8>>,
    /// Updates that came (not step 2).
    pub(super) updates: usize,
    /// Bytes of answers to step 1.
    pub(super) sync_bytes: usize,
    pub(super) presence: HashMap<u64, (u32, Option<String>)>,
    /// Control messages.
    pub(super) control: Vec<serde_json::Value>,
    /// Why the room ended the session, or the close code of the socket.
    pub(super) farewell: Option<String>,
    /// Whether the server's questions are answered, as clients do.
    pub(super) answers_step1: bool,
    /// Keeps the replica as it is, whatever comes.
    pub(super) drops_updates: bool,
}

impl Client {
    pub(super) async fn send(&self, event: RoomEvent) {
        self.rooms.open(self.task).await.unwrap().send(event).await.unwrap();
    }

    async fn send_if_open(&self, event: RoomEvent) {
        if let Ok(room) = self.rooms.open(self.task).await {
            let _ = room.send(event).await;
        }
    }

    pub(super) async fn detach(&self) {
        self.send(RoomEvent::Detach { session: self.id }).await;
    }

    pub(super) async fn send_update(&self, update: impl Into<Bytes>) {
        self.send(RoomEvent::Update { session: self.id, update: update.into(), is_step2: false }).await;
    }

    pub(super) async fn send_step2(&self, update: impl Into<Bytes>) {
        self.send(RoomEvent::Update { session: self.id, update: update.into(), is_step2: true }).await;
    }

    pub(super) async fn send_step1(&self) {
        let state_vector = self.replica.vector().unwrap().encode().into();
        self.send(RoomEvent::SyncStep1 { session: self.id, state_vector }).await;
    }

    pub(super) async fn announce(&self, entries: &[awareness::Entry<'_>]) {
        let mut update = Vec::new();
        awareness::encode(&mut update, entries.iter().copied());
        self.send(RoomEvent::Awareness { session: self.id, update: update.into() }).await;
    }

    /// Edits its own replica; gives the update, not sent yet.
    pub(super) fn edit(&self, offset: u32, removed: u32, inserted: &str) -> Vec<u8> {
        self.replica.edit([(offset, removed, inserted.to_owned())]).unwrap()
    }

    /// Edits and sends.
    pub(super) async fn type_at(&self, offset: u32, inserted: &str) {
        self.send_update(self.edit(offset, 0, inserted)).await;
    }

    pub(super) fn text(&self) -> String {
        self.replica.text().unwrap()
    }

    pub(super) async fn sync(&mut self) {
        self.is_synced = false;
        let answered = self.answers.len();
        self.send_step1().await;
        self.wait("step 2", |client| client.is_synced).await;
        if self.door == Door::Room {
            self.wait("the answer to our step 2", |client| client.answers.len() > answered).await;
        }
    }

    /// Reads the outbox until something holds.
    pub(super) async fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            let read = tokio::time::timeout_at(deadline, self.read()).await;
            assert!(read.is_ok(), "client {} did not get: {what} ({:?})", self.number, self.answers);
        }
    }

    pub(super) async fn wait_text(&mut self, text: &str) {
        self.wait(&format!("the text {text:?}"), |client| client.text() == text).await;
    }

    pub(super) async fn wait_answers(&mut self, answers: &[bool]) {
        self.wait(&format!("the answers {answers:?}"), |client| client.answers.len() >= answers.len()).await;
        assert_eq!(self.answers, answers);
    }

    /// Reads what has come, until nothing has for a while.
    pub(super) async fn read_all(&mut self) {
        while tokio::time::timeout(Duration::from_millis(60), self.read()).await.is_ok() {}
    }

    /// Reads what is there.
    pub(super) async fn read_all_quickly(&mut self) {
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

/// Waits until something in the node holds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "this did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
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
