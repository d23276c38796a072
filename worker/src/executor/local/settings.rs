//! Settings of the local executor, the levels of its sandbox, and why it cannot be opened.

use std::path::PathBuf;

use coderoom_backing::objects::Objects;

/// How well runs are contained. Higher is better, and `>=` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxLevel {
    /// A plain process with limits for each process. Only for code that one would run without coderoom too.
    None,
    /// Own namespaces and a system call filter; limits for each process only.
    Namespaces,
    /// The same, and limits of memory, processes and CPU for all processes of a run together.
    Full,
}

impl SandboxLevel {
    /// The word in settings, in `/health` and in runs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Namespaces => "namespaces",
            Self::Full => "full",
        }
    }

    /// The level written as `word`, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Namespaces, Self::Full].into_iter().find(|level| level.as_str() == word)
    }
}

/// Settings of the local executor.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Directory with one directory for each run; on a disk with room for the logs of all running runs.
    pub runs_dir: PathBuf,
    /// The program `coderoom-supervisor`.
    pub supervisor: PathBuf,
    /// Where snapshots are read from.
    pub objects: Objects,
    /// Below this level no code is run.
    pub minimum_level: SandboxLevel,
    /// The program `bwrap`; `None` looks for it in the usual places.
    pub bwrap: Option<PathBuf>,
    /// As root: the first user id of the pool that runs are given; nobody else may have ids in it.
    pub first_uid: u32,
    /// As root: how many user ids there are in the pool, and so how many runs can be there at a time.
    pub uid_count: u32,
    /// Whether to use control groups where they can be used. Without them limits hold for each process only.
    pub use_cgroups: bool,
    /// Version 2 control group below which runs get theirs; `None` takes the server's own.
    pub cgroup_parent: Option<PathBuf>,
    /// Further directories that runs may read, `/opt` for example.
    pub readable: Vec<PathBuf>,
    /// Open files of each process of a run.
    pub max_open_files: u64,
}

impl LocalSettings {
    /// The defaults: `namespaces` is the least, users 200000 to 200255.
    #[must_use]
    pub fn new(runs_dir: PathBuf, supervisor: PathBuf, objects: Objects) -> Self {
        Self {
            runs_dir,
            supervisor,
            objects,
            minimum_level: SandboxLevel::Namespaces,
            bwrap: None,
            first_uid: 200_000,
            uid_count: 256,
            use_cgroups: true,
            cgroup_parent: None,
            readable: Vec::new(),
            max_open_files: 1024,
        }
    }
}

/// Why the local executor cannot be opened at all.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct SandboxError {
    /// What was tried.
    pub what: String,
    /// What came of it.
    pub source: std::io::Error,
}
