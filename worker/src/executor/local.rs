//! The local executor: the supervisor in a sandbox on this machine. What each file answers:
//! `probe` how well runs are contained here, `start` how one begins, `execution` how it is followed and ended,
//! `sweep` what becomes of leftovers; `bwrap`, `seccomp`, `cgroup` and `uids` are the walls.

mod bwrap;
pub(crate) mod cgroup;
mod execution;
pub(crate) mod facts;
mod interpreters;
mod probe;
mod run_dir;
pub mod seccomp;
mod settings;
mod start;
mod sweep;
mod tail;
mod uids;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use coderoom_protocol::ids::RunId;

use self::{cgroup::Cgroups, run_dir::RunDir, uids::Uids};
pub use self::{
    execution::LocalExecution,
    settings::{LocalSettings, SandboxError, SandboxLevel},
};
use super::{StartError, StartRequest};

/// Handle to the local executor.
#[derive(Clone, Debug)]
pub struct LocalExecutor {
    inner: Arc<Inner>,
}

/// What all handles and executions share.
#[derive(Debug)]
struct Inner {
    settings: LocalSettings,
    /// What the walls are made of here.
    walls: Walls,
    /// Found by doing.
    level: SandboxLevel,
    /// Why the level is not higher, with what to do about it.
    problem: Option<String>,
    uids: Option<Uids>,
    /// Runs that are being started, so that a second start of the same run does not sweep the first away.
    starting: Mutex<HashSet<RunId>>,
}

/// The parts of the sandbox that this machine has.
#[derive(Clone, Debug, Default)]
struct Walls {
    bwrap: Option<std::path::PathBuf>,
    cgroups: Option<Cgroups>,
    /// The run's user cannot reach the supervisor's file, so it is copied into each box.
    copy_supervisor: bool,
}

impl LocalExecutor {
    /// Makes the directory of runs, then runs a test in a real sandbox to see what holds on this machine.
    /// A level below the minimum is no error here: every start is refused then, and [`Self::problem`] says why.
    ///
    /// # Errors
    /// When the directory cannot be made or the supervisor's program is not there.
    pub async fn new(settings: LocalSettings) -> Result<Self, SandboxError> {
        probe::open(settings).await
    }

    /// What keeps the sandbox from being `full`, with what to do about it, in one or two sentences for whoever runs
    /// the server; `None` when it is full.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.inner.problem.as_deref()
    }

    /// Whether the level is at least the configured minimum. If not, every start is refused.
    #[must_use]
    pub fn runs_code(&self) -> bool {
        self.inner.level >= self.inner.settings.minimum_level
    }

    /// Ends and removes what is left of runs that are not in `known`: processes, control groups, directories.
    /// For the start of the server, when `known` are the runs that its tables have as running. Gives how many there were.
    pub async fn sweep(&self, known: &[RunId]) -> usize {
        sweep::sweep(&self.inner, known).await
    }

    pub(super) async fn start(&self, request: &StartRequest) -> Result<LocalExecution, StartError> {
        start::start(&self.inner, request).await
    }

    pub(super) async fn adopt(&self, run: RunId) -> Result<Option<LocalExecution>, StartError> {
        start::adopt(&self.inner, run).await
    }

    pub(super) fn level(&self) -> &str {
        self.inner.level.as_str()
    }
}

impl Inner {
    fn dir(&self, run: RunId) -> RunDir {
        RunDir::new(&self.settings.runs_dir, run)
    }

    fn starting(&self) -> std::sync::MutexGuard<'_, HashSet<RunId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
