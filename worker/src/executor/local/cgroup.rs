//! Control groups of runs: limits of memory, processes and CPU for all processes together. Version 1 with one hierarchy
//! for each controller, version 2 with one for all, and machines that have both. Only files are written and read here.

mod find;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::executor::RunLimits;

/// Where groups of runs are made.
#[derive(Clone, Debug)]
pub(super) struct Cgroups {
    version: Version,
    /// Beginning of the names of all our groups, different for each directory of runs.
    prefix: String,
    /// (controller, directory in which groups are made); one directory for all in version 2.
    parents: Vec<(String, PathBuf)>,
}

/// Which interface the kernel offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    V1,
    V2,
}

/// The groups of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunCgroups {
    version: Version,
    dirs: Vec<(String, PathBuf)>,
}

/// What the kernel counted for a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Processes that were killed because memory ran out.
    pub oom_kills: u64,
    /// Processes or threads that could not be started because of the limit.
    pub pids_denied: u64,
    /// Most memory in use at a time, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// CPU time of all processes in milliseconds.
    pub cpu_ms: Option<u64>,
}

/// Processes of ours beside the user's: bubblewrap outside and the supervisor inside.
const OWN_PIDS: u64 = 2;
/// Memory for the supervisor itself, in bytes.
const OWN_MEMORY_BYTES: u64 = 16 * 1024 * 1024;
/// Length of a scheduling period in microseconds, the kernel's default.
const CPU_PERIOD_US: u64 = 100_000;

impl Cgroups {
    /// Makes the groups of a run with its limits.
    ///
    /// The work directory is in memory and charged to the run, so the group's memory limit is memory and disk together:
    /// whoever fills the disk still has the memory, and whoever leaves it empty can use more of it.
    pub(super) fn create(&self, run: &str, limits: &RunLimits) -> io::Result<RunCgroups> {
        let name = format!("{}{run}", self.prefix);
        let dirs = self.parents.iter().map(|(controller, parent)| (controller.clone(), parent.join(&name)));
        let groups = RunCgroups { version: self.version, dirs: dirs.collect() };
        let mut made = groups.make().and_then(|()| groups.limit(limits));
        // A service manager takes a controller away from the root when nothing that it knows of needs it any more.
        if made.is_err() && self.pass_on().is_ok() {
            made = groups.make().and_then(|()| groups.limit(limits));
        }
        if made.is_err() {
            groups.remove_now();
        }
        made.map(|()| groups)
    }

    /// Runs that have groups here, with those groups.
    pub(super) fn list(&self) -> Vec<(String, RunCgroups)> {
        let mut names = Vec::new();
        for (_, parent) in &self.parents {
            let entries = fs::read_dir(parent).into_iter().flatten().flatten();
            names.extend(
                entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix(&self.prefix).map(str::to_owned)),
            );
        }
        names.sort();
        names.dedup();
        let dirs = |run: &str| {
            let name = format!("{}{run}", self.prefix);
            self.parents.iter().map(|(controller, parent)| (controller.clone(), parent.join(&name))).collect()
        };
        names.into_iter().map(|run| (run.clone(), RunCgroups { version: self.version, dirs: dirs(&run) })).collect()
    }
}

impl RunCgroups {
    /// The groups of a container as it sees them itself below `root`; `None` where it sees none.
    pub(crate) fn inside(root: &Path) -> Option<Self> {
        if root.join("cgroup.controllers").exists() {
            let dirs = ["memory", "pids", "cpu"].map(|name| (name.to_owned(), root.to_owned())).to_vec();
            return Some(Self { version: Version::V2, dirs });
        }
        let dirs = ["memory", "pids", "cpuacct"].map(|name| (name.to_owned(), root.join(name))).to_vec();
        dirs.iter().all(|(_, dir)| dir.is_dir()).then_some(Self { version: Version::V1, dirs })
    }

    /// Whether memory is limited here: what was counted is then of these processes alone.
    pub(crate) fn is_limited(&self) -> bool {
        let file = if self.version == Version::V1 { "memory.limit_in_bytes" } else { "memory.max" };
        let limit = self.dir("memory").and_then(|dir| fs::read_to_string(dir.join(file)).ok());
        // Version 1 writes a number that no machine has, version 2 the word `max`.
        limit.and_then(|limit| limit.trim().parse::<u64>().ok()).is_some_and(|limit| limit < 1 << 50)
    }

