//! A server's parts in a directory that goes when the test ends, with three users: two people and an administrator.

use std::{path::PathBuf, time::Duration};

use coderoom_backing::{
    bus::{Bus, BusEvent, Subscription},
    clock::Clock,
    objects::Objects,
    tables::{PostgresSettings, Statement, Tables},
    values,
};
use coderoom_protocol::{
    control::Language,
    ids::{FileId, TaskId, UserId},
    task::NewTask,
    tree::{Node, TreeChange},
};
use coderoom_server::{
    people::Identity,
    rooms::read_text,
    tasks::{TaskSettings, Tasks},
};
use coderoom_services::Database;
use coderoom_worker::{
    announce::{TaskEvent, task_topic},
    schema::MIGRATIONS,
};

/// Everything a test of tasks needs.
pub(crate) struct Bench {
    pub(crate) tables: Tables,
    pub(crate) objects: Objects,
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) ada: Identity,
    pub(crate) bob: Identity,
    pub(crate) root: Identity,
    pub(crate) directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other limits than the defaults.
    pub(crate) async fn with(change: impl FnOnce(&mut TaskSettings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let tables = match Database::in_place_of(&at("tables.sqlite")) {
            None => Tables::open_sqlite(&at("tables.sqlite")).await.unwrap(),
            Some(url) => Tables::open_postgres(PostgresSettings::new(url)).await.unwrap(),
        };
        tables.migrate(MIGRATIONS).await.unwrap();
        let objects = Objects::open_directory(&at("objects")).await.unwrap();
        let bus = Bus::open_local(&at("streams")).await.unwrap();
        let clock = Clock::default();
        let mut settings = settings(at("staging"));
        change(&mut settings);
        let tasks = Tasks::new(tables.clone(), objects.clone(), bus.clone(), clock.clone(), settings);
        let ada = user(&tables, "ada", false).await;
        let bob = user(&tables, "bob", false).await;
        let root = user(&tables, "root", true).await;
        Self { tables, objects, bus, clock, tasks, ada, bob, root, directory }
    }

    /// A task of Ada's.
    pub(crate) async fn task(&self) -> TaskId {
        let new = NewTask { name: "task".into(), language: Language::Python, remarks: String::new() };
        self.tasks.create(&self.ada, &new).await.unwrap()
    }

    /// Makes a text file.
    pub(crate) async fn write(&self, task: TaskId, path: &str, text: &str) -> FileId {
        self.tasks.create_text(task, &self.ada, path, text).await.unwrap().file
    }

    /// The stored text of a file.
    pub(crate) async fn text(&self, task: TaskId, path: &str) -> String {
        let file = self.tasks.file_at(task, path).await.unwrap().unwrap_or_else(|| panic!("no file {path}"));
        read_text::read_text(&self.tables, file.id).await.unwrap().unwrap().1
    }

    /// All paths of files, ordered by bytes.
    pub(crate) async fn paths(&self, task: TaskId) -> Vec<String> {
        let mut paths: Vec<_> =
            leaves(&self.tasks.tree(task).await.unwrap().1).into_iter().map(|node| node.path).collect();
        paths.sort();
        paths
    }

    /// Path of the main file.
    pub(crate) async fn main(&self, task: TaskId) -> Option<String> {
        leaves(&self.tasks.tree(task).await.unwrap().1).into_iter().find(|node| node.main).map(|node| node.path)
    }

    /// Puts many small text files straight into the tables, 1,000 to a folder.
    pub(crate) async fn fill(&self, task: TaskId, folder: &str, files: usize) {
        let statement = |number: usize| {
            let path = format!("{folder}/{}/{number}.txt", number / 1_000);
            Statement::new(
                "INSERT INTO files (id, task_id, path, path_key, kind, size, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, 'text', 0, 0, 0)",
                values![FileId::new().to_string(), task.to_string(), path.as_str(), path.to_lowercase()],
            )
        };
        self.tables.batch((0..files).map(statement).collect()).await.unwrap();
    }

    /// Hears what is announced of a task from now on.
    pub(crate) async fn hear(&self, task: TaskId) -> Heard {
        Heard(self.bus.subscribe(&task_topic(task)).await.unwrap())
    }
}

/// The defaults, waiting in a directory of the test's.
pub(crate) fn settings(staging: PathBuf) -> TaskSettings {
    std::fs::create_dir_all(&staging).unwrap();
    TaskSettings::new(staging)
}

/// What is announced of one task.
pub(crate) struct Heard(Subscription);

impl Heard {
    /// The next event.
    pub(crate) async fn event(&mut self) -> TaskEvent {
        let event = tokio::time::timeout(Duration::from_secs(10), self.0.next())
            .await
            .expect("nothing was announced within 10 s");
        match event {
            BusEvent::Message(message) => serde_json::from_slice(&message).unwrap(),
            BusEvent::Lost => panic!("an announcement was lost"),
        }
    }

    /// The next event, which must be one about the tree.
    pub(crate) async fn tree(&mut self) -> (u64, Vec<TreeChange>, String) {
        match self.event().await {
            TaskEvent::Tree { revision, changes, by } => (revision, changes, by),
            other => panic!("expected a change of the tree, heard {other:?}"),
        }
    }
}

/// All files below a node.
pub(crate) fn leaves(node: &Node) -> Vec<Node> {
    match &node.children {
        None => vec![node.clone()],
        Some(children) => children.iter().flat_map(leaves).collect(),
    }
}

async fn user(tables: &Tables, name: &str, is_admin: bool) -> Identity {
    let user = UserId::new();
    let sql = "INSERT INTO users (id, name, name_key, is_admin, created_at) VALUES ($1, $2, $2, $3, 0)";
    tables.execute(sql, values![user.to_string(), name, is_admin]).await.unwrap();
    Identity::whole(user, name.to_owned(), is_admin)
}
