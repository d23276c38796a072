//! Every number that bounds runs: its name, unit and default. Nothing here is read from the environment;
//! whoever assembles the process passes values.

use std::{path::PathBuf, time::Duration};

use crate::executor::RunLimits;

/// What every handle to the runs must know, on servers and workers alike.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Directory for temporary files while a snapshot is packed; must exist. What lies there may be deleted at any start.
    pub scratch: PathBuf,
    /// Unfinished runs (queued and running) one user may have in all tasks together. Default 20.
    pub max_unfinished_per_user: u32,
    /// Runs of one user that may execute at the same time; the others wait. Default 2.
    pub max_running_per_user: u32,
    /// Runs that may execute at the same time in the whole deployment. Default 256.
    pub max_running_runs: u32,
    /// Time a run may wait in the queue in milliseconds; then it fails with `waited_too_long`. Default one hour.
    pub max_wait_ms: u64,
    /// Bytes that all tasks of one maker may have, with outputs; an output beyond it is not kept. Default: any number.
    pub max_storage_bytes: u64,
    /// Longest command line in bytes. Default 4096.
    pub max_command_bytes: usize,
    /// Longest remark in bytes. Default 4096.
    pub max_remarks_bytes: usize,
    /// Packed snapshots up to this many bytes are built in memory, larger ones in `scratch`. Default 4 MiB.
    pub snapshot_memory_bytes: usize,
    /// Memory for parts of logs that several readers share, in bytes. Default 32 MiB.
    pub log_cache_bytes: u64,
    /// What one run may use.
    pub limits: RunLimits,
}

impl RunSettings {
    /// The defaults, with temporary files in `scratch`.
    #[must_use]
    pub fn new(scratch: PathBuf) -> Self {
        Self {
            scratch,
            max_unfinished_per_user: 20,
            max_running_per_user: 2,
            max_running_runs: 256,
            max_wait_ms: 3_600_000,
            max_storage_bytes: u64::MAX,
            max_command_bytes: 4096,
            max_remarks_bytes: 4096,
            snapshot_memory_bytes: 4 << 20,
            log_cache_bytes: 32 << 20,
            limits: RunLimits::default(),
        }
    }
}

impl Default for RunLimits {
    /// 10 minutes, 1 GiB memory, 1 GiB disk, 256 processes, one core, 64 MiB log, 64 MiB output, 5 s grace.
    fn default() -> Self {
        Self {
            wall_ms: 600_000,
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 30,
            pids: 256,
            cpu_millis: 1000,
            log_bytes: 64 << 20,
            output_bytes: 64 << 20,
            grace_ms: 5000,
        }
    }
}

/// How one engine works.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Runs this engine executes at the same time. Default: the machine's cores.
    pub slots: usize,
    /// Name of this engine in the rows it owns. Must differ from every other engine that lives or lived.
    pub owner: String,
    /// Silence after which others may take up a run. Default 30 s.
    pub lease: Duration,
    /// How often the leases of all own runs are renewed. Default 10 s.
    pub renew: Duration,
    /// How often the queue is looked at without being asked. Default 2 s.
    pub look: Duration,
    /// How often rows are asked whether own runs shall stop (the bus is faster, but only a hint). Default 500 ms.
    pub stop_check: Duration,
    /// How often everything is compared with what it should be. Default 15 s.
    pub reconcile: Duration,
    /// Shortest time between two announcements of queue positions. Default 1 s.
    pub position_interval: Duration,
    /// How often a run may be begun when its worker died before the program started. Default 3.
    pub max_attempts: u32,
    /// How much longer than its limit a run may take before the engine itself ends it: the supervisor enforces the limit.
    /// Default 60 s.
    pub wall_slack: Duration,
    /// Whether every other engine on these tables is certainly gone (embedded): their runs are taken up at once.
    pub sole_worker: bool,
}

impl EngineSettings {
    /// The defaults, for an engine named `owner`.
    #[must_use]
    pub fn new(owner: String) -> Self {
        Self {
            slots: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            owner,
            lease: Duration::from_secs(30),
            renew: Duration::from_secs(10),
            look: Duration::from_secs(2),
            stop_check: Duration::from_millis(500),
            reconcile: Duration::from_secs(15),
            position_interval: Duration::from_secs(1),
            max_attempts: 3,
            wall_slack: Duration::from_secs(60),
            sole_worker: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_in_the_documentation() {
        let settings = RunSettings::new(PathBuf::from("/tmp"));
        assert_eq!(
            (settings.max_unfinished_per_user, settings.max_running_per_user, settings.max_running_runs),
            (20, 2, 256)
        );
        assert_eq!(settings.max_wait_ms, 60 * 60 * 1000);
        assert_eq!((settings.max_command_bytes, settings.max_remarks_bytes), (4096, 4096));
        let limits = settings.limits;
        assert_eq!((limits.wall_ms, limits.grace_ms, limits.pids, limits.cpu_millis), (600_000, 5000, 256, 1000));
        assert_eq!((limits.log_bytes, limits.output_bytes), (64 << 20, 64 << 20));
        assert_eq!((limits.memory_bytes, limits.disk_bytes), (1 << 30, 1 << 30));
        let engine = EngineSettings::new("a".into());
        assert!(engine.slots >= 1);
        assert_eq!((engine.max_attempts, engine.wall_slack), (3, Duration::from_secs(60)));
        assert!(engine.renew * 2 < engine.lease, "a lease survives a missed renewal");
    }
}
