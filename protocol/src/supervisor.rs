//! What the supervisor of a run says: a sequence of frames, one a line, on its own standard output.
//!
//! A line is `nonce SP seq SP kind SP at SP fields LF`, all ASCII but texts and payloads, in which backslash, LF
//! and CR are written `\\`, `\n`, `\r`. Kinds and their fields:
//!
//! | kind | fields |
//! |---|---|
//! | `phase` | the words |
//! | `started` | none (the line still ends in a space) |
//! | `out` | `offset SP stream SP payload`; stream is `out`, `err` or `sys` |
//! | `end` | the [`Ending`] as JSON |
//!
//! The nonce is known to the supervisor and the worker only, so a program that prints
//! something like a frame forges nothing: its bytes arrive as payload, and a line without the nonce is noise.

mod decode;
mod encode;

pub use decode::{Decoder, Item, MAX_LINE_BYTES, MAX_NOISE_BYTES};
pub use encode::{EncodeError, MAX_DETAIL_BYTES, MAX_OUTPUT_BYTES, MAX_PHASE_BYTES, encode};

use serde::{Deserialize, Serialize};

use crate::{control::LogStream, run::Reason};

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Counts the run's frames from 0 without gaps.
    pub seq: u64,
    /// When the supervisor made it, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What it says.
    pub body: Body,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A step in words for people: `fetching files`, `started`; at most [`MAX_PHASE_BYTES`].
    Phase(String),
    /// The command runs from now on.
    Started,
    /// Output, at most [`MAX_OUTPUT_BYTES`].
    Output {
        /// Where it begins, in bytes of the whole log.
        offset: u64,
        /// Where it came from.
        stream: LogStream,
        /// The bytes as the program wrote them.
        bytes: Vec<u8>,
    },
    /// The last frame.
    End(Ending),
}

/// How a run ended, as far as the supervisor knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Why.
    pub reason: Reason,
    /// More for people: which file could not be fetched, which interpreter is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Exit code of the command, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Highest memory use of the largest process (or of all, where a cgroup tells) in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// CPU time of all its processes in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Bytes in the log, the marker of the cap included.
    pub log_bytes: u64,
    /// Whether output was left out because of the cap.
    pub truncated: bool,
    /// Bytes of the archive of `output/`; 0 when there was nothing to collect.
    pub output_bytes: u64,
}

#[cfg(test)]
mod tests;
