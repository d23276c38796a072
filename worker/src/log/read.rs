//! Reading a log from any offset: archived segments, then the live part, then what is yet to come.
//! There is no gap and no byte twice, whatever is archived, trimmed or lost on the bus meanwhile.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use coderoom_backing::{
    bus::{BusEvent, Subscription},
    values,
};
use coderoom_protocol::{
    ids::RunId,
    problem::{ErrorCode, WireError},
    run::RunState,
};
use tokio::time::{Instant, timeout};

use super::{LogPiece, MAX_PIECE_BYTES, chunk::Chunk};
use crate::{
    announce::{log_stream, log_topic},
    fault::{Fault, Result, refuse},
    runs::Runs,
};

/// How long a reader trusts that silence means that there is nothing new.
const RECHECK: Duration = Duration::from_secs(1);

/// What a reader finds at its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// The next bytes.
    Piece(LogPiece),
    /// Nothing more yet; the run goes on.
    Wait,
    /// The log is complete and was read to its end.
    End {
        /// Bytes in all.
        size: u64,
        /// SHA-256 of all bytes, lower-case hexadecimal.
        sha256: String,
        /// Whether output was left out because of the cap.
        truncated: bool,
    },
}

/// How much of a log there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Bytes that can be read now.
    pub size: u64,
    /// SHA-256 of all bytes, once the log is complete; lower-case hexadecimal.
    pub sha256: Option<String>,
    /// Whether output was left out because of the cap.
    pub truncated: bool,
}

/// One reader of one log. It holds at most one part in memory, shared with other readers.
#[derive(Debug)]
pub struct LogReader {
    runs: Runs,
    run: RunId,
    offset: u64,
    /// The part that was read last, and those of the same read behind it.
    current: Option<Arc<Chunk>>,
    ahead: std::collections::VecDeque<Arc<Chunk>>,
    /// Archived parts as (start, end, object key), ordered.
    segments: Vec<(u64, u64, String)>,
    /// Opened at the first wait, before the look that decides to wait.
    announcements: Option<Subscription>,
    /// When the rows were read last; `None`: they shall be read at the next chance.
    rows_read: Option<Instant>,
}

impl LogReader {
    /// A reader that begins at byte `offset`; beyond the end it waits for the bytes to come.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn open(runs: &Runs, run: RunId, offset: u64) -> std::result::Result<Self, WireError> {
        status_row(runs, run).await?;
        Ok(Self::at(runs, run, offset))
    }

    pub(crate) fn at(runs: &Runs, run: RunId, offset: u64) -> Self {
        Self {
            runs: runs.clone(),
            run,
            offset,
            current: None,
            ahead: std::collections::VecDeque::new(),
            segments: Vec::new(),
            announcements: None,
            rows_read: None,
        }
    }

    /// Offset of the next byte to be read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece, or the end; waits as long as it takes. Never gives [`LogEvent::Wait`]. Cancel safe.
    ///
    /// # Errors
    /// `not_found`: the run was deleted. `unavailable`: try again, nothing was skipped.
    pub async fn next(&mut self, max_bytes: usize) -> std::result::Result<LogEvent, WireError> {
        loop {
            match self.look(max_bytes).await? {
                LogEvent::Wait => self.wait().await?,
                event => return Ok(event),
            }
        }
    }

    /// The next piece of at most `max_bytes` (and at most [`MAX_PIECE_BYTES`]) if it is there now. Cancel safe.
    ///
    /// # Errors
    /// As for [`LogReader::next`].
    pub async fn try_next(&mut self, max_bytes: usize) -> std::result::Result<LogEvent, WireError> {
        Ok(self.look(max_bytes).await?)
    }

    pub(crate) async fn look(&mut self, max_bytes: usize) -> Result<LogEvent> {
        let max_bytes = max_bytes.clamp(1, MAX_PIECE_BYTES);
        loop {
            if let Some(piece) = self.piece_at_hand(max_bytes) {
                self.offset = piece.end();
                return Ok(LogEvent::Piece(piece));
            }
            if self.load_segment().await? || self.load_live().await? {
                continue;
            }
            if self.rows_read.is_some_and(|at| at.elapsed() < RECHECK) {
                return Ok(LogEvent::Wait);
            }
            // The state is read before the segments: a final state means that all segments are there.
            let status = status_row(&self.runs, self.run).await?;
            self.read_segments().await?;
            self.rows_read = Some(Instant::now());
            if self.load_segment().await? {
                continue;
            }
            return match status.sha256 {
                Some(sha256) if self.offset >= status.size => {
                    Ok(LogEvent::End { size: status.size, sha256, truncated: status.truncated })
                }
                Some(_) => Err(Fault::Broken(format!("log of run {} has a hole at {}", self.run, self.offset))),
                None => Ok(LogEvent::Wait),
            };
        }
    }

    fn piece_at_hand(&mut self, max_bytes: usize) -> Option<LogPiece> {
        loop {
            if let Some(piece) = self.current.as_ref().and_then(|chunk| chunk.piece(self.offset, max_bytes)) {
                return Some(piece);
            }
            self.current = self.ahead.pop_front();
            self.current.as_ref()?;
        }
    }

    /// Whether an archived part that has the offset is at hand now.
    async fn load_segment(&mut self) -> Result<bool> {
        for attempt in 0..2 {
            let index = self.segments.partition_point(|(_, end, _)| *end <= self.offset);
            let Some((_, _, key)) = self.segments.get(index).filter(|(start, _, _)| *start <= self.offset) else {
                return Ok(false);
            };
            if let Some(chunk) = self.runs.log_cache().segment(self.runs.objects(), key).await? {
                self.current = Some(chunk);
                return Ok(true);
            }
            // Small segments are merged at the end; the rows then name the larger one.
            if attempt == 0 {
                self.read_segments().await?;
            }
        }
        Err(Fault::Broken(format!("a segment of the log of run {} is gone", self.run)))
    }

    /// Whether a live part that has the offset is at hand now.
    async fn load_live(&mut self) -> Result<bool> {
        let chunks = self.runs.log_cache().live(self.runs.bus(), self.run, self.offset).await?;
        let Some(chunks) = chunks else { return Ok(false) };
        if chunks.first().is_some_and(|first| first.start > self.offset) {
            // What stood here was archived and trimmed since the rows were read.
            self.rows_read = None;
            return Ok(false);
        }
        self.ahead = chunks.iter().cloned().collect();
        self.current = self.ahead.pop_front();
        Ok(true)
    }

    async fn read_segments(&mut self) -> Result<()> {
        let sql =
            "SELECT start, \"end\", object_key FROM log_segments WHERE run_id = $1 AND \"end\" > $2 ORDER BY start";
        let offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        let rows = self.runs.tables().query(sql, values![self.run.to_string(), offset]).await?;
        let segment = |row: &coderoom_backing::tables::Row| Ok((row.uint(0)?, row.uint(1)?, row.text(2)?.to_owned()));
        self.segments = rows.iter().map(segment).collect::<Result<_>>()?;
        Ok(())
    }

    /// Returns when a look may find something, at the latest after a second.
    async fn wait(&mut self) -> Result<()> {
        let Some(announcements) = &mut self.announcements else {
            // What is announced between this and the next look is in the subscription.
            self.announcements = Some(self.runs.bus().subscribe(&log_topic(self.run)).await?);
            self.rows_read = None;
            return Ok(());
        };
        let deadline = Instant::now() + RECHECK;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, announcements.next()).await {
                Ok(BusEvent::Message(message)) => match announced_end(&message) {
                    Some(end) if end <= self.offset => {}
                    Some(_) => return Ok(()),
                    None => {
                        self.rows_read = None;
                        return Ok(());
                    }
                },
                Ok(BusEvent::Lost) | Err(_) => {
                    self.rows_read = None;
                    return Ok(());
                }
            }
        }
    }
}

