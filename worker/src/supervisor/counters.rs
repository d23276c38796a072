//! What the kernel counted for the container, as far as it can be seen from inside: a child that was killed because memory
//! ran out looks like any failure to its parent.

use std::path::Path;

use coderoom_protocol::supervisor::Ending;

use crate::executor::local::{
    cgroup::{Facts, RunCgroups},
    facts,
};

/// Where a container sees its own groups.
const ROOT: &str = "/sys/fs/cgroup";

/// The counters, and what they were when the run began.
#[derive(Debug)]
pub(super) struct Counters {
    groups: Option<RunCgroups>,
    before: Facts,
}

impl Counters {
    /// Reads them for the first time.
    #[must_use]
    pub(super) fn at_start() -> Self {
        let groups = RunCgroups::inside(Path::new(ROOT));
        let before = groups.as_ref().map(RunCgroups::facts).unwrap_or_default();
        Self { groups, before }
    }

    /// Corrects an ending by what was counted since. CPU time stays what the processes themselves used.
    pub(super) fn correct(&self, ending: &mut Ending) {
        let Some(groups) = &self.groups else { return };
        let now = groups.facts();
        let since = Facts {
            oom_kills: now.oom_kills.saturating_sub(self.before.oom_kills),
            pids_denied: now.pids_denied.saturating_sub(self.before.pids_denied),
            peak_memory_bytes: now.peak_memory_bytes.filter(|_| groups.is_limited()),
            cpu_ms: None,
        };
        facts::correct(ending, &since);
    }
}
