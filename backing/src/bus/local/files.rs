//! Open files of streams: a bounded number, the least recently used closed first.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Files kept open. More streams than this work too, by opening again.
pub(super) const MAX_OPEN: usize = 128;

/// The open files. A file in use stays open beyond its place here.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Held for a look-up or to open a file; never while reading or writing.
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    by_path: HashMap<PathBuf, (Arc<File>, u64)>,
    /// Counts uses; the file with the lowest number was used longest ago.
    uses: u64,
}

impl Files {
    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file for reading and writing. It must exist unless `create`.
    pub(super) fn get(&self, path: &Path, create: bool) -> io::Result<Arc<File>> {
        let mut open = self.locked();
        open.uses += 1;
        let now = open.uses;
        if let Some((file, used)) = open.by_path.get_mut(path) {
            *used = now;
            return Ok(file.clone());
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false).mode(0o600);
        let file = Arc::new(options.open(path)?);
        if open.by_path.len() >= MAX_OPEN {
            let oldest = open.by_path.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            oldest.and_then(|path| open.by_path.remove(&path));
        }
        open.by_path.insert(path.to_owned(), (file.clone(), now));
        Ok(file)
    }

    /// Closes the file, which is about to be removed.
    pub(super) fn forget(&self, path: &Path) {
        self.locked().by_path.remove(path);
    }
}
