//! Parts of logs that several readers share, so that ten followers of one run cost one read and one decompression.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use coderoom_backing::{bus::Bus, objects::Objects};
use coderoom_protocol::ids::RunId;
use moka::future::Cache;

use super::chunk::Chunk;
use crate::{
    announce::log_stream,
    fault::{Fault, Result},
};

/// How much is read from a stream at once, in bytes.
const LIVE_READ_BYTES: usize = 256 << 10;

/// No segment is larger than this when unpacked, in bytes; a larger one is damaged.
const MAX_SEGMENT_BYTES: usize = 32 << 20;

/// The caches of one process. What is in them never changes: a part of a log is written once.
#[derive(Clone, Debug)]
pub(crate) struct LogCache {
    /// Archived segments by object key.
    segments: Cache<String, Arc<Chunk>>,
    /// What followed an offset in the live part when it was read.
    live: Cache<(RunId, u64), Arc<Vec<Arc<Chunk>>>>,
}

/// Why a cache has nothing to give: absence is not remembered.
enum Miss {
    Absent,
    Failed(Fault),
}

impl LogCache {
    /// Holds at most about `max_bytes`, two thirds of it segments.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let segments = Cache::builder()
            .max_capacity(max_bytes / 3 * 2)
            .weigher(|_: &String, chunk: &Arc<Chunk>| weight(chunk.weight()))
            .time_to_idle(Duration::from_secs(60))
            .build();
        let live = Cache::builder()
            .max_capacity(max_bytes / 3)
            .weigher(|_: &(RunId, u64), chunks: &Arc<Vec<Arc<Chunk>>>| {
                weight(chunks.iter().map(|chunk| chunk.weight()).sum())
            })
            .time_to_idle(Duration::from_secs(10))
            .build();
        Self { segments, live }
    }

    /// The segment under `key`; `None` when the object is gone.
    pub(crate) async fn segment(&self, objects: &Objects, key: &str) -> Result<Option<Arc<Chunk>>> {
        let load = async {
            let packed = objects.get(key).await.map_err(|error| Miss::Failed(error.into()))?.ok_or(Miss::Absent)?;
            unpack(packed).await.map(Arc::new).map_err(Miss::Failed)
        };
        absent(self.segments.try_get_with_by_ref(key, load).await)
    }

    /// Chunks of the live part that end after `offset`, at least one; `None` when there is nothing yet.
    pub(crate) async fn live(&self, bus: &Bus, run: RunId, offset: u64) -> Result<Option<Arc<Vec<Arc<Chunk>>>>> {
        let load = async {
            let entries = bus.read(&log_stream(run), offset, LIVE_READ_BYTES).await;
            let entries = entries.map_err(|error| Miss::Failed(error.into()))?;
            if entries.is_empty() {
                return Err(Miss::Absent);
            }
            let chunks = entries.into_iter().map(|entry| Chunk::decode(entry.bytes).map(Arc::new));
            chunks.collect::<Result<Vec<_>>>().map(Arc::new).map_err(Miss::Failed)
        };
        absent(self.live.try_get_with((run, offset), load).await)
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn absent<T>(found: std::result::Result<T, Arc<Miss>>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(miss) => match Arc::try_unwrap(miss) {
            Ok(Miss::Absent) => Ok(None),
            Ok(Miss::Failed(fault)) => Err(fault),
            // Others wait for the same load and share its failure.
            Err(shared) => match &*shared {
                Miss::Absent => Ok(None),
                Miss::Failed(fault) => Err(fault.shared()),
            },
        },
    }
}

async fn unpack(packed: Bytes) -> Result<Chunk> {
    let unpacked = tokio::task::spawn_blocking(move || zstd::bulk::decompress(&packed, MAX_SEGMENT_BYTES)).await;
    match unpacked {
        Ok(Ok(bytes)) => Chunk::decode(bytes.into()),
        Ok(Err(error)) => Err(Fault::Broken(format!("unpack a segment of a log: {error}"))),
        Err(error) => Err(Fault::Broken(format!("unpack a segment of a log: {error}"))),
    }
}
