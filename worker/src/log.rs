//! The log of a run: one sequence of bytes addressed by offset, the same for whoever reads it and whenever.
//!
//! The engine writes it : records gather into entries of the bus stream (the live part), and entries into
//! compressed segments in object storage (the archived part). `read` puts both together again.

pub(crate) mod archive;
pub(crate) mod cache;
pub(crate) mod chunk;
mod read;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use coderoom_protocol::control::LogStream;

pub use read::{LogEvent, LogReader, LogStatus};

/// Largest piece a reader hands out, in bytes.
pub const MAX_PIECE_BYTES: usize = 64 << 10;

/// Some bytes of a log that came from one stream at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// Where it begins, in bytes of the whole log. The next piece begins at `offset + bytes.len()`.
    pub offset: u64,
    /// Where it came from.
    pub stream: LogStream,
    /// Milliseconds since the Unix epoch when the program wrote its first byte.
    pub at: i64,
    /// The bytes as written; never empty.
    pub bytes: Bytes,
}

impl LogPiece {
    /// Offset of the byte behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}
