//! One data directory with its services, users and tasks, as one process sees it.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, queue::Queue, tables::Tables, values};
use coderoom_protocol::{
    control::{Language, Submitted},
    ids::{RunId, TaskId, UserId},
    problem::WireError,
    run::Run,
};
use coderoom_worker::{
    limits::RunSettings,
    runs::{Runs, Submission},
    schema::MIGRATIONS,
    snapshot::FrozenFile,
};
use tempfile::TempDir;

/// The services of one process over a directory.
pub(crate) struct Place {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) tables: Tables,
    pub(crate) objects: Objects,
    pub(crate) bus: Bus,
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) runs: Runs,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut RunSettings)) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::open(dir, change).await
    }

    /// Opens the directory as a process does at its start. The process before must be gone.
    pub(crate) async fn open(dir: Arc<TempDir>, change: impl FnOnce(&mut RunSettings)) -> Self {
        let scratch = dir.path().join("scratch");
        std::fs::create_dir_all(&scratch).unwrap();
        let tables = open_tables(&dir.path().join("tables.sqlite")).await;
        tables.migrate(MIGRATIONS).await.unwrap();
        let objects = Objects::open_directory(&dir.path().join("objects")).await.unwrap();
        let bus = Bus::open_local(&dir.path().join("streams")).await.unwrap();
        let (queue, clock) = (Queue::open_local(), Clock::default());
        let mut settings = RunSettings::new(scratch);
        change(&mut settings);
        let runs = Runs::new(tables.clone(), objects.clone(), bus.clone(), queue.clone(), clock.clone(), settings);
        Self { dir, tables, objects, bus, queue, clock, runs }
    }

    pub(crate) async fn user(&self, name: &str) -> UserId {
        let user = UserId::new();
        let sql = "INSERT INTO users (id, name, name_key, created_at) VALUES ($1, $2, $2, 0)";
        self.tables.execute(sql, values![user.to_string(), name]).await.unwrap();
        user
    }

    pub(crate) async fn task(&self, user: UserId) -> TaskId {
        let task = TaskId::new();
        let sql = "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at) VALUES ($1, 't', 'python', $2, 0, 0)";
        self.tables.execute(sql, values![task.to_string(), user.to_string()]).await.unwrap();
        task
    }

    /// Submits `sh run.sh` with `script` as `run.sh`.
    pub(crate) async fn submit(&self, task: TaskId, user: UserId, script: &str) -> Result<Submitted, WireError> {
        self.runs.submit(submission(task, user, script)).await
    }

    pub(crate) async fn run(&self, run: RunId) -> Run {
        self.runs.get(run).await.unwrap()
    }
}

async fn open_tables(file: &Path) -> Tables {
    // The threads of the process before may need a moment to give up the file.
    let mut last = None;
    for _ in 0..100 {
        match Tables::open_sqlite(file).await {
            Ok(tables) => return tables,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the tables could not be opened: {last:?}")
}

pub(crate) fn submission(task: TaskId, user: UserId, script: &str) -> Submission {
    Submission {
        task,
        user,
        language: Language::Python,
        command: "sh run.sh".into(),
        remarks: String::new(),
        files: vec![text("run.sh", script)],
    }
}

pub(crate) fn text(path: &str, text: &str) -> FrozenFile {
    FrozenFile::Text { path: path.into(), seq: 1, text: Bytes::copy_from_slice(text.as_bytes()) }
}

/// Waits until `look` gives something; after 20 s it fails with `what` and what was seen last.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let mut seen = String::new();
    for _ in 0..2000 {
        match look().await {
            Ok(found) => return found,
            Err(other) => seen = other,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("20 s passed without: {what}; at last: {seen}")
}
