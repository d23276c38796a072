//! Writing a log: output arrives with its offset, gathers into entries of the live part, and is archived behind it.
//! One writer per run. What it has not archived stays in its memory, so that a bus that forgets costs nothing.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use coderoom_protocol::{control::LogStream, ids::RunId};
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    LogEvent, LogReader, MAX_PIECE_BYTES,
    archive::{Part, merge_small_segments, store_segment_patiently},
    chunk::{Chunk, ChunkBuilder},
};
use crate::{
    announce::{log_stream, log_topic},
    fault::{Fault, Result},
    runs::Runs,
};

/// An entry of the live part closes at this many bytes.
const ENTRY_BYTES: usize = 64 << 10;

/// Entries and announcements of one run are at least this far apart, unless entries are full.
const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

/// A segment is archived at this many bytes,
const SEGMENT_BYTES: usize = 1 << 20;

/// takes no more than this many,
const MAX_SEGMENT_BYTES: usize = 4 << 20;

/// and is archived after this time in any case, if it has [`WORTH_BYTES`] or the long time has passed.
const ARCHIVE_SOON: Duration = Duration::from_secs(5);
const ARCHIVE_LATE: Duration = Duration::from_secs(30);
const WORTH_BYTES: usize = 64 << 10;

/// At this many bytes that are not archived the writer takes no more, and the supervisor's spool keeps the rest.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// How often the writer asks whether the bus still has what it was given.
const CHECK_BUS: Duration = Duration::from_secs(5);

/// Some output, as the supervisor framed it.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) offset: u64,
    pub(crate) stream: LogStream,
    pub(crate) at: i64,
    pub(crate) bytes: Vec<u8>,
}

/// A closed log: everything is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Handle to the writer of one log. Dropping it without [`LogWriter::close`] leaves the log as a crash would.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// 64 outputs of at most 16 KiB; full means that storing is slower than the program, and reading it waits.
    outputs: mpsc::Sender<Output>,
    /// Where the stored log ended when this was opened.
    end: u64,
    /// Ends when `outputs` closes; then everything is in the live part.
    writer: AbortOnDropHandle<Result<Writer>>,
}

impl LogWriter {
    /// Goes on where the stored log ends; output before that end is skipped.
    pub(crate) async fn open(runs: &Runs, run: RunId) -> Result<Self> {
        let writer = Writer::open(runs.clone(), run).await?;
        let end = writer.open.end();
        let (outputs, incoming) = mpsc::channel(64);
        Ok(Self { outputs, end, writer: AbortOnDropHandle::new(tokio::spawn(writer.work(incoming))) })
    }

    /// The sending side; see [`LogWriter`] for what a full one means. It closes when the writer failed for good.
    pub(crate) fn outputs(&self) -> mpsc::Sender<Output> {
        self.outputs.clone()
    }

    /// Where the stored log ended when this was opened: the offset from which on output is new.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Ends the log: everything is archived on return. All clones of [`LogWriter::outputs`] must be gone.
    pub(crate) async fn close(self) -> Result<Closed> {
        self.leave().await?.close().await
    }

    /// Ends writing with everything in the live part, for whoever goes on with the log.
    pub(crate) async fn leave(self) -> Result<Writer> {
        drop(self.outputs);
        self.writer.await.map_err(|error| Fault::Broken(format!("write log: {error}")))?
    }
}

/// An entry of the live part that is not archived yet.
#[derive(Debug)]
struct Kept {
    start: u64,
    end: u64,
    chunk: Bytes,
    since: Instant,
}

/// The state of one log's writer.
#[derive(Debug)]
pub(crate) struct Writer {
    runs: Runs,
    run: RunId,
    stream: String,
    hash: Sha256,
    /// The entry being gathered; its end is the log's end.
    open: ChunkBuilder,
    /// Appended, not archived, in order.
    kept: VecDeque<Kept>,
    /// The archiving of the first of `kept`, while it lasts.
    archiving: Option<AbortOnDropHandle<Option<Part>>>,
    flushed_at: Instant,
    announced_at: Instant,
    announced: u64,
}