    /// The files that a process writes itself into to join.
    pub(super) fn procs_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.dirs.iter().map(|(_, dir)| dir.join("cgroup.procs")).collect();
        files.dedup();
        files
    }

    /// What the kernel counted. Read it before the groups are removed.
    pub(crate) fn facts(&self) -> Facts {
        let read = |controller: &str, file: &str| {
            self.dir(controller).and_then(|dir| fs::read_to_string(dir.join(file)).ok()).unwrap_or_default()
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        match self.version {
            Version::V1 => Facts {
                oom_kills: field(&read("memory", "memory.oom_control"), "oom_kill"),
                pids_denied: field(&read("pids", "pids.events"), "max"),
                peak_memory_bytes: number(&read("memory", "memory.max_usage_in_bytes")),
                cpu_ms: number(&read("cpuacct", "cpuacct.usage")).map(|ns| ns / 1_000_000),
            },
            Version::V2 => Facts {
                oom_kills: field(&read("memory", "memory.events"), "oom_kill"),
                pids_denied: field(&read("pids", "pids.events"), "max"),
                peak_memory_bytes: number(&read("memory", "memory.peak")),
                cpu_ms: Some(field(&read("cpu", "cpu.stat"), "usage_usec") / 1000).filter(|ms| *ms > 0),
            },
        }
    }

    /// Sends KILL to every process in the groups; `true` when there was none.
    pub(super) fn kill(&self) -> bool {
        let mut empty = true;
        for file in self.procs_files() {
            let pids = fs::read_to_string(&file).unwrap_or_default();
            if pids.trim().is_empty() {
                continue;
            }
            empty = false;
            if self.version == Version::V2 && fs::write(file.with_file_name("cgroup.kill"), "1").is_ok() {
                continue;
            }
            for pid in pids.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        empty
    }

    /// Removes the groups; `true` when none is left. Fails as long as a process is in one.
    pub(super) fn remove_now(&self) -> bool {
        for (_, dir) in &self.dirs {
            let _ = fs::remove_dir(dir);
        }
        self.dirs.iter().all(|(_, dir)| !dir.exists())
    }

    fn dir(&self, controller: &str) -> Option<&Path> {
        self.dirs.iter().find(|(name, _)| name == controller).map(|(_, dir)| dir.as_path())
    }

    fn make(&self) -> io::Result<()> {
        for (_, dir) in &self.dirs {
            match fs::create_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn limit(&self, limits: &RunLimits) -> io::Result<()> {
        let memory = limits.memory_bytes.saturating_add(limits.disk_bytes).saturating_add(OWN_MEMORY_BYTES).to_string();
        let pids = limits.pids.saturating_add(OWN_PIDS).to_string();
        let quota = limits.cpu_millis.max(10).saturating_mul(CPU_PERIOD_US / 1000);
        let write = |controller: &str, file: &str, value: &str| match self.dir(controller) {
            Some(dir) => fs::write(dir.join(file), value),
            None => Ok(()),
        };
        match self.version {
            Version::V1 => {
                write("memory", "memory.limit_in_bytes", &memory)?;
                // Not there without swap accounting, and not needed without swap.
                let _ = write("memory", "memory.memsw.limit_in_bytes", &memory);
                let _ = write("memory", "memory.swappiness", "0");
                write("pids", "pids.max", &pids)?;
                write("cpu", "cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
                write("cpu", "cpu.cfs_quota_us", &quota.to_string())
            }
            Version::V2 => {
                write("memory", "memory.max", &memory)?;
                let _ = write("memory", "memory.swap.max", "0");
                write("pids", "pids.max", &pids)?;
                write("cpu", "cpu.max", &format!("{quota} {CPU_PERIOD_US}"))
            }
        }
    }
}

/// The number after `name` on its own line; 0 when there is none.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2 on plain files: what is written where, and what is read back. The kernel's part is not here.
    #[test]
    fn version_2_limits_and_facts_use_one_directory() {
        let root = tempfile::tempdir().unwrap();
        let parents = ["memory", "pids", "cpu"].map(|name| (name.to_owned(), root.path().to_owned())).to_vec();
        let cgroups = Cgroups { version: Version::V2, prefix: "coderoom-x-".to_owned(), parents };
        let limits = RunLimits {
            wall_ms: 1000,
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 28,
            pids: 64,
            cpu_millis: 1500,
            log_bytes: 0,
            output_bytes: 0,
            grace_ms: 0,
        };
        let groups = cgroups.create("run1", &limits).unwrap();
        let dir = root.path().join("coderoom-x-run1");
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        assert_eq!(read("memory.max"), ((1 << 30) + (1 << 28) + OWN_MEMORY_BYTES).to_string());
        assert_eq!((read("memory.swap.max"), read("pids.max")), ("0".to_owned(), "66".to_owned()));
        assert_eq!(read("cpu.max"), "150000 100000");
        assert_eq!(groups.procs_files(), [dir.join("cgroup.procs")]);
        fs::write(dir.join("memory.events"), "low 0\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        fs::write(dir.join("pids.events"), "max 7\n").unwrap();
        fs::write(dir.join("memory.peak"), "12345\n").unwrap();
        fs::write(dir.join("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").unwrap();
        let facts = groups.facts();
        assert_eq!(facts, Facts { oom_kills: 2, pids_denied: 7, peak_memory_bytes: Some(12345), cpu_ms: Some(2500) });
        assert_eq!(cgroups.list().len(), 1);
        // From inside, the same directory is the root.
        assert!(RunCgroups::inside(root.path()).is_none());
        fs::write(dir.join("cgroup.controllers"), "").unwrap();
        let inside = RunCgroups::inside(&dir).unwrap();
        assert_eq!((inside.facts(), inside.is_limited()), (facts, true));
        fs::write(dir.join("memory.max"), "max\n").unwrap();
        assert!(!inside.is_limited());
    }
}
