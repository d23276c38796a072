//! The supervisor's own standard output: frames go out in order and are never dropped. When the disk under it is full
//! (or a pipe is, or more would be faster than allowed), they wait here, and the caller stops reading the program's output
//! until there is room.

use std::{
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use coderoom_backing::clock::Clock;
use coderoom_protocol::supervisor::{Body, Ending, Frame, MAX_DETAIL_BYTES, encode};
use rustix::io::Errno;

use super::{
    capped_log::{MAX_PIECE_BYTES, Piece},
    pod_spec::Pace,
};

/// How long to wait before trying a full disk again.
pub const RETRY: Duration = Duration::from_millis(100);

/// Numbers, stamps and writes frames.
#[derive(Debug)]
pub struct Spool {
    out: BorrowedFd<'static>,
    nonce: String,
    clock: Clock,
    next_seq: u64,
    waiting: Vec<u8>,
    /// Most raw bytes in one output frame.
    max_piece: usize,
    budget: Option<Budget>,
}

/// What may be written now: fills up at the pace's rate to the pace's burst.
#[derive(Debug)]
struct Budget {
    pace: Pace,
    bytes: u64,
    filled_at: Instant,
}

impl Budget {
    fn new(pace: Pace) -> Self {
        Self { pace, bytes: pace.burst_bytes, filled_at: Instant::now() }
    }

    /// Bytes that may be written at `now`.
    fn fill(&mut self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.filled_at);
        let more = elapsed.as_micros().saturating_mul(u128::from(self.pace.bytes_per_second)) / 1_000_000;
        // Below one byte the time is left to count.
        if let Some(more) = u64::try_from(more).ok().filter(|more| *more > 0) {
            self.bytes = self.bytes.saturating_add(more).min(self.pace.burst_bytes);
            self.filled_at = now;
        }
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }

    fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }
}

impl Spool {
    /// Frames for standard output, marked with `nonce`.
    #[must_use]
    pub fn new(nonce: String) -> Self {
        Self {
            out: rustix::stdio::stdout(),
            nonce,
            clock: Clock::default(),
            next_seq: 0,
            waiting: Vec::new(),
            max_piece: MAX_PIECE_BYTES,
            budget: None,
        }
    }

    /// The same, no faster than `pace` and with at most `max_piece` raw bytes in a frame.
    #[must_use]
    pub fn paced(nonce: String, pace: Pace, max_piece: usize) -> Self {
        Self { max_piece: max_piece.clamp(1, MAX_PIECE_BYTES), budget: Some(Budget::new(pace)), ..Self::new(nonce) }
    }

    /// Adds a piece of the log, in as many frames as it takes.
    pub fn push_output(&mut self, piece: Piece) {
        let Piece { mut offset, stream, bytes } = piece;
        for part in bytes.chunks(self.max_piece) {
            self.push(Body::Output { offset, stream, bytes: part.to_vec() });
            offset += part.len() as u64;
        }
    }

    /// Adds a frame to what waits to be written. A detail that is too long is cut.
    pub fn push(&mut self, mut body: Body) {
        if let Body::End(Ending { detail: Some(detail), .. }) = &mut body {
            let end = (0..=MAX_DETAIL_BYTES.min(detail.len())).rev().find(|at| detail.is_char_boundary(*at));
            detail.truncate(end.unwrap_or(0));
        }
        let frame = Frame { seq: self.next_seq, at: self.clock.now_ms(), body };
        // Pieces and phases are short by construction, so nothing is refused; a refused frame would leave no gap.
        if encode(&frame, &self.nonce, &mut self.waiting).is_ok() {
            self.next_seq += 1;
        }
    }

    /// Writes what can and may be written; `true` when nothing waits any more. A full disk is no error.
    pub fn flush(&mut self) -> io::Result<bool> {
        let mut done = 0;
        let result = loop {
            let Some(rest) = self.waiting.get(done..).filter(|rest| !rest.is_empty()) else { break Ok(true) };
            let allowed = self.budget.as_mut().map_or(usize::MAX, |budget| budget.fill(Instant::now()));
            let Some(now) = rest.get(..allowed.min(rest.len())).filter(|now| !now.is_empty()) else { break Ok(false) };
            match rustix::io::write(self.out, now) {
                Ok(written) => {
                    done += written;
                    if let Some(budget) = &mut self.budget {
                        budget.spend(written);
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOSPC | Errno::DQUOT | Errno::AGAIN) => break Ok(false),
                Err(error) => break Err(error.into()),
            }
        };
        self.waiting.drain(..done);
        result
    }

    /// Writes everything, waiting for room as long as it takes.
    pub fn flush_all(&mut self) -> io::Result<()> {
        while !self.flush()? {
            std::thread::sleep(RETRY);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_allows_the_burst_and_then_the_rate() {
        let mut budget = Budget::new(Pace { bytes_per_second: 1000, burst_bytes: 5000 });
        let start = budget.filled_at;
        assert_eq!(budget.fill(start), 5000);
        budget.spend(5000);
        assert_eq!(budget.fill(start), 0);
        assert_eq!(budget.fill(start + Duration::from_millis(100)), 100);
        budget.spend(100);
        // A thousand looks a millisecond apart give no more and no less than one after a second.
        let (mut spent, begin) = (0, start + Duration::from_millis(100));
        for ms in 1..=1000 {
            let allowed = budget.fill(begin + Duration::from_micros(ms * 1000 + 300));
            budget.spend(allowed);
            spent += allowed;
        }
        assert!((990..=1000).contains(&spent), "{spent}");
        assert_eq!(budget.fill(begin + Duration::from_secs(3600)), 5000);
    }
}