/// The end offset in an announcement; `None` when it says that the log is complete.
fn announced_end(message: &Bytes) -> Option<u64> {
    std::str::from_utf8(message).ok()?.parse().ok()
}

impl Runs {
    /// How much of the run's log there is.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn log_status(&self, run: RunId) -> std::result::Result<LogStatus, WireError> {
        let mut status = status_row(self, run).await?;
        if status.sha256.is_none() {
            let live = self.bus().last(&log_stream(run)).await.map_err(Fault::from)?;
            status.size = status.size.max(live.unwrap_or(0));
        }
        Ok(status)
    }

    /// The bytes of `offset..offset + max_bytes` as far as they are there now; for ranges that fit in memory.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn read_log(&self, run: RunId, offset: u64, max_bytes: usize) -> std::result::Result<Bytes, WireError> {
        let mut reader = LogReader::open(self, run, offset).await?;
        let mut bytes = BytesMut::new();
        while bytes.len() < max_bytes {
            match reader.look(max_bytes - bytes.len()).await? {
                LogEvent::Piece(piece) => bytes.extend_from_slice(&piece.bytes),
                LogEvent::Wait | LogEvent::End { .. } => break,
            }
        }
        Ok(bytes.freeze())
    }

    /// Says that the log is complete, to readers who wait.
    pub(crate) async fn announce_log_end(&self, run: RunId) {
        if let Err(cause) = self.bus().publish(&log_topic(run), Bytes::from_static(b"end")).await {
            tracing::debug!(run.id = %run, %cause, "the end of a log was not announced; readers look again by themselves");
        }
    }
}

/// The row's word on the log: `size` is what is archived, `sha256` is there only when it is complete.
async fn status_row(runs: &Runs, run: RunId) -> Result<LogStatus> {
    let sql = "SELECT state, log_bytes, log_sha256, log_truncated FROM runs WHERE id = $1";
    let Some(row) = runs.tables().query_opt(sql, values![run.to_string()]).await? else {
        return refuse(ErrorCode::NotFound, "There is no such run.");
    };
    let state = u8::try_from(row.int(0)?).ok().and_then(|number| RunState::try_from(number).ok());
    let sha256 = row.opt_text(2)?.filter(|_| state.is_some_and(RunState::is_final)).map(str::to_owned);
    Ok(LogStatus { size: row.uint(1)?, sha256, truncated: row.bool(3)? })
}
