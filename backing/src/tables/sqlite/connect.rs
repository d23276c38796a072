//! Opens one connection and sets it up.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rusqlite::{Connection, config::DbConfig};

use super::fault;
use crate::tables::{Result, TablesError};

/// How long a connection waits for a lock. Only threads of this process compete, and only for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept per connection; the product has fewer different texts than this.
const CACHED_STATEMENTS: usize = 256;

/// Page cache of the writer, and of each reader, in KiB. The system's own cache holds the rest.
const WRITER_CACHE_KIB: u32 = 8192;
const READER_CACHE_KIB: u32 = 2048;

/// Pages in the write-ahead log (4 KiB each) after which a commit copies them into the database. SQLite's own 1,000
/// make every twelfth commit of a hundred rows slow; with 4,000 a page that changes often is copied less often.
const CHECKPOINT_PAGES: u32 = 4000;

/// The write-ahead log is cut back to this many bytes after a big transaction let it grow. Above what a checkpoint
/// lets gather: a log that is overwritten in place syncs faster than one that grows again.
const LOG_KEPT_BYTES: u32 = 32 << 20;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The one that writes.
    Write,
    /// One that only reads.
    Read,
}

/// Opens `file` (the writer creates it, readable by its owner only). Memory mapping stays off: a read error
/// would be a signal that kills the process instead of an error.
pub(super) fn connect(file: &Path, usage: Use) -> Result<Connection> {
    let failed = |error: rusqlite::Error| fault::explain(&error, file, usage);
    if usage == Use::Write {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(file).map_err(|error| TablesError::Unavailable(format!("open {}: {error}", file.display())))?;
    }
    let connection = Connection::open(file).map_err(failed)?;
    configure(&connection, usage).map_err(failed)?;
    Ok(connection)
}

fn configure(connection: &Connection, usage: Use) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // Quoted text is never a column that was misspelt.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    match usage {
        Use::Write => {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
            connection.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))
        }
        Use::Read => {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -i64::from(READER_CACHE_KIB))
        }
    }
}