impl Writer {
    async fn open(runs: Runs, run: RunId) -> Result<Self> {
        let stream = log_stream(run);
        let (mut hash, mut reader) = (Sha256::new(), LogReader::at(&runs, run, 0));
        while let LogEvent::Piece(piece) = reader.look(MAX_PIECE_BYTES).await? {
            hash.update(&piece.bytes);
        }
        let end = reader.offset();
        let (kept, reached) = kept_entries(&runs, run, &stream, end).await?;
        if reached != end {
            return Err(Fault::Broken(format!("live part of the log of run {run} went away while it was read")));
        }
        let now = Instant::now();
        let open = ChunkBuilder::new(end);
        Ok(Self {
            runs,
            run,
            stream,
            hash,
            open,
            kept,
            archiving: None,
            flushed_at: now - FLUSH_INTERVAL,
            announced_at: now - FLUSH_INTERVAL,
            announced: end,
        })
    }

    async fn work(mut self, mut incoming: mpsc::Receiver<Output>) -> Result<Self> {
        let mut check_bus = Instant::now() + CHECK_BUS;
        loop {
            self.archive_if_due().await?;
            let has_room = self.kept_bytes() < MAX_KEPT_BYTES;
            let wake = self.next_deadline().min(check_bus);
            tokio::select! {
                output = incoming.recv(), if has_room => {
                    let Some(output) = output else { break };
                    self.take(&output)?;
                    while self.open.len() < ENTRY_BYTES {
                        let Ok(output) = incoming.try_recv() else { break };
                        self.take(&output)?;
                    }
                }
                archived = wait_for(&mut self.archiving), if self.archiving.is_some() => self.archived(archived)?,
                () = sleep_until(wake) => {}
            }
            if !self.open.is_empty() && (self.open.len() >= ENTRY_BYTES || self.flushed_at.elapsed() >= FLUSH_INTERVAL)
            {
                self.flush().await;
            }
            if self.announced < self.flushed_end() && self.announced_at.elapsed() >= FLUSH_INTERVAL {
                self.announce().await;
            }
            if Instant::now() >= check_bus {
                check_bus = Instant::now() + CHECK_BUS;
                self.restore_live_part().await;
            }
        }
        self.flush().await;
        self.announce().await;
        Ok(self)
    }

    /// Archives everything and gives size and hash.
    async fn close(mut self) -> Result<Closed> {
        loop {
            if self.archiving.is_some() {
                let archived = wait_for(&mut self.archiving).await;
                self.archived(archived)?;
            } else if self.kept.is_empty() {
                break;
            } else {
                self.begin_archiving();
            }
        }
        if let Err(cause) = merge_small_segments(&self.runs, self.run).await {
            tracing::warn!(run.id = %self.run, %cause, "segments of a log were not merged; they are read as they are");
        }
        Ok(Closed { size: self.open.end(), sha256: hex::encode(self.hash.finalize()) })
    }

    /// Adds output, without what the log has already (a supervisor's frames are read from the first one again).
    fn take(&mut self, output: &Output) -> Result<()> {
        let end = self.open.end();
        if output.offset > end {
            let message = format!("output of run {} is missing: at {} came {}", self.run, end, output.offset);
            return Err(Fault::Broken(message));
        }
        let known = usize::try_from(end - output.offset).unwrap_or(usize::MAX);
        let Some(new) = output.bytes.get(known..).filter(|new| !new.is_empty()) else { return Ok(()) };
        self.hash.update(new);
        self.open.push(output.stream, output.at, new);
        Ok(())
    }

