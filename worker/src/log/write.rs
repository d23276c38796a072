//! Writing a log: output arrives with its offset, gathers into entries of the live part, and is archived behind it.
//! One writer per run. What it has not archived stays in its memory, so that a bus that forgets costs nothing.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use coderoom_protocol::{control::LogStream, ids::RunId};
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
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

/// How long a bus that refused an entry is left in peace. Meanwhile entries stay in memory and are archived from there.
const BUS_REST: Duration = Duration::from_millis(500);

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
    /// Not archived, in order.
    kept: VecDeque<Kept>,
    /// What of it the bus was given ends here. Entries are given in order, so that a later one never hides an earlier.
    given: u64,
    /// Set while the bus refuses: when it is asked again.
    bus_rests_until: Option<Instant>,
    /// The archiving of the first of `kept`, while it lasts.
    archiving: Option<AbortOnDropHandle<Option<Part>>>,
    flushed_at: Instant,
    announced_at: Instant,
    announced: u64,
}

impl Writer {
    async fn open(runs: Runs, run: RunId) -> Result<Self> {
        let stream = log_stream(run);
        let archived = archived_end(&runs, run).await?;
        let (mut hash, mut reader) = (Sha256::new(), LogReader::at(&runs, run, 0));
        while reader.offset() < archived {
            let left = usize::try_from(archived - reader.offset()).unwrap_or(usize::MAX);
            let LogEvent::Piece(piece) = reader.look(left.min(MAX_PIECE_BYTES)).await? else {
                return Err(Fault::Broken(format!("the archived log of run {run} has a hole at {}", reader.offset())));
            };
            hash.update(&piece.bytes);
        }
        let (kept, end) = kept_entries(&runs, &stream, archived, &mut hash).await?;
        let now = Instant::now();
        let open = ChunkBuilder::new(end);
        Ok(Self {
            runs,
            run,
            stream,
            hash,
            open,
            kept,
            given: end,
            bus_rests_until: None,
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
            if self.bus_rests_until.is_some_and(|until| until <= Instant::now()) {
                self.give().await;
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

    /// Closes the open entry and gives it to the bus. If the bus refuses it stays in memory, for the archive and for later.
    async fn flush(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (start, chunk) = (self.flushed_end(), self.open.take());
        let end = self.open.end();
        metrics::counter!("coderoom_log_bytes_total").increment(end - start);
        self.flushed_at = Instant::now();
        self.kept.push_back(Kept { start, end, chunk, since: self.flushed_at });
        if self.bus_rests_until.is_none() {
            self.give().await;
        }
    }

    /// Gives the bus, in order, what it was not given yet.
    async fn give(&mut self) {
        self.bus_rests_until = None;
        let given = self.given;
        for kept in self.kept.iter().filter(|kept| kept.end > given) {
            match self.runs.bus().append(&self.stream, kept.end, kept.chunk.clone()).await {
                Ok(()) => self.given = kept.end,
                Err(cause) => {
                    tracing::debug!(run.id = %self.run, %cause, "output is not in the live part yet; trying again");
                    self.bus_rests_until = Some(Instant::now() + BUS_REST);
                    return;
                }
            }
        }
    }

    /// End of the closed entries.
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
        let bus = self.bus_rests_until;
        let flush = (!self.open.is_empty()).then(|| self.flushed_at + FLUSH_INTERVAL);
        let announce = (self.announced < self.flushed_end()).then(|| self.announced_at + FLUSH_INTERVAL);
        let archive = self
            .kept
            .front()
            .filter(|_| self.archiving.is_none())
            .map(|first| first.since + if self.kept_bytes() >= WORTH_BYTES { ARCHIVE_SOON } else { ARCHIVE_LATE });
        [flush, announce, archive, bus].into_iter().flatten().min().unwrap_or(now + ARCHIVE_LATE)
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

    /// Gives the bus again what is not archived, if it lost any of it.
    async fn restore_live_part(&mut self) {
        let Some(first) = self.kept.front().filter(|first| first.end <= self.given) else { return };
        let (start, first_end) = (first.start, first.end);
        match self.live_part_from(start).await {
            Ok((Some(end), Some(last))) if end == first_end && last >= self.given => {}
            Ok((None, None)) => self.given = start,
            Ok((found, _)) => {
                // It has later entries and not the first: those came after the loss, and stand in the way of the others.
                tracing::info!(run.id = %self.run, "the bus lost a part of a log; it gets it again");
                if found != Some(first_end) && self.runs.bus().remove(&self.stream).await.is_err() {
                    return;
                }
                self.given = start;
            }
            Err(cause) => {
                tracing::debug!(run.id = %self.run, %cause, "the live part of a log could not be checked");
                return;
            }
        }
        if self.given < self.flushed_end() {
            self.give().await;
        }
    }

    /// End of the first entry of the live part behind `start`, and end of its last.
    async fn live_part_from(&self, start: u64) -> Result<(Option<u64>, Option<u64>)> {
        let first = self.runs.bus().read(&self.stream, start, 1).await?.first().map(|entry| entry.end);
        Ok((first, self.runs.bus().last(&self.stream).await?))
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

/// End of what is archived.
async fn archived_end(runs: &Runs, run: RunId) -> Result<u64> {
    let sql = "SELECT coalesce(max(\"end\"), 0) FROM log_segments WHERE run_id = $1";
    let row = runs.tables().query_opt(sql, coderoom_backing::values![run.to_string()]).await?;
    Ok(row.map_or(Ok(0), |row| row.uint(0))?)
}

/// Entries of the live part that follow `archived` without a hole, and the end they reach; their bytes go into `hash`.
/// What is behind a hole is forgotten: it comes from the supervisor again. The bus is asked itself, for what readers
/// of this process remember it may have lost.
async fn kept_entries(runs: &Runs, stream: &str, archived: u64, hash: &mut Sha256) -> Result<(VecDeque<Kept>, u64)> {
    let (mut kept, mut at, since) = (VecDeque::new(), archived, Instant::now());
    'follow: loop {
        let entries = runs.bus().read(stream, at, SEGMENT_BYTES).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let chunk = Chunk::decode(entry.bytes.clone())?;
            if chunk.start > at || chunk.end <= at {
                break 'follow;
            }
            while let Some(piece) = chunk.piece(at, MAX_PIECE_BYTES) {
                hash.update(&piece.bytes);
                at = piece.end();
            }
            if at < chunk.end {
                break 'follow;
            }
            kept.push_back(Kept { start: chunk.start, end: chunk.end, chunk: entry.bytes, since });
        }
    }
    if runs.bus().last(stream).await?.is_some_and(|last| last > at) {
        runs.bus().remove(stream).await?;
    }
    Ok((kept, at))
}
