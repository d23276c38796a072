//! One data directory with its services, users and tasks, as one process sees it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use coderoom_backing::{
    bus::Bus,
    clock::Clock,
    objects::Objects,
    queue::{Queue, QueueLimits},
    tables::Tables,
    values,
};
use coderoom_protocol::{
    control::{Language, Submitted},
    ids::{RunId, TaskId, UserId},
    problem::WireError,
    run::Run,
};
use coderoom_worker::{
    engine::Engine,
    executor::{
        Executor,
        local::{LocalExecutor, LocalSettings, SandboxLevel},
    },
    limits::{EngineSettings, RunSettings},
    log::{LogEvent, LogReader},
    runs::{Runs, Submission},
    schema::MIGRATIONS,
    snapshot::FrozenFile,
};

use crate::services::Home;

/// The services of one process over a directory.
pub(crate) struct Place {
    pub(crate) dir: Arc<Home>,
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
        Self::with_limits(QueueLimits::default(), change).await
    }

    /// With a queue of these limits.
    pub(crate) async fn with_limits(limits: QueueLimits, change: impl FnOnce(&mut RunSettings)) -> Self {
        Self::open_with(Arc::new(Home::new()), limits, change).await
    }

    /// Opens the directory as a process does at its start. The process before must be gone.
    pub(crate) async fn open(dir: Arc<Home>, change: impl FnOnce(&mut RunSettings)) -> Self {
        Self::open_with(dir, QueueLimits::default(), change).await
    }

    async fn open_with(dir: Arc<Home>, limits: QueueLimits, change: impl FnOnce(&mut RunSettings)) -> Self {
        let scratch = dir.path().join("scratch");
        std::fs::create_dir_all(&scratch).unwrap();
        let (tables, bus, queue) = dir.open(limits).await;
        tables.migrate(MIGRATIONS).await.unwrap();
        let objects = Objects::open_directory(&dir.path().join("objects")).await.unwrap();
        let clock = Clock::default();
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

    /// Submits the script as a run of a task of its own.
    pub(crate) async fn submit_alone(&self, user: UserId, script: &str) -> RunId {
        let task = self.task(user).await;
        self.submit(task, user, script).await.unwrap().run.id
    }

    pub(crate) async fn run(&self, run: RunId) -> Run {
        self.runs.get(run).await.unwrap()
    }

    /// The real sandbox, as good as this machine has it.
    pub(crate) async fn executor(&self) -> Executor {
        self.executor_in("runs", 300_000).await
    }

    async fn executor_in(&self, folder: &str, first_uid: u32) -> Executor {
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_coderoom-supervisor"));
        let mut settings = LocalSettings::new(self.dir.path().join(folder), supervisor, self.objects.clone());
        settings.minimum_level = SandboxLevel::None;
        // Each test is a process: they share the machine's user ids.
        settings.uid_count = 16;
        settings.first_uid = first_uid + std::process::id() % 4096 * 16;
        Executor::Local(LocalExecutor::new(settings).await.unwrap())
    }

    /// An engine as `coderoom serve` has one, but quicker.
    pub(crate) async fn engine(&self, change: impl FnOnce(&mut EngineSettings)) -> Engine {
        let mut settings = EngineSettings::new(format!("test-{}", RunId::new()));
        settings.sole_worker = true;
        settings.slots = 4;
        settings.reconcile = Duration::from_millis(300);
        settings.position_interval = Duration::from_millis(20);
        change(&mut settings);
        Engine::start(self.runs.clone(), self.executor().await, settings)
    }

    /// An engine as of a second worker, on a machine of its own.
    pub(crate) async fn second_engine(&self) -> Engine {
        let mut settings = EngineSettings::new(format!("second-{}", RunId::new()));
        settings.slots = 4;
        settings.reconcile = Duration::from_millis(100);
        Engine::start(self.runs.clone(), self.executor_in("runs-2", 400_000).await, settings)
    }

    /// Waits until the run has ended.
    pub(crate) async fn ended(&self, run: RunId) -> Run {
        self.reaches(run, "the run ends", |run| run.state.is_final()).await
    }

    /// Waits until the program runs and has printed something.
    pub(crate) async fn printed(&self, run: RunId) {
        let mut reader = LogReader::open(&self.runs, run, 0).await.unwrap();
        let first = tokio::time::timeout(Duration::from_secs(20), reader.next(1)).await;
        let state = self.run(run).await;
        assert!(matches!(first, Ok(Ok(LogEvent::Piece(_)))), "the run printed nothing: {first:?} {state:?}");
    }

    pub(crate) async fn reaches(&self, run: RunId, what: &str, wanted: impl Fn(&Run) -> bool) -> Run {
        until(what, async || {
            let run = self.run(run).await;
            if wanted(&run) { Ok(run) } else { Err(format!("{run:?}")) }
        })
        .await
    }

    /// The whole log of an ended run as text.
    pub(crate) async fn log(&self, run: RunId) -> String {
        let size = self.runs.log_status(run).await.unwrap().size;
        let bytes = self.runs.read_log(run, 0, usize::MAX).await.unwrap();
        assert_eq!(bytes.len() as u64, size);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends this process's view of the directory, as its death would.
    pub(crate) fn die(self) -> Arc<Home> {
        self.dir
    }
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
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
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
