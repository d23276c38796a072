//! The limits of tasks and files, each with its unit, and where uploads wait on disk.

use std::path::PathBuf;

use coderoom_protocol::problem::{ErrorCode, WireError};

use crate::rooms::space;
pub(super) use crate::rooms::space::in_words;

/// Longest name of a task, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Longest remarks of a task, in characters.
pub const MAX_REMARKS_CHARS: usize = 4_000;
/// Changes in one announcement: a larger change is announced in several, each with its own revision,
/// so that no message on the bus or to a client grows with the size of the task.
pub const CHANGES_PER_ANNOUNCEMENT: usize = 1_000;

/// Limits of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// One text file, in bytes of UTF-8. Default 2 MiB: an edit at a random place of an 8 MB text costs yrs 3.2 ms.
    pub max_text_bytes: u64,
    /// All files of a task, in bytes. Default 1 GiB.
    pub max_task_bytes: u64,
    /// Files of a task. Default 50,000.
    pub max_files: u64,
    /// All files of the tasks that one user made, in bytes: nothing is stored once they have so much. Default 100 GiB.
    pub max_storage_per_maker: u64,
    /// Texts that one answer of the tree may carry, in bytes. Default 16 MiB.
    pub max_tree_text_bytes: u64,
    /// A packed archive for import, in bytes. Default 1 GiB.
    pub max_archive_bytes: u64,
    /// How many times larger than the archive its content may be, once it exceeds 16 MiB. Default 200.
    pub max_archive_ratio: u64,
    /// Archives that are packed for download at the same time; further ones wait. Default 32. Each holds a thread as
    /// long as its reader takes.
    pub max_packing_at_once: usize,
    /// Of these, archives for one user; further ones are refused. Default 4.
    pub max_packing_per_user: usize,
    /// Archives that are unpacked at the same time; further ones wait. Default 2. Each keeps a core busy.
    pub max_unpacking_at_once: usize,
    /// Snapshots of runs that are fetched at the same time to read one text out of each; further readers wait. Default 8.
    /// Each is a whole snapshot on disk for so long.
    pub max_snapshots_at_once: usize,
    /// A directory of our own where uploads wait; what is left there by a crash is removed at start.
    pub staging: PathBuf,
    /// The sweep leaves imports and what deleted tasks left alone for this many milliseconds. Default one day.
    pub sweep_age_ms: i64,
    /// The sweep leaves blobs alone that came, or that files let go of, less than this many milliseconds ago. Default one
    /// hour: longer than it takes to store a blob and name it in a file, or to freeze a task for a run. No more, since so long
    /// it counts as storage of somebody who overwrites a large file again and again.
    pub blob_age_ms: i64,
}

impl TaskSettings {
    /// The defaults, with uploads waiting in `staging`.
    #[must_use]
    pub fn new(staging: PathBuf) -> Self {
        Self {
            max_text_bytes: 2 << 20,
            max_task_bytes: 1 << 30,
            max_files: 50_000,
            max_storage_per_maker: 100 << 30,
            max_tree_text_bytes: 16 << 20,
            max_archive_bytes: 1 << 30,
            max_archive_ratio: 200,
            max_packing_at_once: 32,
            max_packing_per_user: 4,
            max_unpacking_at_once: 2,
            max_snapshots_at_once: 8,
            staging,
            sweep_age_ms: 24 * 60 * 60 * 1_000,
            blob_age_ms: 60 * 60 * 1_000,
        }
    }

    /// Refuses `wanted` more bytes in a task that has `used`, and says how much is free.
    pub(super) fn check_bytes(&self, used: u64, wanted: u64) -> Result<(), WireError> {
        let free = self.max_task_bytes.saturating_sub(used);
        if wanted <= free {
            return Ok(());
        }
        Err(space::too_large(self.max_task_bytes, free, wanted))
    }

    /// Refuses `wanted` more files in a task that has `used`.
    pub(super) fn check_files(&self, used: u64, wanted: u64) -> Result<(), WireError> {
        let free = self.max_files.saturating_sub(used);
        if wanted <= free {
            return Ok(());
        }
        let limit = self.max_files;
        Err(WireError::new(
            ErrorCode::TooManyFiles,
            format!(
                "A task may have {limit} files; there is room for {free} more and this needs {wanted}. Delete files first, or pack several into one."
            ),
        ))
    }

    /// Refuses a text that is too large to be a live document.
    pub(super) fn check_text(&self, path: &str, bytes: usize) -> Result<(), WireError> {
        if bytes as u64 <= self.max_text_bytes {
            return Ok(());
        }
        let (limit, bytes) = (in_words(self.max_text_bytes), in_words(bytes as u64));
        Err(WireError::new(
            ErrorCode::FileTooLarge,
            format!(
                "A text file may have {limit} and `{path}` would have {bytes}. Split it, or upload it, which stores it as a file that is not edited."
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_says_how_much_is_free() {
        let settings = TaskSettings { max_task_bytes: 10, ..TaskSettings::new(PathBuf::new()) };
        assert_eq!(settings.check_bytes(4, 6), Ok(()));
        let error = settings.check_bytes(4, 7).unwrap_err();
        assert_eq!(error.code, ErrorCode::TaskTooLarge);
        assert!(error.message.contains("6 bytes are free"), "{}", error.message);
    }
}
