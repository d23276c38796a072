//! What the stages tell each other, as JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::executor::RunLimits;

/// Longest spec in bytes. A longer one is refused before it is read.
pub const MAX_SPEC_BYTES: usize = 128 * 1024;

/// For `launch`, on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// `cgroup.procs` files to join, in order.
    pub cgroup_procs: Vec<PathBuf>,
    /// Ceilings for every process of the run.
    pub rlimits: Rlimits,
    /// User and group to become; `None` keeps the server's own.
    pub uid: Option<u32>,
    /// This binary, as the host sees it.
    pub supervisor: PathBuf,
    /// How to build the box; `None` runs without one.
    pub bwrap: Option<BwrapSpec>,
    /// Directory with `manifest.json`, `code.zip` and blobs; handed over as a descriptor.
    pub snapshot_dir: PathBuf,
    /// Where the archive of `output/` goes: an empty host file, handed over as a descriptor.
    pub output_file: PathBuf,
    /// Where the host process id of the box's process 1 is written: `{"child-pid": n}`.
    pub info_file: PathBuf,
    /// For the next stage.
    pub init: InitSpec,
}

/// How to build the box.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BwrapSpec {
    /// The bubblewrap program.
    pub program: PathBuf,
    /// Its options, without those that name descriptors.
    pub args: Vec<String>,
    /// Small files to put into the box: path and content.
    pub files: Vec<(String, String)>,
    /// Where this binary lies in the box.
    pub supervisor_inside: String,
    /// Copy this binary into the box instead of mounting it, because the run's user cannot reach its path.
    pub copy_supervisor: bool,
}

/// Ceilings that hold for each process; absent means the server's own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Rlimits {
    /// Processes and threads of the user.
    pub nproc: Option<u64>,
    /// Open files.
    pub nofile: Option<u64>,
    /// Address space in bytes; only where no memory cgroup bounds the run.
    pub address_space: Option<u64>,
    /// Largest file in bytes.
    pub file_size: Option<u64>,
}

/// For `init`, through the socket that is its standard input, together with two descriptors:
/// the snapshot's directory and the file for the archive of `output/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InitSpec {
    /// Marks the frames of this run; 32 hexadecimal digits that the user's code never sees.
    pub nonce: String,
    /// The command line for `sh -c`.
    pub command: String,
    /// What it may use.
    pub limits: RunLimits,
    /// Directory of the files and of the command.
    pub work: PathBuf,
    /// Directory for temporary files.
    pub tmp: PathBuf,
    /// Ceilings for the user's command alone.
    pub rlimits: Rlimits,
    /// Environment of the command beneath what the supervisor sets itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
}

impl Default for InitSpec {
    fn default() -> Self {
        Self {
            nonce: String::new(),
            command: String::new(),
            limits: RunLimits {
                wall_ms: 0,
                memory_bytes: 0,
                disk_bytes: 0,
                pids: 0,
                cpu_millis: 0,
                log_bytes: 0,
                output_bytes: 0,
                grace_ms: 0,
            },
            work: PathBuf::from("/work"),
            tmp: PathBuf::from("/tmp"),
            rlimits: Rlimits::default(),
            env: Vec::new(),
        }
    }
}
