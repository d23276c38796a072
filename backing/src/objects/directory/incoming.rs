//! A file being written: invisible until it is published, gone when it is dropped before.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

/// How often a folder is made again when a deletion of its last other object removed it in between.
const PUBLISH_ATTEMPTS: u32 = 20;

/// An open file in `incoming/`. It is locked while it is being written, so that a sweep by another process on
/// the same directory can tell it from what a dead process left.
#[derive(Debug)]
pub(super) struct Incoming {
    file: File,
    /// `None` once published.
    path: Option<PathBuf>,
}

impl Incoming {
    /// A new empty file under `root`.
    pub(super) fn create(root: &Path) -> io::Result<Self> {
        let path = root.join("incoming").join(format!("{:032x}", rand::random::<u128>()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let incoming = Self { file, path: Some(path) };
        rustix::fs::flock(&incoming.file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(incoming)
    }

    /// Where to write.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Makes the content durable and gives it the name `target`, replacing what was there.
    pub(super) fn publish(mut self, target: &Path) -> io::Result<()> {
        let (Some(path), Some(folder)) = (&self.path, target.parent()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        self.file.sync_all()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match create_folder(folder).and_then(|()| std::fs::rename(path, target)) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < PUBLISH_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        self.path = None;
        sync_folder(folder)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Creates `folder` and what is missing above it, each entry durable. `NotFound` when a deletion removed a part
/// of it at the same time: trying again helps.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let create = || DirBuilder::new().mode(0o700).create(folder);
    let created = match (create(), folder.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            create_folder(parent)?;
            create()
        }
        (created, _) => created,
    };
    match created {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if std::fs::metadata(folder)?.is_dir() {
                Ok(())
            } else {
                Err(ErrorKind::NotADirectory.into())
            }
        }
        Err(error) => Err(error),
    }
}

/// Makes the names in `folder` durable. A folder that is gone has nothing to make durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes what dead processes left in `incoming/`.
pub(super) fn sweep(root: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join("incoming"))? {
        let path = entry?.path();
        let Ok(file) = File::open(&path) else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            std::fs::remove_file(&path)?;
            tracing::info!(file = %path.display(), "removed an unfinished object");
        }
    }
    Ok(())
}
