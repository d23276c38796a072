//! A node with one task, and clients of it.

mod client;
pub(super) mod counters;
pub(super) mod pair;
pub(super) mod relay;

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use coderoom_backing::{
    bus::Bus,
    clock::Clock,
    tables::{PostgresSettings, Tables, Tx},
    values,
};
use coderoom_protocol::{
    control::UserSummary,
    frame::write::address_prefix,
    ids::{FileId, RunId, TaskId, UserId},
    role::Role,
    run::{Run, RunState},
};
use coderoom_services::Database;
use coderoom_worker::{
    announce::{TaskEvent, task_topic},
    schema::MIGRATIONS,
};

use crate::rooms::{
    Place, RoomEvent, RoomSettings, Rooms, Session, SessionId,
    event::{ConnectionId, Framing},
    outbox::{Outbox, OutboxLimits},
    read_text,
    replica::Replica,
    seed,
};

pub(super) use self::client::{Client, Door};

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
        let file = directory.join("coderoom.db");
        let tables = match Database::in_place_of(&file) {
            None => Tables::open_sqlite(&file).await.unwrap(),
            Some(url) => Tables::open_postgres(PostgresSettings::new(url)).await.unwrap(),
        };
        let bus = local_bus(&directory.join("streams")).await;
        Self::start_on(tables, bus, settings).await
    }

    pub(super) async fn start_on(tables: Tables, bus: Bus, settings: RoomSettings) -> Self {
        tables.migrate(MIGRATIONS).await.unwrap();
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
        self.twin_on(self.tables.clone(), self.bus.clone(), settings)
    }

    /// The same with its own connections.
    pub(super) fn twin_on(&self, tables: Tables, bus: Bus, settings: RoomSettings) -> Self {
        Self {
            rooms: rooms(&tables, &bus, &self.roles, settings),
            tables,
            bus,
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

    /// Lets nobody store an edit until it is dropped: on SQLite by being the writer, on PostgreSQL by the rows' locks.
    pub(super) async fn hold_writes(&self) -> Tx {
        let mut tx = self.tables.begin().await.unwrap();
        tx.execute("UPDATE files SET seq = seq", values![]).await.unwrap();
        tx
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
            user: UserSummary { id: user, name: if user == self.user { "ann" } else { "another" }.into() },
            role,
            ceiling: Role::Owner,
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

/// A bus in this process, whose streams are in this directory.
pub(super) async fn local_bus(streams: &Path) -> Bus {
    std::fs::create_dir_all(streams).unwrap();
    Bus::open_local(streams).await.unwrap()
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
pub(super) fn queued_run(task: TaskId) -> Run {
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

/// Waits until something in the node holds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "this did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
