//! Output that is provably lost: rotated away before it could be read. A byte of the log keeps its offset for ever, so the
//! hole is filled to its exact size: with a line that says so, then with blanks.

use coderoom_protocol::control::LogStream;

use crate::{log::write::Output, supervisor::capped_log::size_in_words};

/// Bytes of one piece.
const PIECE_BYTES: u64 = 16 * 1024;
/// Length of a line of blanks, its end included.
const LINE_BYTES: u64 = 1024;

/// A hole that is being filled.
#[derive(Debug)]
pub(super) struct Hole {
    start: u64,
    at: u64,
    end: u64,
    time: i64,
}

impl Hole {
    /// The hole between the log's end and the output that comes next, if there is one.
    pub(super) fn before(output: &Output, log_end: u64) -> Option<Self> {
        (output.offset > log_end).then_some(Self { start: log_end, at: log_end, end: output.offset, time: output.at })
    }

    /// Bytes that are lost.
    pub(super) fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// The next piece of what fills it.
    pub(super) fn next(&mut self) -> Option<Output> {
        let count = (self.end - self.at).min(PIECE_BYTES);
        if count == 0 {
            return None;
        }
        let marker = format!("\n… {} of output were lost …\n", size_in_words(self.bytes()));
        let bytes = (self.at..self.at + count).map(|offset| self.byte(marker.as_bytes(), offset)).collect();
        let piece = Output { offset: self.at, stream: LogStream::Sys, at: self.time, bytes };
        self.at += count;
        Some(piece)
    }

    fn byte(&self, marker: &[u8], offset: u64) -> u8 {
        let within = offset - self.start;
        // A hole that is too small for the whole sentence has dots.
        if marker.len() as u64 > self.bytes() {
            return b'.';
        }
        let blank = if (self.end - offset) % LINE_BYTES == 1 { b'\n' } else { b' ' };
        usize::try_from(within).ok().and_then(|at| marker.get(at)).copied().unwrap_or(blank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(from: u64, to: u64) -> Vec<u8> {
        let output = Output { offset: to, stream: LogStream::Out, at: 3, bytes: Vec::new() };
        let (mut bytes, mut at) = (Vec::new(), from);
        let mut hole = Hole::before(&output, from).unwrap();
        while let Some(piece) = hole.next() {
            assert_eq!((piece.offset, piece.stream), (at, LogStream::Sys));
            assert!(!piece.bytes.is_empty() && piece.bytes.len() as u64 <= PIECE_BYTES);
            at += piece.bytes.len() as u64;
            bytes.extend(piece.bytes);
        }
        assert_eq!(at, to);
        bytes
    }

    #[test]
    fn hole_is_filled_to_its_size_and_says_so() {
        let bytes = filled(100, 100 + 3 * 1024 * 1024);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\n… 3.0 MiB of output were lost …\n "));
        assert!(text.ends_with(" \n") && text.lines().all(|line| line.len() < 1025));
        assert_eq!(filled(7, 9), b"..");
    }

    #[test]
    fn there_is_no_hole_where_output_touches_or_is_known() {
        let output = Output { offset: 5, stream: LogStream::Out, at: 3, bytes: Vec::new() };
        assert!(Hole::before(&output, 5).is_none() && Hole::before(&output, 9).is_none());
    }
}
