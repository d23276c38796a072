//! The cap of the log: the first part of the output goes through, the last part is kept in a ring until the end,
//! and a marker says how much is missing between them. Knows nothing of frames, pipes or time.

use std::collections::VecDeque;

use coderoom_protocol::control::LogStream;

/// Most bytes in one piece.
pub const MAX_PIECE_BYTES: usize = 16 * 1024;
/// How much of the end is kept when there is more than the cap allows, in bytes; at most a quarter of the cap.
pub const TAIL_BYTES: u64 = 64 * 1024;
/// Room for the marker within the tail's share.
const MARKER_BYTES: u64 = 96;

/// A piece of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins, in bytes of the whole log.
    pub offset: u64,
    /// Where it came from.
    pub stream: LogStream,
    /// At most [`MAX_PIECE_BYTES`].
    pub bytes: Vec<u8>,
}

/// Counts, cuts and keeps.
#[derive(Debug)]
pub struct CappedLog {
    head_left: u64,
    tail_room: usize,
    tail: VecDeque<(LogStream, Vec<u8>)>,
    tail_bytes: usize,
    left_out: u64,
    offset: u64,
    ends_with_newline: bool,
}

impl CappedLog {
    /// A log of at most `cap` bytes.
    #[must_use]
    pub fn new(cap: u64) -> Self {
        let tail = TAIL_BYTES.min(cap / 4);
        Self {
            head_left: cap - tail,
            tail_room: usize::try_from(tail.saturating_sub(MARKER_BYTES)).unwrap_or(0),
            tail: VecDeque::new(),
            tail_bytes: 0,
            left_out: 0,
            offset: 0,
            ends_with_newline: true,
        }
    }

    /// Takes output; gives what goes into the log now.
    pub fn push(&mut self, stream: LogStream, bytes: &[u8], emit: &mut impl FnMut(Piece)) {
        let head = bytes.len().min(usize::try_from(self.head_left).unwrap_or(usize::MAX));
        let (now, later) = bytes.split_at(head);
        self.head_left -= now.len() as u64;
        self.emit(stream, now, emit);
        if !later.is_empty() {
            self.keep(stream, later);
        }
    }

    /// Gives the marker, if output was left out, and the tail. Whether output was left out.
    pub fn finish(&mut self, emit: &mut impl FnMut(Piece)) -> bool {
        let truncated = self.left_out > 0;
        if truncated {
            self.start_tail_at_a_line();
            let newline = if self.ends_with_newline { "" } else { "\n" };
            let marker = format!("{newline}… {} of output left out …\n", size_in_words(self.left_out));
            self.emit(LogStream::Sys, marker.as_bytes(), emit);
        }
        for (stream, bytes) in std::mem::take(&mut self.tail) {
            self.emit(stream, &bytes, emit);
        }
        self.tail_bytes = 0;
        truncated
    }

    /// Bytes given out so far: where the next piece begins.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.offset
    }

    /// Whether nothing was given out so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offset == 0
    }

    fn emit(&mut self, stream: LogStream, bytes: &[u8], emit: &mut impl FnMut(Piece)) {
        for piece in bytes.chunks(MAX_PIECE_BYTES) {
            emit(Piece { offset: self.offset, stream, bytes: piece.to_vec() });
            self.offset += piece.len() as u64;
            self.ends_with_newline = piece.last() == Some(&b'\n');
        }
    }

    fn keep(&mut self, stream: LogStream, bytes: &[u8]) {
        match self.tail.back_mut() {
            Some((last, kept)) if *last == stream && kept.len() < MAX_PIECE_BYTES => kept.extend_from_slice(bytes),
            _ => self.tail.push_back((stream, bytes.to_vec())),
        }
        self.tail_bytes += bytes.len();
        self.drop_front(self.tail_bytes.saturating_sub(self.tail_room));
    }

    fn drop_front(&mut self, mut count: usize) {
        while let Some((_, first)) = self.tail.front_mut().filter(|_| count > 0) {
            let gone = count.min(first.len());
            if gone == first.len() {
                self.tail.pop_front();
            } else {
                first.drain(..gone);
            }
            count -= gone;
            self.tail_bytes -= gone;
            self.left_out += gone as u64;
        }
    }

    /// Half a line after the marker reads badly.
    fn start_tail_at_a_line(&mut self) {
        let newline = self.tail.front().and_then(|(_, first)| memchr::memchr(b'\n', first));
        if let Some(at) = newline.filter(|at| at * 4 < self.tail_bytes) {
            self.drop_front(at + 1);
        }
    }
}

/// `999 bytes`, `37.2 MiB`.
#[must_use]
pub fn size_in_words(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "bytes");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pieces of a log into which `writes` were pushed, checked for gaps.
    fn log(cap: u64, writes: &[&[u8]]) -> (Vec<Piece>, bool) {
        let mut log = CappedLog::new(cap);
        let mut pieces = Vec::new();
        for bytes in writes {
            log.push(LogStream::Out, bytes, &mut |piece| pieces.push(piece));
        }
        let truncated = log.finish(&mut |piece| pieces.push(piece));
        let mut offset = 0;
        for piece in &pieces {
            assert_eq!(piece.offset, offset, "a gap in the log");
            assert!(piece.bytes.len() <= MAX_PIECE_BYTES);
            offset += piece.bytes.len() as u64;
        }
        assert_eq!(log.len(), offset);
        assert!(offset <= cap.max(MARKER_BYTES + cap), "longer than the cap");
        (pieces, truncated)
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| String::from_utf8_lossy(&piece.bytes)).collect()
    }

    #[test]
    fn output_below_the_cap_is_whole() {
        let (pieces, truncated) = log(1000, &[&[b'a'; 700], &[b'b'; 200]]);
        assert!(!truncated);
        assert_eq!(text(&pieces).len(), 900);
    }

    #[test]
    fn output_above_the_cap_keeps_head_and_tail() {
        let line = [b'x'; 99].iter().chain(b"\n").copied().collect::<Vec<_>>();
        let mut writes: Vec<&[u8]> = vec![b"first\n"];
        writes.extend(std::iter::repeat_n(line.as_slice(), 50_000));
        writes.push(b"last\n");
        let cap = 1 << 20;
        let (pieces, truncated) = log(cap, &writes);
        assert!(truncated);
        let text = text(&pieces);
        assert!(text.starts_with("first\n") && text.ends_with("x\nlast\n"));
        assert!(text.contains("\n… 3.8 MiB of output left out …\nx"), "marker missing");
        assert!(text.len() as u64 <= cap && text.len() as u64 > cap - 2 * TAIL_BYTES);
        assert_eq!(pieces.iter().filter(|piece| piece.stream == LogStream::Sys).count(), 1);
    }

    #[test]
    fn tiny_cap_still_works() {
        for cap in [0, 1, 10, 400] {
            let (pieces, truncated) = log(cap, &[&[b'a'; 5000]]);
            assert!(truncated);
            assert!(text(&pieces).contains("left out"));
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size_in_words(999), "999 bytes");
        assert_eq!(size_in_words(39_000_000), "37.2 MiB");
    }
}