    /// Appends the open entry, however often it takes. While the bus refuses, the program's output waits in its spool.
    async fn flush(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (start, chunk) = (self.flushed_end(), self.open.take());
        let end = self.open.end();
        let mut delay = Duration::from_millis(50);
        while let Err(cause) = self.runs.bus().append(&self.stream, end, chunk.clone()).await {
            tracing::warn!(run.id = %self.run, %cause, "output is not stored yet; trying again");
            sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(2));
        }
        metrics::counter!("coderoom_log_bytes_total").increment(end - start);
        self.flushed_at = Instant::now();
        self.kept.push_back(Kept { start, end, chunk, since: self.flushed_at });
    }

    /// End of what is in the live part.
    fn flushed_end(&self) -> u64 {
        self.open.end() - self.open.len() as u64
    }

    fn kept_bytes(&self) -> usize {
        let start = self.kept.front().map_or(self.open.end(), |first| first.start);
        usize::try_from(self.open.end() - start).unwrap_or(usize::MAX)
    }

    async fn announce(&mut self) {
        self.announced = self.flushed_end();
        self.announced_at = Instant::now();
        // Readers look by themselves each second, so a lost announcement is only a delay.
        let message = Bytes::from(self.announced.to_string());
        let _ = self.runs.bus().publish(&log_topic(self.run), message).await;
    }

    /// When there may be something to do although nothing arrives.
    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let flush = (!self.open.is_empty()).then(|| self.flushed_at + FLUSH_INTERVAL);
        let announce = (self.announced < self.flushed_end()).then(|| self.announced_at + FLUSH_INTERVAL);
        let archive = self
            .kept
            .front()
            .filter(|_| self.archiving.is_none())
            .map(|first| first.since + if self.kept_bytes() >= WORTH_BYTES { ARCHIVE_SOON } else { ARCHIVE_LATE });
        [flush, announce, archive].into_iter().flatten().min().unwrap_or(now + ARCHIVE_LATE)
    }

    async fn archive_if_due(&mut self) -> Result<()> {
        if self.archiving.as_ref().is_some_and(AbortOnDropHandle::is_finished) {
            let archived = wait_for(&mut self.archiving).await;
            self.archived(archived)?;
        }
        let Some(first) = self.kept.front().filter(|_| self.archiving.is_none()) else { return Ok(()) };
        let (bytes, age) = (self.kept_bytes() - self.open.len(), first.since.elapsed());
        if bytes >= SEGMENT_BYTES || age >= ARCHIVE_LATE || (age >= ARCHIVE_SOON && bytes >= WORTH_BYTES) {
            self.begin_archiving();
        }
        Ok(())
    }

    fn begin_archiving(&mut self) {
        let Some(first) = self.kept.front() else { return };
        let mut part = Part { start: first.start, end: first.start, chunks: Vec::new() };
        for kept in &self.kept {
            if usize::try_from(kept.end - part.start).unwrap_or(usize::MAX) > MAX_SEGMENT_BYTES
                && !part.chunks.is_empty()
            {
                break;
            }
            part.end = kept.end;
            part.chunks.push(kept.chunk.clone());
        }
        let storing = store_segment_patiently(self.runs.clone(), self.run, part);
        self.archiving = Some(AbortOnDropHandle::new(tokio::spawn(storing)));
    }

    fn archived(&mut self, part: Option<Part>) -> Result<()> {
        let part = part.ok_or_else(|| Fault::Broken(format!("log of run {} cannot be archived", self.run)))?;
        while self.kept.front().is_some_and(|first| first.end <= part.end) {
            self.kept.pop_front();
        }
        Ok(())
    }

    /// Appends again what is not archived, if the bus lost it.
    async fn restore_live_part(&self) {
        let Some(last) = self.kept.back() else { return };
        match self.runs.bus().last(&self.stream).await {
            Ok(Some(end)) if end >= last.end => {}
            Ok(_) => {
                for kept in &self.kept {
                    // Appending twice is harmless; a failure is tried again at the next check.
                    let _ = self.runs.bus().append(&self.stream, kept.end, kept.chunk.clone()).await;
                }
            }
            Err(cause) => tracing::debug!(run.id = %self.run, %cause, "the live part of a log could not be checked"),
        }
    }
}

async fn wait_for(archiving: &mut Option<AbortOnDropHandle<Option<Part>>>) -> Option<Part> {
    let part = match archiving {
        Some(task) => task.await.ok().flatten(),
        None => None,
    };
    *archiving = None;
    part
}

/// Entries of the live part that are not archived, up to `end`, and the end they reach. A live part that does
/// not touch the archived one (its head was lost) is forgotten: what is behind the hole comes from the supervisor again.
async fn kept_entries(runs: &Runs, run: RunId, stream: &str, end: u64) -> Result<(VecDeque<Kept>, u64)> {
    let sql = "SELECT coalesce(max(\"end\"), 0) FROM log_segments WHERE run_id = $1";
    let row = runs.tables().query_opt(sql, coderoom_backing::values![run.to_string()]).await?;
    let archived = row.map_or(Ok(0), |row| row.uint(0))?;
    let (mut kept, mut at, since) = (VecDeque::new(), archived, Instant::now());
    while at < end {
        let entries = runs.bus().read(stream, at, SEGMENT_BYTES).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let chunk = Chunk::decode(entry.bytes.clone())?;
            if chunk.start > at || chunk.end <= at {
                return Err(Fault::Broken(format!("live part of the log of run {run} has a hole at {at}")));
            }
            kept.push_back(Kept { start: chunk.start, end: chunk.end, chunk: entry.bytes, since });
            at = chunk.end;
        }
    }
    if runs.bus().last(stream).await?.is_some_and(|last| last > at) {
        runs.bus().remove(stream).await?;
    }
    Ok((kept, at))
}
