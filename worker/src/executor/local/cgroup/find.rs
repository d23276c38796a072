//! Finds where this process may make control groups, by making one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::getxattr;

use super::{Cgroups, Version};
use crate::executor::RunLimits;

/// Controllers without which a run is not limited.
const NEEDED: [&str; 3] = ["memory", "pids", "cpu"];
/// Where this process goes so that its own group may have children with limits (version 2).
const OWN_GROUP: &str = "coderoom-server";

impl Cgroups {
    /// Finds the hierarchies, `Err` with a sentence when none can be used. `tag` tells our groups from those of other
    /// servers on this machine; `parent` overrides the directory in which groups are made (version 2).
    pub(in crate::executor) fn find(tag: &str, parent: Option<&Path>) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("read mounts: {error}"))?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("read own groups: {error}"))?;
        let prefix = format!("coderoom-{tag}-");
        let mut problems = Vec::new();
        for (version, candidates) in [(Version::V2, v2(&mounts, &own, parent)), (Version::V1, v1(&mounts, &own))] {
            for parents in candidates {
                let found = Self { version, prefix: prefix.clone(), parents };
                match found.try_out() {
                    Ok(()) => return Ok(found),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        problems.dedup();
        Err(match problems.is_empty() {
            true => "no control groups with memory, pids and cpu are mounted".to_owned(),
            false => problems.join("; "),
        })
    }

    /// Makes a group, limits it, removes it.
    fn try_out(&self) -> Result<(), String> {
        let limits = RunLimits {
            wall_ms: 1000,
            memory_bytes: 1 << 26,
            disk_bytes: 0,
            pids: 8,
            cpu_millis: 1000,
            log_bytes: 0,
            output_bytes: 0,
            grace_ms: 0,
        };
        let place = self.parents.first().map(|(_, parent)| parent.display().to_string()).unwrap_or_default();
        self.pass_on().map_err(|error| format!("pass on controllers in {place}: {error}"))?;
        let name = format!("try-{}", std::process::id());
        let groups = self.create(&name, &limits).map_err(|error| format!("make a group in {place}: {error}"))?;
        groups.remove_now();
        Ok(())
    }

    /// Lets groups have limits where they are made; in version 1 they always may.
    pub(super) fn pass_on(&self) -> io::Result<()> {
        match self.parents.first() {
            Some((_, parent)) if self.version == Version::V2 => delegate(parent),
            _ => Ok(()),
        }
    }
}

type Parents = Vec<(String, PathBuf)>;

/// Version 1: below our own group, or at the root of what is mounted (in containers the path of the group is not visible).
fn v1(mounts: &str, own: &str) -> Vec<Parents> {
    let mut controllers = NEEDED.to_vec();
    controllers.push("cpuacct");
    let mut below_own = Parents::new();
    let mut at_root = Parents::new();
    for controller in controllers {
        let mount = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, at, "cgroup", options, ..] = fields.as_slice() else { return None };
            options.split(',').any(|option| option == controller).then(|| PathBuf::from(at))
        });
        let Some(mount) = mount else {
            if NEEDED.contains(&controller) {
                return Vec::new();
            }
            continue;
        };
        let path = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            names.split(',').any(|name| name == controller).then(|| path.trim_start_matches('/').to_owned())
        });
        below_own.push((controller.to_owned(), mount.join(path.unwrap_or_default())));
        at_root.push((controller.to_owned(), mount));
    }
    vec![below_own, at_root]
}

/// Version 2: in the directory that was configured, in our own group, or at the root.
fn v2(mounts: &str, own: &str, parent: Option<&Path>) -> Vec<Parents> {
    let Some(mount) = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields.as_slice() {
            [_, at, "cgroup2", ..] => Some(PathBuf::from(at)),
            _ => None,
        }
    }) else {
        return Vec::new();
    };
    let path = Path::new(own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default());
    // Where we, or the process before us, or the service manager put us, groups of runs are beside our own.
    let path = path.parent().filter(|_| path.ends_with(OWN_GROUP)).unwrap_or(path);
    let candidates = match parent {
        Some(parent) => vec![parent.to_owned()],
        None => [mount.join(path)].into_iter().filter(|dir| is_handed_over(dir)).chain([mount]).collect(),
    };
    let usable = |dir: &PathBuf| {
        let has = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
        NEEDED.iter().all(|needed| has.split_whitespace().any(|name| name == *needed))
    };
    let all = |dir: PathBuf| NEEDED.iter().map(|name| ((*name).to_owned(), dir.clone())).collect();
    candidates.into_iter().filter(usable).map(all).collect()
}

/// Whether systemd, if it made this group, leaves what is below to us. It ends services whose group it has kept to itself
/// when memory runs out anywhere below, which is what the test of the sandbox does at each start.
fn is_handed_over(dir: &Path) -> bool {
    // Older ones mark groups for root only.
    let marked = |mark: &str| {
        ["user", "trusted"].iter().any(|kind| getxattr(dir, format!("{kind}.{mark}"), &mut [0; 64]).is_ok())
    };
    marked("delegate") || !marked("invocation_id")
}

/// Lets children of `parent` have limits. A group with limited children may hold no process itself, so if only we are
/// in it, we move into a child of our own.
fn delegate(parent: &Path) -> io::Result<()> {
    let control = parent.join("cgroup.subtree_control");
    let wanted = "+memory +pids +cpu";
    let Err(first) = fs::write(&control, wanted) else { return Ok(()) };
    let procs = fs::read_to_string(parent.join("cgroup.procs"))?;
    let only_we = procs.lines().all(|line| line.trim() == std::process::id().to_string());
    if procs.trim().is_empty() || !only_we {
        return Err(first);
    }
    let own = parent.join(OWN_GROUP);
    match fs::create_dir(&own) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(own.join("cgroup.procs"), "0")?;
    fs::write(&control, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_machine_has_its_controllers_in_version_1() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                      cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n\
                      cgroup2 /nowhere cgroup2 rw 0 0\n";
        let own = "4:memory:/a/b\n3:pids:/\n2:cpu,cpuacct:/c\n0::/\n";
        let found = v1(mounts, own);
        let below: Vec<String> = found[0].iter().map(|(name, dir)| format!("{name} {}", dir.display())).collect();
        assert_eq!(
            below,
            [
                "memory /sys/fs/cgroup/memory/a/b",
                "pids /sys/fs/cgroup/pids/",
                "cpu /sys/fs/cgroup/cpu,cpuacct/c",
                "cpuacct /sys/fs/cgroup/cpu,cpuacct/c"
            ]
        );
        assert!(v2(mounts, own, None).is_empty());
    }

    #[test]
    fn server_in_a_group_of_its_own_finds_the_one_above() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("coderoom.service");
        fs::create_dir_all(service.join(OWN_GROUP)).unwrap();
        fs::write(service.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(service.join(OWN_GROUP).join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        let mounts = format!("cgroup2 {} cgroup2 rw 0 0\n", root.path().display());
        for own in ["0::/coderoom.service\n", "0::/coderoom.service/coderoom-server\n"] {
            let found = v2(&mounts, own, None);
            assert!(found[0].iter().all(|(_, dir)| *dir == service), "{own}: {found:?}");
        }
    }
}
