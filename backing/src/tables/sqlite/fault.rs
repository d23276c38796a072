//! Says what an error of SQLite means to a caller.

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use super::connect::Use;
use crate::tables::TablesError;

/// Fewer free bytes than this, and a failed write is put down to the full disk.
const NO_SPACE_BYTES: u64 = 64 << 10;

/// Turns `error` on `file` into what the port promises.
pub(super) fn explain(error: &Error, file: &Path, usage: Use) -> TablesError {
    let Error::SqliteFailure(failure, message) = error else {
        return TablesError::Fault(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            let columns = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(&message);
            return TablesError::Unique(columns.to_owned());
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return TablesError::ForeignKey,
        // `ON DELETE RESTRICT` is a trigger inside SQLite.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.starts_with("FOREIGN KEY") => return TablesError::ForeignKey,
        _ => {}
    }
    match failure.code {
        ErrorCode::DiskFull => TablesError::Full,
        // The log's index and syncs report a full disk as a plain failure: look at the disk.
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen if is_full(file) => TablesError::Full,
        ErrorCode::ReadOnly if usage == Use::Read => {
            TablesError::Fault("a reading call cannot write; use execute, batch or begin".to_owned())
        }
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied => {
            TablesError::Unavailable(format!("{message} (code {})", failure.extended_code))
        }
        _ => TablesError::Fault(message),
    }
}

/// Whether the file system of `file` has no room left.
fn is_full(file: &Path) -> bool {
    file.parent()
        .and_then(|directory| rustix::fs::statvfs(directory).ok())
        .is_some_and(|space| space.f_bavail * space.f_frsize < NO_SPACE_BYTES)
}
