//! Streams: an entry's id is its end offset, so the server itself refuses what was appended before.

use bytes::Bytes;
use redis::{RedisError, Value, streams::StreamRangeReply};
use tokio::time::timeout;

use super::{RedisBus, connect};
use crate::bus::{BusError, Entry, Result};

/// The one field of an entry.
const FIELD: &str = "b";

/// Entries asked for at first, before their size is known,
const FIRST_COUNT: usize = 4;

/// and at most at once, when it is.
const MAX_COUNT: usize = 256;

impl RedisBus {
    /// Appends and puts off the stream's expiry, in one round trip.
    pub(in crate::bus) async fn append(&self, stream: &str, end: u64, bytes: Bytes) -> Result<()> {
        let key = connect::key(&self.settings, stream);
        let mut pipeline = redis::pipe();
        pipeline.cmd("XADD").arg(&key).arg(format!("{end}-0")).arg(FIELD).arg(bytes.as_ref());
        pipeline.ignore_errors();
        let ttl_ms = u64::try_from(self.settings.stream_ttl.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("PEXPIRE").arg(&key).arg(ttl_ms);
        let mut connection = self.commands.clone();
        let limit = self.settings.connect_timeout + self.settings.response_timeout;
        let answers = timeout(limit, pipeline.query_async::<Vec<redis::RedisResult<Value>>>(&mut connection)).await;
        let answers = answers.map_err(|_| BusError::Unavailable("redis: no answer in time".to_owned()))?;
        match answers.map_err(|error| connect::explain(&error))?.into_iter().next() {
            Some(Err(error)) if !is_behind(&error) => Err(connect::explain(&error)),
            _ => Ok(()),
        }
    }

    pub(in crate::bus) async fn read(&self, stream: &str, after: u64, max_bytes: usize) -> Result<Vec<Entry>> {
        let key = connect::key(&self.settings, stream);
        let (mut entries, mut bytes, mut count, mut at) = (Vec::<Entry>::new(), 0_usize, FIRST_COUNT, after);
        loop {
            let Some(start) = at.checked_add(1) else { return Ok(entries) };
            let mut range = redis::cmd("XRANGE");
            range.arg(&key).arg(format!("{start}-0")).arg("+").arg("COUNT").arg(count);
            let reply: StreamRangeReply = self.ask(&range).await?;
            let found = reply.ids.len();
            for id in reply.ids {
                let entry = entry(id)?;
                at = entry.end;
                bytes = bytes.saturating_add(entry.bytes.len());
                entries.push(entry);
                if bytes >= max_bytes {
                    return Ok(entries);
                }
            }
            if found < count {
                return Ok(entries);
            }
            // As many as are missing, by the size of those that came.
            let usual = (bytes / entries.len().max(1)).max(1);
            count = ((max_bytes - bytes) / usual).clamp(1, MAX_COUNT);
        }
    }

    /// Asks for the last id ever given, which outlives trimming.
    pub(in crate::bus) async fn last(&self, stream: &str) -> Result<Option<u64>> {
        let mut info = redis::cmd("XINFO");
        info.arg("STREAM").arg(connect::key(&self.settings, stream));
        let mut connection = self.commands.clone();
        let limit = self.settings.connect_timeout + self.settings.response_timeout;
        let reply = timeout(limit, info.query_async::<redis::streams::StreamInfoStreamReply>(&mut connection)).await;
        match reply.map_err(|_| BusError::Unavailable("redis: no answer in time".to_owned()))? {
            Ok(info) => Ok(Some(position(&info.last_generated_id)?)),
            Err(error) if error.to_string().contains("no such key") => Ok(None),
            Err(error) => Err(connect::explain(&error)),
        }
    }

    pub(in crate::bus) async fn trim(&self, stream: &str, up_to: u64) -> Result<()> {
        let mut trim = redis::cmd("XTRIM");
        let first_kept = format!("{}-0", up_to.saturating_add(1));
        trim.arg(connect::key(&self.settings, stream)).arg("MINID").arg("=").arg(first_kept);
        self.ask::<i64>(&trim).await.map(|_| ())
    }

    pub(in crate::bus) async fn remove(&self, stream: &str) -> Result<()> {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(connect::key(&self.settings, stream));
        self.ask::<i64>(&unlink).await.map(|_| ())
    }
}

/// Whether an entry was refused because its end is not behind the last one's. Redis has no code of its own for that.
fn is_behind(error: &RedisError) -> bool {
    let text = error.to_string();
    text.contains("equal or smaller") || text.contains("must be greater than 0-0")
}

fn entry(id: redis::streams::StreamId) -> Result<Entry> {
    let end = position(&id.id)?;
    let mut map = id.map;
    match map.remove(FIELD) {
        Some(Value::BulkString(bytes)) => Ok(Entry { end, bytes: bytes.into() }),
        _ => Err(BusError::Unavailable("redis: a stream has an entry that is not ours".to_owned())),
    }
}

/// The position in an id such as `4096-0`.
fn position(id: &str) -> Result<u64> {
    let number = id.split('-').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| BusError::Unavailable("redis: a stream has an id that is not ours".to_owned()))
}
