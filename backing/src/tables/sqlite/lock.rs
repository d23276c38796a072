//! One process at a time: a lock on a file beside the database, which the kernel releases when the process
//! dies, however it dies.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{fs::FlockOperation, io::Errno};

use crate::tables::{Result, TablesError};

/// How long to wait for a process (or a handle in this one) that is just ending.
const WAIT: Duration = Duration::from_secs(2);

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Held by every thread of a handle; the last one to end releases it.
#[derive(Debug)]
pub(super) struct ProcessLock(#[expect(dead_code, reason = "held, never read")] File);

impl ProcessLock {
    /// Locks `file`.lock and writes the number of this process into it.
    pub(super) fn take(file: &Path) -> Result<Self> {
        let mut beside = file.as_os_str().to_owned();
        beside.push(".lock");
        let failed = |error: std::io::Error| TablesError::Unavailable(format!("lock {}: {error}", file.display()));
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(Path::new(&beside)).map_err(failed)?;
        let give_up = Instant::now() + WAIT;
        while let Err(error) = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != Errno::WOULDBLOCK && error != Errno::INTR {
                return Err(failed(error.into()));
            }
            if Instant::now() > give_up {
                return Err(taken(file, &mut lock));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        // The number is for people only; a full disk must not keep the database closed.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self(lock))
    }
}

fn taken(file: &Path, lock: &mut File) -> TablesError {
    let mut process = String::new();
    let _ = lock.take(20).read_to_string(&mut process);
    let process = if process.is_empty() { "unknown" } else { process.trim() };
    TablesError::Unavailable(format!(
        "another process (pid {process}) has {} open, and only one may: stop it first, or use another directory",
        file.display()
    ))
}
