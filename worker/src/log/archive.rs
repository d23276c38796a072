//! Moving finished parts of a log into object storage: compress, store, name it in the tables, and only then let the bus
//! forget it. Each step may be repeated: the same bytes get the same name.

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::ids::RunId;

use super::chunk::join;
use crate::{
    announce::log_stream,
    fault::{Fault, Result},
    moves::stored,
    runs::Runs,
};

/// Segments smaller than this are merged at the end of a run, in bytes of the log.
const SMALL_SEGMENT: u64 = 256 << 10;

/// No merged segment is larger than this, in bytes of the log.
const MERGED_SEGMENT: u64 = 2 << 20;

/// Archived parts of a log up to this many are left as they are.
const FEW_SEGMENTS: usize = 8;

/// Chunks that follow each other, as they lie in the live part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Offset behind the last byte.
    pub(crate) end: u64,
    /// Encoded chunks.
    pub(crate) chunks: Vec<Bytes>,
}

/// Stores `part` as a segment and trims the live part behind it. On success readers find it in the tables.
/// On failure it may or may not be stored; nothing was trimmed that is not.
pub(crate) async fn store_segment(runs: &Runs, run: RunId, part: &Part) -> Result<()> {
    let chunks = part.chunks.clone();
    let packed = pack(move || join(&chunks)).await?;
    let key = segment_key(run, part.start, part.end);
    runs.objects().put(&key, packed).await?;
    let row = Statement::new(
        "INSERT INTO log_segments (run_id, start, \"end\", object_key) VALUES ($1, $2, $3, $4)
         ON CONFLICT (run_id, start) DO UPDATE SET \"end\" = excluded.\"end\", object_key = excluded.object_key
         WHERE excluded.\"end\" > log_segments.\"end\"",
        values![run.to_string(), stored(part.start), stored(part.end), key],
    );
    let size = Statement::new(
        "UPDATE runs SET log_bytes = $2 WHERE id = $1 AND state = 2 AND log_bytes < $2",
        values![run.to_string(), stored(part.end)],
    );
    runs.tables().batch(vec![row, size]).await?;
    if let Err(cause) = runs.bus().trim(&log_stream(run), part.end).await {
        tracing::debug!(run.id = %run, %cause, "an archived part of a log could not be trimmed; the next one trims it too");
    }
    Ok(())
}

/// Stores `part` however often it takes; `None` when it never can be (the run was deleted).
pub(crate) async fn store_segment_patiently(runs: Runs, run: RunId, part: Part) -> Option<Part> {
    let mut delay = Duration::from_millis(100);
    loop {
        match store_segment(&runs, run, &part).await {
            Ok(()) => return Some(part),
            Err(cause) if cause.is_permanent() => {
                tracing::warn!(run.id = %run, %cause, "a part of a log cannot be archived");
                return None;
            }
            Err(cause) => {
                tracing::warn!(run.id = %run, %cause, "a part of a log is not archived yet; trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
            }
        }
    }
}

/// Makes few segments of many small ones, once the log is complete. Readers on the way find the new rows by themselves.
pub(crate) async fn merge_small_segments(runs: &Runs, run: RunId) -> Result<()> {
    let sql = "SELECT start, \"end\", object_key FROM log_segments WHERE run_id = $1 ORDER BY start";
    let rows = runs.tables().query(sql, values![run.to_string()]).await?;
    if rows.len() <= FEW_SEGMENTS {
        return Ok(());
    }
    let mut group: Vec<(u64, u64, String)> = Vec::new();
    for row in &rows {
        let segment = (row.uint(0)?, row.uint(1)?, row.text(2)?.to_owned());
        let fits = segment.1.saturating_sub(segment.0) < SMALL_SEGMENT
            && group.last().is_none_or(|last| last.1 == segment.0)
            && group.first().is_none_or(|first| segment.1 - first.0 <= MERGED_SEGMENT);
        if !fits {
            merge(runs, run, &std::mem::take(&mut group)).await?;
        }
        if segment.1.saturating_sub(segment.0) < SMALL_SEGMENT {
            group.push(segment);
        }
    }
    merge(runs, run, &group).await
}

async fn merge(runs: &Runs, run: RunId, group: &[(u64, u64, String)]) -> Result<()> {
    let ([(start, _, _), _, ..], Some((_, end, _))) = (group, group.last()) else { return Ok(()) };
    let mut packed = Vec::new();
    for (_, _, key) in group {
        let object = runs.objects().get(key).await?;
        packed.push(object.ok_or_else(|| Fault::Broken(format!("object {key} is gone")))?);
    }
    let unpacked = tokio::task::spawn_blocking(move || {
        let unpack =
            |object: &Bytes| zstd::bulk::decompress(object, usize::try_from(2 * MERGED_SEGMENT).unwrap_or(usize::MAX));
        packed.iter().map(unpack).collect::<std::io::Result<Vec<_>>>()
    });
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(format!("merge segments of a log: {error}"));
    let unpacked = unpacked.await.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
    let chunks: Vec<Bytes> = unpacked.into_iter().map(Bytes::from).collect();
    let key = segment_key(run, *start, *end);
    runs.objects().put(&key, pack(move || join(&chunks)).await?).await?;
    let delete = Statement::new(
        "DELETE FROM log_segments WHERE run_id = $1 AND start >= $2 AND \"end\" <= $3",
        values![run.to_string(), stored(*start), stored(*end)],
    );
    let insert = Statement::new(
        "INSERT INTO log_segments (run_id, start, \"end\", object_key) VALUES ($1, $2, $3, $4)",
        values![run.to_string(), stored(*start), stored(*end), key],
    );
    runs.tables().batch(vec![delete, insert]).await?;
    for (_, _, key) in group {
        runs.objects().delete(key).await?;
    }
    Ok(())
}

fn segment_key(run: RunId, start: u64, end: u64) -> String {
    format!("runs/{run}/log/{start:012}-{end:012}.zst")
}

async fn pack(chunk: impl FnOnce() -> Vec<u8> + Send + 'static) -> Result<Bytes> {
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(format!("pack a segment of a log: {error}"));
    let packed = tokio::task::spawn_blocking(move || zstd::bulk::compress(&chunk(), 1)).await;
    Ok(packed.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?.into())
}
