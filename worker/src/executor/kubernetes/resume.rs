//! From lines of a container's log to frames, each once and in order, however often the log is read again. Pure.
//!
//! A line is `timestamp SP frame`. The API can only resume at a whole second, so lines come again; frames have numbers, so
//! what was seen is dropped, and what is missing is noticed. Whether it is lost or only skipped by this stream is for whoever
//! reads to find out: [`Resume::take`] says that there is a hole and stays where it is, unless it is told that what it
//! is given is all there is.

use coderoom_protocol::supervisor::{Decoder, Frame, Item, MAX_LINE_BYTES};

/// Longest timestamp and the space behind it, in bytes.
const MAX_STAMP_BYTES: usize = 64;
/// How much of the newest line that is no frame is kept, in bytes.
const MAX_WORDS_BYTES: usize = 500;

/// Cuts a stream into lines. Holds at most one unfinished line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// The line is longer than any frame; its end is skipped.
    skipping: bool,
}

impl Lines {
    /// Takes the next piece and gives each complete line to `each`, in order, until `each` says no.
    pub(super) fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> bool {
        while let Some(at) = memchr::memchr(b'\n', piece) {
            let (head, rest) = (&piece[..at], piece.get(at + 1..).unwrap_or_default());
            piece = rest;
            let go_on = if self.line.is_empty() && !self.skipping {
                each(head)
            } else {
                self.keep(head);
                let line = std::mem::take(&mut self.line);
                self.skipping = false;
                each(&line)
            };
            if !go_on {
                return false;
            }
        }
        self.keep(piece);
        true
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (MAX_STAMP_BYTES + MAX_LINE_BYTES + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.skipping |= bytes.len() > room;
    }
}

/// What a line was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The next frame, or the first after what is lost.
    Frame(Frame),
    /// Seen before, or no frame at all.
    Nothing,
    /// Frames are missing before this one. Nothing was taken.
    Hole,
}

/// Where following stands.
#[derive(Debug)]
pub(super) struct Resume {
    decoder: Decoder,
    next_seq: u64,
    /// The second in which the newest line was written, as RFC 3339 without a fraction.
    since: Option<String>,
    last_words: Option<String>,
    /// Frames that are provably lost.
    lost: u64,
}

impl Resume {
    pub(super) fn new(nonce: &str) -> Self {
        Self { decoder: Decoder::new(nonce), next_seq: 0, since: None, last_words: None, lost: 0 }
    }

    /// Number of the frame that comes next.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// From when on lines have to be asked for again.
    pub(super) fn since(&self) -> Option<&str> {
        self.since.as_deref()
    }

    /// The newest line that was no frame: what the supervisor said when it could not go on.
    pub(super) fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }

    /// How many frames are lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a line. `complete` says that the log is being read as a whole: what is missing in it is nowhere.
    pub(super) fn take(&mut self, line: &[u8], complete: bool) -> Taken {
        let Some((stamp, content)) = split_stamp(line) else {
            self.keep_words(line);
            return Taken::Nothing;
        };
        let mut item = None;
        self.decoder.feed(content, |found| item = Some(found));
        self.decoder.feed(b"\n", |found| item = Some(found));
        let frame = match item {
            Some(Item::Frame(frame)) => frame,
            _ => {
                self.keep_words(content);
                return Taken::Nothing;
            }
        };
        if frame.seq < self.next_seq {
            return Taken::Nothing;
        }
        if frame.seq > self.next_seq {
            if !complete {
                return Taken::Hole;
            }
            self.lost += frame.seq - self.next_seq;
        }
        self.next_seq = frame.seq + 1;
        if self.since.as_deref() != Some(stamp) {
            self.since = Some(stamp.to_owned());
        }
        Taken::Frame(frame)
    }

    fn keep_words(&mut self, line: &[u8]) {
        let words = String::from_utf8_lossy(line.get(..line.len().min(MAX_WORDS_BYTES)).unwrap_or_default());
        let words = words.trim();
        // What a kubelet says instead of the log of an evicted pod is nobody's last words.
        if !words.is_empty() && !words.starts_with("unable to retrieve container logs") {
            self.last_words = Some(words.to_owned());
        }
    }
}

/// The whole seconds of the timestamp, and what follows it. `2026-11-22T06:29:29.123456789Z content`.
fn split_stamp(line: &[u8]) -> Option<(&str, &[u8])> {
    let space = memchr::memchr(b' ', line.get(..line.len().min(MAX_STAMP_BYTES)).unwrap_or_default())?;
    let (stamp, content) = (line.get(..space)?, line.get(space + 1..)?);
    let seconds = std::str::from_utf8(stamp.get(..19)?).ok()?;
    let plausible = seconds.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    plausible.then_some((seconds, content))
}

#[cfg(test)]
mod tests;
