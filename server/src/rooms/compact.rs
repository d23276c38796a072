//! Compaction: a snapshot takes the place of the log before it. It is encoded from the live document (merging updates is
//! quadratic), loaded again and compared, and only then swapped in, in one transaction fenced by its number.

use coderoom_backing::{
    clock::Clock,
    tables::{Statement, Tables, TablesError},
    values,
};
use coderoom_protocol::ids::FileId;

use super::replica::{Replica, ReplicaError, SERVER_CLIENT};

/// Compression: level 3 of zstd halves a snapshot in about a millisecond.
const ZSTD_LEVEL: i32 = 3;

/// What the room hands over: a state and the text it must give.
pub(super) struct Compaction {
    pub(super) file: FileId,
    pub(super) epoch: u64,
    /// Number of the last edit in the state.
    pub(super) seq: u64,
    /// The whole state (v2).
    pub(super) state: Vec<u8>,
    /// The live document's text.
    pub(super) text: String,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Compacted {
    /// Number of the last edit in the snapshot.
    pub(super) seq: u64,
    /// The exact size of the text in bytes.
    pub(super) text_bytes: u64,
    /// Whether the snapshot is stored.
    pub(super) is_stored: bool,
}

/// Why there is no snapshot. The log is as it was.
#[derive(Debug, thiserror::Error)]
enum CompactError {
    #[error("the snapshot gives another text than the live document")]
    Different,
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error("compress snapshot: {0}")]
    Compression(#[from] std::io::Error),
    #[error("the work was cut short")]
    CutShort,
    #[error(transparent)]
    Tables(#[from] TablesError),
}

/// Takes the state of a document, on the room's own thread: about as long as encoding it for a joiner.
pub(super) fn begin(file: FileId, epoch: u64, seq: u64, replica: &Replica) -> Result<Compaction, ReplicaError> {
    Ok(Compaction { file, epoch, seq, state: replica.state_v2()?, text: replica.text()? })
}

/// Checks, compresses and stores it. A failure is logged; the log stays as it was.
pub(super) async fn finish(tables: &Tables, clock: &Clock, keep_history: bool, compaction: Compaction) -> Compacted {
    let (file, seq, text_bytes) = (compaction.file, compaction.seq, compaction.text.len() as u64);
    let stored = store(tables, clock, keep_history, compaction).await;
    match &stored {
        Ok(()) => metrics::counter!("coderoom_compactions_total").increment(1),
        Err(error @ CompactError::Tables(_)) => {
            tracing::warn!(error = %error, file.id = %file, "a document was not compacted");
        }
        Err(error) => {
            metrics::counter!("coderoom_compactions_refused_total").increment(1);
            tracing::error!(error = %error, file.id = %file, seq, "a snapshot was not stored: it is not what the document is");
        }
    }
    Compacted { seq, text_bytes, is_stored: stored.is_ok() }
}

async fn store(tables: &Tables, clock: &Clock, keep_history: bool, compaction: Compaction) -> Result<(), CompactError> {
    let Compaction { file, epoch, seq, state, text } = compaction;
    let text_bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let work = move || verify(&state, &text);
    let data = tokio::task::spawn_blocking(work).await.map_err(|_| CompactError::CutShort)??;
    let file = file.to_string();
    let (epoch, seq) = (i64::try_from(epoch).unwrap_or(i64::MAX), i64::try_from(seq).unwrap_or(i64::MAX));
    let mut statements = vec![
        Statement::new(
            "INSERT INTO snapshots (file_id, epoch, seq, data, at) \
             SELECT id, epoch, $3, $4, $5 FROM files WHERE id = $1 AND epoch = $2 AND seq >= $3 \
             ON CONFLICT (file_id, epoch) DO UPDATE SET seq = excluded.seq, data = excluded.data, at = excluded.at \
             WHERE excluded.seq > snapshots.seq",
            values![file.as_str(), epoch, seq, data, clock.now_ms()],
        ),
        // Exact only when nothing was added since.
        Statement::new(SET_SIZE, values![file.as_str(), epoch, seq, text_bytes]),
    ];
    if !keep_history {
        // Rows never straddle a snapshot: both end where a commit ended.
        statements.push(Statement::new(
            "DELETE FROM edits WHERE file_id = $1 AND epoch = $2 AND seq <= $3 AND EXISTS \
             (SELECT 1 FROM snapshots WHERE file_id = $1 AND epoch = $2 AND seq >= $3)",
            values![file.as_str(), epoch, seq],
        ));
    }
    tables.batch(statements).await?;
    Ok(())
}

const SET_SIZE: &str = "UPDATE files SET size = $4 WHERE id = $1 AND epoch = $2 AND seq = $3";

/// Stores the exact size of a document that is not worth a snapshot. Failing costs nothing: the stored size stays an upper bound.
pub(super) async fn store_size(tables: &Tables, file: FileId, epoch: u64, seq: u64, text_bytes: u64) {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let values = values![file.to_string(), whole(epoch), whole(seq), whole(text_bytes)];
    if let Err(error) = tables.execute(SET_SIZE, values).await {
        tracing::debug!(error = %error, file.id = %file, "a size was not stored");
    }
}

/// The compressed state, if a fresh document that loads it has this text.
fn verify(state: &[u8], text: &str) -> Result<Vec<u8>, CompactError> {
    let data = zstd::encode_all(state, ZSTD_LEVEL)?;
    let scratch = Replica::new(SERVER_CLIENT);
    scratch.apply_v2(&zstd::decode_all(data.as_slice())?)?;
    if scratch.text()? == text { Ok(data) } else { Err(CompactError::Different) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_that_gives_another_text_is_refused() {
        let replica = Replica::new(7);
        replica.edit([(0, 0, "hello 😀\r\n".into())]).unwrap();
        replica.edit([(1, 3, "i".into())]).unwrap();
        let compaction = begin(FileId::new(), 1, 2, &replica).unwrap();
        assert!(verify(&compaction.state, &compaction.text).is_ok());
        assert!(matches!(verify(&compaction.state, "hello"), Err(CompactError::Different)));
    }
}
