//! The supervisor's own standard output: frames go out in order and are never dropped. When the disk under it is full
//! (or a pipe is), they wait here, and the caller stops reading the program's output until there is room.

use std::{io, os::fd::BorrowedFd, time::Duration};

use coderoom_backing::clock::Clock;
use coderoom_protocol::supervisor::{Body, Ending, Frame, MAX_DETAIL_BYTES, encode};
use rustix::io::Errno;

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
}

impl Spool {
    /// Frames for standard output, marked with `nonce`.
    #[must_use]
    pub fn new(nonce: String) -> Self {
        Self { out: rustix::stdio::stdout(), nonce, clock: Clock::default(), next_seq: 0, waiting: Vec::new() }
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

    /// Writes what can be written; `true` when nothing waits any more. A full disk is no error.
    pub fn flush(&mut self) -> io::Result<bool> {
        let mut done = 0;
        let result = loop {
            let Some(rest) = self.waiting.get(done..).filter(|rest| !rest.is_empty()) else { break Ok(true) };
            match rustix::io::write(self.out, rest) {
                Ok(written) => done += written,
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
