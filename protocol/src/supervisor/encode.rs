//! Writing frames of the supervisor.

use std::io::Write;

use thiserror::Error;

use super::{Body, Frame};
use crate::control::LogStream;

/// Most raw bytes in one output frame: what a container runtime keeps in one piece of a log line.
pub const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// Longest phase in bytes.
pub const MAX_PHASE_BYTES: usize = 1024;
/// Longest detail of an ending in bytes.
pub const MAX_DETAIL_BYTES: usize = 4096;

/// Why a frame could not be written. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// More output than one frame may hold; cut it and number the pieces.
    #[error("more than {MAX_OUTPUT_BYTES} bytes of output in one frame")]
    OutputTooLong,
    /// A phase or a detail that is too long.
    #[error("a text of more than {MAX_DETAIL_BYTES} bytes in a frame")]
    TextTooLong,
}

/// Appends `frame` as one line. `nonce` has letters and digits only.
pub fn encode(frame: &Frame, nonce: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match &frame.body {
        Body::Output { bytes, .. } if bytes.len() > MAX_OUTPUT_BYTES => return Err(EncodeError::OutputTooLong),
        Body::Phase(words) if words.len() > MAX_PHASE_BYTES => return Err(EncodeError::TextTooLong),
        Body::End(ending) if ending.detail.as_ref().is_some_and(|text| text.len() > MAX_DETAIL_BYTES) => {
            return Err(EncodeError::TextTooLong);
        }
        _ => {}
    }
    let kind = match &frame.body {
        Body::Phase(_) => "phase",
        Body::Started => "started",
        Body::Output { .. } => "out",
        Body::End(_) => "end",
    };
    write_fields(out, format_args!("{nonce} {} {kind} {} ", frame.seq, frame.at));
    match &frame.body {
        Body::Phase(words) => escape(words.as_bytes(), out),
        Body::Started => {}
        Body::Output { offset, stream, bytes } => {
            write_fields(out, format_args!("{offset} {} ", stream_word(*stream)));
            escape(bytes, out);
        }
        Body::End(ending) => {
            // JSON has no raw line ends, yet a backslash for each escape of its own.
            let json = serde_json::to_vec(ending).unwrap_or_default();
            escape(&json, out);
        }
    }
    out.push(b'\n');
    Ok(())
}

pub(super) fn stream_word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Out => "out",
        LogStream::Err => "err",
        LogStream::Sys => "sys",
    }
}

fn write_fields(out: &mut Vec<u8>, fields: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(fields);
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 16);
    let mut from = 0;
    for at in memchr::memchr3_iter(b'\\', b'\n', b'\r', bytes) {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(match bytes[at] {
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\\\",
        });
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}
