//! What the tables hold of one document, and how it becomes a replica or a text again.

use bytes::Bytes;
use coderoom_backing::tables::{Row, TablesError};
use coderoom_protocol::gate::StateVector;

use super::{
    log_row,
    replica::{Replica, ReplicaError, SERVER_CLIENT},
    seed,
};

/// A snapshot as stored: Yjs v2 in zstd.
#[derive(Clone, Debug)]
pub(super) struct StoredSnapshot {
    /// Number of the last edit in it.
    pub(super) seq: u64,
    /// The compressed state.
    pub(super) data: Bytes,
}

/// A row of edits as stored.
#[derive(Clone, Debug)]
pub(super) struct StoredEdits {
    /// Number of the first edit in it.
    pub(super) seq: u64,
    /// How many edits.
    pub(super) count: u64,
    /// See [`log_row`].
    pub(super) data: Bytes,
}

/// Snapshot and later edits of one document.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredDocument {
    /// The newest snapshot.
    pub(super) snapshot: Option<StoredSnapshot>,
    /// Rows behind it, ascending.
    pub(super) edits: Vec<StoredEdits>,
}

/// Why what is stored does not become a document.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The rows are not what this server writes.
    #[error("stored document is damaged: {0}")]
    Damaged(&'static str),
    /// The snapshot cannot be decompressed.
    #[error("decompress snapshot: {0}")]
    Compression(#[from] std::io::Error),
    /// yrs refused it.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The tables did not answer.
    #[error(transparent)]
    Tables(#[from] TablesError),
}

impl StoredEdits {
    /// From columns `seq, count, data` that begin at `column`.
    pub(super) fn from_row(row: &Row, column: usize) -> Result<Self, TablesError> {
        Ok(Self { seq: row.uint(column)?, count: row.uint(column + 1)?, data: row.blob(column + 2)? })
    }
}

impl StoredDocument {
    /// Checks that no edit is missing between the snapshot and `seq`.
    fn check(&self, seq: u64) -> Result<(), StoredError> {
        let mut next = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq) + 1;
        for row in &self.edits {
            if row.seq != next || row.count == 0 {
                return Err(StoredError::Damaged("edits are missing"));
            }
            if !log_row::is_whole(&row.data, row.count) {
                return Err(StoredError::Damaged("a row of edits is cut"));
            }
            next += row.count;
        }
        if next != seq + 1 {
            return Err(StoredError::Damaged("the last edits are missing"));
        }
        Ok(())
    }

    /// The replica at edit `seq`, which must be exactly the last one stored. Takes milliseconds: call it off the runtime's threads.
    pub(super) fn replica(&self, client: u64, seq: u64) -> Result<Replica, StoredError> {
        self.check(seq)?;
        let replica = Replica::new(client);
        if let Some(snapshot) = &self.snapshot {
            replica.apply_v2(&zstd::decode_all(snapshot.data.as_ref())?)?;
        }
        replica.apply(self.edits.iter().flat_map(|row| log_row::updates(&row.data)))?;
        Ok(replica)
    }

    /// The text at edit `seq`, which must be exactly the last one stored. Takes milliseconds when edits are many.
    pub(super) fn text(&self, seq: u64) -> Result<String, StoredError> {
        if let (None, [row]) = (&self.snapshot, self.edits.as_slice())
            && (row.seq, row.count, seq) == (1, 1, 1)
            && let Some(text) = log_row::updates(&row.data).next().and_then(seed::text_of)
        {
            return Ok(text.to_owned());
        }
        if self.snapshot.is_none() && self.edits.is_empty() && seq == 0 {
            return Ok(String::new());
        }
        let replica = self.replica(SERVER_CLIENT, seq)?;
        if self.edits.is_empty() {
            return Ok(replica.text()?);
        }
        // As whoever opens the file now sees it. Edits whose neighbours stand in the wrong order, which only a hostile client
        // makes, merge differently one by one and all at once: what runs must be what is seen.
        let seen = Replica::new(SERVER_CLIENT);
        seen.apply([replica.diff_v1(&StateVector::default())?.as_slice()])?;
        Ok(seen.text()?)
    }
}
