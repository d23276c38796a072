//! Reads a document from the tables: the newest snapshot and the edits after it, in one reading transaction,
//! put together off the runtime's threads. The room asks once, however many wait.

use std::{collections::HashMap, sync::Arc, time::Duration};

use coderoom_backing::{
    tables::{Tables, TablesError, Tx},
    values,
};
use coderoom_protocol::{
    gate::StateVector,
    ids::{FileId, TaskId, UserId},
};

use super::{
    between_nodes::StoredRow,
    merge_cost::Meter,
    replica::{Replica, SERVER_CLIENT},
    stored::{StoredDocument, StoredEdits, StoredError, StoredSnapshot},
};

/// Who has written with which client ids.
pub(super) type ClientOwners = HashMap<u64, UserId>;

/// A document as it was at edit `seq`.
pub(super) struct Loaded {
    pub(super) epoch: u64,
    /// Number of its last stored edit.
    pub(super) seq: u64,
    pub(super) replica: Replica,
    /// What is in the replica.
    pub(super) vector: StateVector,
    /// Whose client ids they are.
    pub(super) clients: ClientOwners,
    /// Bytes of UTF-8: an upper bound.
    pub(super) size: u64,
    /// What putting it together cost beyond what honest edits need.
    pub(super) merge_excess: Duration,
    /// Edits behind the snapshot …
    pub(super) loose_edits: u64,
    /// … and their bytes.
    pub(super) loose_bytes: u64,
}

/// Why a document cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// There is no such text file in the task.
    #[error("the file is gone")]
    Gone,
    /// What is stored cannot be read.
    #[error(transparent)]
    Damaged(StoredError),
}

