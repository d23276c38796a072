//! All streams of the embedded twin by name, each loaded when it is first asked for.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    files::Files,
    stream::{Outcome, Stream},
};
use crate::bus::{BusError, Entry, Result};

/// Longest name of a stream's folder, in bytes: what file systems allow.
const MAX_FOLDER_NAME_BYTES: usize = 255;

/// The streams below one directory.
#[derive(Debug)]
pub(super) struct Streams {
    root: PathBuf,
    files: Files,
    /// Held to look one up, load it or remove it; never while reading or writing entries.
    loaded: Mutex<HashMap<String, Arc<Stream>>>,
}

fn explain(error: &io::Error) -> BusError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BusError::Full,
        _ => BusError::Unavailable(error.to_string()),
    }
}

impl Streams {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(root);
        made.map_err(|error| explain(&error))?;
        Ok(Self { root: root.to_owned(), files: Files::default(), loaded: Mutex::default() })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Arc<Stream>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str, create: bool) -> Result<Option<Arc<Stream>>> {
        let mut loaded = self.locked();
        if let Some(stream) = loaded.get(name) {
            return Ok(Some(stream.clone()));
        }
        let folder = self.root.join(folder_name(name)?);
        let stream = Stream::load(folder, &self.files, create).map_err(|error| explain(&error))?;
        let stream = stream.map(Arc::new);
        if let Some(stream) = &stream {
            loaded.insert(name.to_owned(), stream.clone());
        }
        Ok(stream)
    }

    pub(super) fn append(&self, name: &str, end: u64, bytes: &[u8]) -> Result<()> {
        loop {
            let Some(stream) = self.find(name, true)? else { continue };
            match stream.append(&self.files, end, bytes).map_err(|error| explain(&error))? {
                Outcome::Done => return Ok(()),
                Outcome::Removed => {}
            }
        }
    }

    pub(super) fn read(&self, name: &str, after: u64, max_bytes: usize) -> Result<Vec<Entry>> {
        let Some(stream) = self.find(name, false)? else { return Ok(Vec::new()) };
        stream.read(&self.files, after, max_bytes).map_err(|error| explain(&error))
    }

    pub(super) fn last(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.find(name, false)?.and_then(|stream| stream.last()))
    }

    pub(super) fn trim(&self, name: &str, up_to: u64) -> Result<()> {
        let Some(stream) = self.find(name, false)? else { return Ok(()) };
        stream.trim(&self.files, up_to).map_err(|error| explain(&error))
    }

    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let folder = self.root.join(folder_name(name)?);
        let mut loaded = self.locked();
        let removed = match loaded.remove(name) {
            Some(stream) => stream.remove(&self.files),
            None => std::fs::remove_dir_all(folder),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(explain(&error)),
            _ => Ok(()),
        }
    }
}

/// A stream's name as a folder's: letters, digits, `-` and `_` stand for themselves, other bytes become `%XX`.
fn folder_name(stream: &str) -> Result<String> {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    let folder = utf8_percent_encode(stream, ENCODED).to_string();
    if folder.is_empty() || folder.len() > MAX_FOLDER_NAME_BYTES {
        return Err(BusError::Unavailable("a stream's name is empty or too long".to_owned()));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn stream_names_cannot_leave_the_directory_or_meet() {
        assert_eq!(folder_name("log-7").unwrap(), "log-7");
        assert_eq!(folder_name("../a").unwrap(), "%2E%2E%2Fa");
        assert_ne!(folder_name("a/b").unwrap(), folder_name("a%2Fb").unwrap());
        assert!(folder_name("").is_err());
        assert!(folder_name(&"x".repeat(256)).is_err());
    }
}
