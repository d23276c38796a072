//! Executors: they start the supervisor somewhere isolated and hand over its frames.

pub mod kubernetes;
pub mod local;

use std::{path::PathBuf, time::Duration};

use coderoom_protocol::{
    control::Language,
    ids::{RunId, TaskId, UserId},
    run::Reason,
    supervisor::{Ending, Frame},
};
use serde::{Deserialize, Serialize};

/// What a run may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// Wall time of the command in milliseconds.
    pub wall_ms: u64,
    /// Memory of all processes together in bytes (of each process where only rlimits can be had).
    pub memory_bytes: u64,
    /// Size of the work directory in bytes.
    pub disk_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// CPU in thousandths of a core.
    pub cpu_millis: u64,
    /// Log cap in bytes: head and tail are kept.
    pub log_bytes: u64,
    /// Size of what is collected from `output/`, packed, in bytes.
    pub output_bytes: u64,
    /// Time between TERM and KILL in milliseconds.
    pub grace_ms: u64,
}

/// All an executor needs to know to start a run.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// The run; names of jobs and directories come from it.
    pub run: RunId,
    /// Its task, for labels.
    pub task: TaskId,
    /// Who submitted it, for labels.
    pub user: UserId,
    /// The task's language: what must be installed.
    pub language: Language,
    /// The command line, run by `sh -c` in the directory of the files.
    pub command: String,
    /// What it may use.
    pub limits: RunLimits,
    /// Object key of the snapshot's manifest (`crate::snapshot::Manifest` as JSON).
    pub manifest_key: String,
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{reason:?}: {detail}")]
pub struct StartError {
    /// For the row.
    pub reason: Reason,
    /// For people.
    pub detail: String,
    /// Whether trying again (also elsewhere) may help.
    pub retry: bool,
}

/// Where runs execute.
#[derive(Clone, Debug)]
pub enum Executor {
    /// A sandboxed process on this machine.
    Local(local::LocalExecutor),
    /// A pod in a cluster.
    Kubernetes(kubernetes::KubernetesExecutor),
}

/// A started run. Dropping it leaves the run as it is, to be adopted by whoever comes next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each run, and it is never moved in bulk")]
pub enum Execution {
    /// Of the local executor.
    Local(local::LocalExecution),
    /// Of the Kubernetes executor.
    Kubernetes(kubernetes::KubernetesExecution),
}

/// Where the archive of `output/` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputArchive {
    /// In a host file outside the box, to be stored.
    File(PathBuf),
    /// In object storage already, under this key, says the supervisor.
    Stored(String),
}

impl Executor {
    /// Starts the run. A run that this executor started before (same id) is adopted instead of started twice.
    pub async fn start(&self, request: &StartRequest) -> Result<Execution, StartError> {
        match self {
            Self::Local(twin) => twin.start(request).await.map(Execution::Local),
            Self::Kubernetes(twin) => twin.start(request).await.map(Execution::Kubernetes),
        }
    }

    /// Takes up a run that was started before, perhaps by a process that is gone; `None` when nothing of it is left.
    /// Its frames are read from the first one again.
    pub async fn adopt(&self, run: RunId) -> Result<Option<Execution>, StartError> {
        match self {
            Self::Local(twin) => Ok(twin.adopt(run).await?.map(Execution::Local)),
            Self::Kubernetes(twin) => Ok(twin.adopt(run).await?.map(Execution::Kubernetes)),
        }
    }

    /// Ends and removes what is left here of runs that are not in `known`; gives how many there were. Only while nothing
    /// is being started: at the start of an engine, with the runs that the tables have as running (but see
    /// [`Self::sweeps_beside_others`]).
    pub async fn sweep(&self, known: &[RunId]) -> usize {
        match self {
            Self::Local(twin) => twin.sweep(known).await,
            Self::Kubernetes(twin) => twin.sweep(known).await,
        }
    }

    /// How well runs are contained here: `full`, `namespaces` or `none`.
    #[must_use]
    pub fn level(&self) -> &str {
        match self {
            Self::Local(twin) => twin.level(),
            Self::Kubernetes(twin) => twin.level(),
        }
    }

    /// Whether [`Self::sweep`] does no harm while other workers start runs on the same executor.
    #[must_use]
    pub fn sweeps_beside_others(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Kubernetes(_) => true,
        }
    }

    /// How long a started run may wait for its program to start: for a machine, for an image.
    #[must_use]
    pub fn start_limit(&self) -> Duration {
        match self {
            Self::Local(_) => Duration::ZERO,
            Self::Kubernetes(twin) => twin.start_limit(),
        }
    }
}

impl Execution {
    /// The next frame, in order; `None` after [`coderoom_protocol::supervisor::Body::End`] or when the supervisor is gone without one.
    /// Phases before the supervisor's first frame are the executor's own. A hole between the offsets of two output frames is
    /// output that is provably lost. Cancel safe.
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, StartError> {
        match self {
            Self::Local(twin) => twin.next_frame().await,
            Self::Kubernetes(twin) => twin.next_frame().await,
        }
    }

    /// Asks the run to end: TERM now, KILL to everything after `grace`. Returns at once; frames go on until the end.
    /// Also works when called twice.
    pub async fn stop(&self, grace: Duration) {
        match self {
            Self::Local(twin) => twin.stop(grace).await,
            Self::Kubernetes(twin) => twin.stop(grace).await,
        }
    }

    /// What can be said of a run whose supervisor left no end frame (killed for memory, lost).
    pub async fn lost_ending(&self) -> Ending {
        match self {
            Self::Local(twin) => twin.lost_ending().await,
            Self::Kubernetes(twin) => twin.lost_ending().await,
        }
    }

    /// The archive of `output/` (zip), if there is one. Call after the end.
    pub async fn output_archive(&self) -> Option<OutputArchive> {
        match self {
            Self::Local(twin) => twin.output_archive().await.map(OutputArchive::File),
            Self::Kubernetes(twin) => twin.output_archive().await,
        }
    }

    /// Ends whatever is left of it and removes every trace but what is stored elsewhere. Call when log and output are stored.
    pub async fn remove(self) {
        match self {
            Self::Local(twin) => twin.remove().await,
            Self::Kubernetes(twin) => twin.remove().await,
        }
    }
}