/// Reads a document; while the tables do not answer it is tried again, with pauses from `retry.0` to `retry.1`.
pub(super) async fn load(
    tables: &Tables,
    task: TaskId,
    file: FileId,
    retry: (Duration, Duration),
) -> Result<Loaded, LoadError> {
    let mut pause = retry.0;
    loop {
        match fetch(tables, task, file).await {
            Ok(Some(stored)) => return build(stored).await,
            Ok(None) => return Err(LoadError::Gone),
            Err(error) if error.is_permanent() => return Err(LoadError::Damaged(error.into())),
            Err(error) => {
                tracing::warn!(error = %error, file.id = %file, "a document cannot be read; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(retry.1);
            }
        }
    }
}

/// What was stored after an edit.
#[derive(Debug)]
pub(super) enum Since {
    /// These rows, without a gap, perhaps none; and whose client ids there are in all of the document.
    Rows(Vec<StoredRow>, ClientOwners),
    /// Rows are gone into a snapshot (or the epoch has ended): the document must be read as a whole.
    Cut,
    /// There is no such text file in the task any more.
    Gone,
}

/// Reads what was stored after edit `after`; while the tables do not answer it is tried again as [`load`] does.
pub(super) async fn since(
    tables: &Tables,
    task: TaskId,
    file: FileId,
    epoch: u64,
    after: u64,
    retry: (Duration, Duration),
) -> Since {
    let mut pause = retry.0;
    loop {
        match fetch_since(tables, task, file, epoch, after).await {
            Ok(since) => return since,
            // Reading all of it says what is wrong.
            Err(error) if error.is_permanent() => return Since::Cut,
            Err(error) => {
                tracing::warn!(error = %error, file.id = %file, "edits of other nodes cannot be read; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(retry.1);
            }
        }
    }
}

async fn fetch_since(
    tables: &Tables,
    task: TaskId,
    file: FileId,
    epoch: u64,
    after: u64,
) -> Result<Since, TablesError> {
    let mut tx = tables.begin_read().await?;
    let row = tx
        .query_opt(
            "SELECT epoch, seq FROM files WHERE id = $1 AND task_id = $2 AND kind = 'text'",
            values![file.to_string(), task.to_string()],
        )
        .await?;
    let Some(row) = row else { return Ok(Since::Gone) };
    if row.uint(0)? != epoch {
        return Ok(Since::Cut);
    }
    let last = row.uint(1)?;
    let clients = client_owners(&mut tx, file).await?;
    if last <= after {
        return Ok(Since::Rows(Vec::new(), clients));
    }
    let rows = tx
        .query(
            "SELECT seq, count, data FROM edits WHERE file_id = $1 AND epoch = $2 AND seq > $3 ORDER BY seq",
            values![file.to_string(), row.int(0)?, i64::try_from(after).unwrap_or(i64::MAX)],
        )
        .await?;
    let mut stored = Vec::with_capacity(rows.len());
    let mut next = after + 1;
    for row in &rows {
        let row = StoredRow { file, epoch, seq: row.uint(0)?, count: row.uint(1)?, data: row.blob(2)? };
        if row.seq != next {
            return Ok(Since::Cut);
        }
        next += row.count;
        stored.push(row);
    }
    Ok(if next == last + 1 { Since::Rows(stored, clients) } else { Since::Cut })
}

/// Whose client ids there are in the document.
async fn client_owners(tx: &mut Tx, file: FileId) -> Result<ClientOwners, TablesError> {
    let sql = "SELECT client, user_id FROM document_clients WHERE file_id = $1";
    let rows = tx.query(sql, values![file.to_string()]).await?;
    rows.iter().map(|row| Ok((row.uint(0)?, row.parse(1)?))).collect()
}

struct Stored {
    epoch: u64,
    seq: u64,
    size: u64,
    clients: ClientOwners,
    document: StoredDocument,
}

async fn fetch(tables: &Tables, task: TaskId, file: FileId) -> Result<Option<Stored>, TablesError> {
    let mut tx = tables.begin_read().await?;
    let row = tx
        .query_opt(
            "SELECT f.epoch, f.seq, f.size, s.seq, s.data FROM files f \
             LEFT JOIN snapshots s ON s.file_id = f.id AND s.epoch = f.epoch \
             WHERE f.id = $1 AND f.task_id = $2 AND f.kind = 'text'",
            values![file.to_string(), task.to_string()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let snapshot = match row.opt_int(3)? {
        Some(_) => Some(StoredSnapshot { seq: row.uint(3)?, data: row.blob(4)? }),
        None => None,
    };
    let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let mut stored = Stored {
        epoch: row.uint(0)?,
        seq: row.uint(1)?,
        size: row.uint(2)?,
        clients: client_owners(&mut tx, file).await?,
        document: StoredDocument { snapshot, edits: vec![] },
    };
    if stored.seq > after {
        let rows = tx
            .query(
                "SELECT seq, count, data FROM edits WHERE file_id = $1 AND epoch = $2 AND seq > $3 ORDER BY seq",
                values![file.to_string(), row.int(0)?, i64::try_from(after).unwrap_or(i64::MAX)],
            )
            .await?;
        stored.document.edits = rows.iter().map(|row| StoredEdits::from_row(row, 0)).collect::<Result<_, _>>()?;
    }
    Ok(Some(stored))
}

async fn build(stored: Stored) -> Result<Loaded, LoadError> {
    // A short log is built faster than a thread is woken.
    let work_bytes: usize = stored.document.edits.iter().map(|row| row.data.len()).sum::<usize>()
        + stored.document.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len() * 4);
    if work_bytes < SMALL_DOCUMENT_BYTES {
        return build_here(&stored);
    }
    let stored = Arc::new(stored);
    let built = tokio::task::spawn_blocking(move || build_here(&stored)).await;
    built.unwrap_or(Err(LoadError::Damaged(StoredError::Replica(super::ReplicaError::Panicked))))
}

/// Snapshots are compressed, to a third or less.
const SNAPSHOT_RATIO: u64 = 3;

/// Up to this size (about 100 µs of work) a document is built where it is.
const SMALL_DOCUMENT_BYTES: usize = 2 * 1024;

fn build_here(stored: &Stored) -> Result<Loaded, LoadError> {
    let meter = Meter::start();
    let replica = stored.document.replica(SERVER_CLIENT, stored.seq).map_err(LoadError::Damaged)?;
    let vector = replica.vector().map_err(|error| LoadError::Damaged(error.into()))?;
    let loose_edits: u64 = stored.document.edits.iter().map(|row| row.count).sum();
    let loose_bytes: u64 = stored.document.edits.iter().map(|row| row.data.len() as u64).sum();
    let snapshot_bytes = stored.document.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len() as u64);
    Ok(Loaded {
        merge_excess: meter.excess(loose_edits, loose_bytes + snapshot_bytes * SNAPSHOT_RATIO),
        epoch: stored.epoch,
        seq: stored.seq,
        replica,
        vector,
        clients: stored.clients.clone(),
        size: stored.size,
        loose_edits,
        loose_bytes,
    })
}
