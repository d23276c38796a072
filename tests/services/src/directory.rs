//! The private directory of a service, owned by the user it runs as.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::process::User;

/// Removes a directory when its standard input ends. Whoever dies at the same moment may still write there, hence several
/// tries.
const HEIR: &str = r#"cat >/dev/null; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit; sleep 0.5; done"#;

/// Starts a process that removes this directory when the returned handle is dropped, or this process ends, however that
/// ends: what a test made that is killed would stay for ever.
///
/// # Panics
/// When there is no shell.
#[must_use]
pub fn remove_afterwards(directory: &Path) -> Child {
    let mut heir = Command::new("/bin/sh");
    heir.args(["-c", HEIR, "heir"]).arg(directory).stdin(Stdio::piped());
    // What kills a test kills its group, and waits for its output to be closed.
    heir.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    heir.spawn().expect("a shell starts")
}

/// A service's data and configuration; removed with it.
#[derive(Debug)]
pub(crate) struct Directory {
    own: TempDir,
    _heir: Child,
    user: User,
}

impl Directory {
    /// A new empty directory that only `user` may enter.
    pub(crate) fn new(user: &User) -> Self {
        // Short names: the path of a Unix socket has at most 107 bytes.
        let own = TempDir::with_prefix("coderoom-").expect("a temporary directory");
        let directory = Self { _heir: remove_afterwards(own.path()), own, user: user.clone() };
        directory.give(directory.path(), 0o700);
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        self.own.path()
    }

    /// `name` inside.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Makes a directory inside that belongs to the user.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        fs::create_dir(&path).expect("a directory of the service");
        self.give(&path, 0o700);
        path
    }

    /// Writes a file inside that belongs to the user and only the user can read.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, content).expect("a file of the service");
        self.give(&path, 0o400);
        path
    }

    /// The last lines of a file, for messages.
    pub(crate) fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.at(name)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn give(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions of a service's file");
        if let Some((user, group)) = self.user.ids() {
            chown(path, Some(user), Some(group)).expect("a service's file changes its owner");
        }
    }
}
