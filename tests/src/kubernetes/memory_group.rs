//! The memory limit of a container: a cgroup of version 1 or 2, where one can be made. Without one nothing is limited.

use std::{fs, path::PathBuf};

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";
const PARENT: &str = "coderoom-kubernetes-simulator";

/// A cgroup of one container; removed when dropped.
#[derive(Debug)]
pub(super) struct MemoryGroup {
    directory: PathBuf,
    /// The file that counts kills, and the word before the number.
    kills: PathBuf,
}

impl MemoryGroup {
    /// Makes a group with this limit; `None` where that is not possible.
    pub(super) fn create(limit_bytes: u64) -> Option<Self> {
        let name: u64 = rand::random();
        let (root, limit, kills) = if fs::exists(format!("{V1}/memory.limit_in_bytes")).is_ok_and(|is| is) {
            (V1, ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], "memory.oom_control")
        } else {
            (V2, ["memory.max", "memory.oom.group"], "memory.events")
        };
        let directory = PathBuf::from(root).join(PARENT).join(format!("{name:016x}"));
        fs::create_dir_all(&directory).ok()?;
        let group = Self { kills: directory.join(kills), directory };
        fs::write(group.directory.join(limit[0]), limit_bytes.to_string()).ok()?;
        let second = if root == V1 { limit_bytes.to_string() } else { "1".to_owned() };
        let _ = fs::write(group.directory.join(limit[1]), second);
        Some(group)
    }

    /// Where a process writes its number to join.
    pub(super) fn processes_file(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// Whether a process of the group was killed for memory.
    pub(super) fn killed(&self) -> bool {
        let text = fs::read_to_string(&self.kills).unwrap_or_default();
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
}
