//! The directory of one run on the host: `runs_dir/{run}/`, for the server's user only. Nothing in it is visible in the
//! box; the box gets open descriptors of what it needs.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use coderoom_protocol::ids::RunId;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::cgroup::RunCgroups;

/// Paths of one run.
#[derive(Clone, Debug)]
pub(super) struct RunDir {
    root: PathBuf,
}

/// `state.json`: what another server process needs to take the run up. Written before anything is started,
/// and again when the process is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunState {
    /// Marks the frames of this run.
    pub nonce: String,
    /// The user it runs as, of the pool.
    pub uid: Option<u32>,
    /// Its control groups.
    pub cgroups: Option<RunCgroups>,
    /// Its work directory, when that is a plain directory of the host.
    pub plain_work: Option<PathBuf>,
    /// Host process id of the supervisor, process 1 of the box.
    pub pid: Option<i32>,
    /// When that process was started, in the kernel's ticks since boot: tells it from a later one with the same id.
    pub start_time: Option<u64>,
}

impl RunDir {
    pub(super) fn new(runs_dir: &Path, run: RunId) -> Self {
        Self { root: runs_dir.join(run.to_string()) }
    }

    /// Makes it, empty; fails when there is one.
    pub(super) fn create(&self) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(&self.root)?;
        // The run's user reads files in it through a descriptor, and cannot get at it otherwise.
        for folder in [self.snapshot(), self.snapshot().join("blobs")] {
            DirBuilder::new().mode(0o755).create(&folder)?;
            fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        File::create_new(self.output())?;
        Ok(())
    }

    /// Files of the snapshot as they were fetched.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.root.join("snapshot")
    }

    /// Frames of the supervisor.
    pub(super) fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// The archive of `output/`.
    pub(super) fn output(&self) -> PathBuf {
        self.root.join("output.zip")
    }

    /// Where bubblewrap tells the host process id of process 1.
    pub(super) fn info(&self) -> PathBuf {
        self.root.join("box.json")
    }

    /// What bubblewrap and the supervisor say when they cannot go on.
    pub(super) fn errors(&self) -> PathBuf {
        self.root.join("errors")
    }

    /// Makes the spool and locks it. The lock belongs to the open file, so whoever inherits it keeps it:
    /// it is free again when the last process of the run that can write frames is gone, whatever ended it.
    pub(super) fn create_spool(&self) -> io::Result<File> {
        let spool = OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.spool())?;
        flock(&spool, FlockOperation::NonBlockingLockExclusive)?;
        Ok(spool)
    }

    /// Whether a process of the run that can write frames is alive.
    pub(super) fn is_alive(&self) -> bool {
        let Ok(spool) = File::open(self.spool()) else { return false };
        flock(&spool, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// Whether no frame was ever written. Ask when no process is alive that could.
    pub(super) fn spool_is_empty(&self) -> bool {
        fs::metadata(self.spool()).is_ok_and(|spool| spool.len() == 0)
    }

    pub(super) fn read_state(&self) -> Option<RunState> {
        serde_json::from_slice(&fs::read(self.root.join("state.json")).ok()?).ok()
    }

    /// Replaces the state as a whole.
    pub(super) fn write_state(&self, state: &RunState) -> io::Result<()> {
        let new = self.root.join("state.json.new");
        fs::write(&new, serde_json::to_vec(state)?)?;
        fs::rename(new, self.root.join("state.json"))
    }

    /// The host process id of process 1, as soon as bubblewrap has told it.
    pub(super) fn read_pid(&self) -> Option<i32> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(rename = "child-pid")]
            child_pid: i32,
        }
        serde_json::from_slice::<Info>(&fs::read(self.info()).ok()?).ok().map(|info| info.child_pid)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// When the process was started, in ticks since boot; `None` when there is no such process.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the last bracket ends it. The time is field 22 of proc(5).
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
