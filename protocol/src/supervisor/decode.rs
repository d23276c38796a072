//! Reading frames of the supervisor from a stream that arrives in pieces of any size.

use super::{Body, Ending, Frame, encode::stream_word};
use crate::{control::LogStream, supervisor::MAX_OUTPUT_BYTES};

/// Longest line in bytes, its end not counted: a full output frame in which every byte is escaped, and its fields.
pub const MAX_LINE_BYTES: usize = 2 * MAX_OUTPUT_BYTES + 512;
/// How much of a line of noise is kept, in bytes.
pub const MAX_NOISE_BYTES: usize = 1024;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A frame with the right nonce.
    Frame(Frame),
    /// Any other line, without its end, cut to [`MAX_NOISE_BYTES`]: output of something that is not the
    /// supervisor, the rest of a line whose beginning was not read, or a damaged frame.
    Noise(Vec<u8>),
}

/// Puts pieces together and takes lines apart. Holds at most one unfinished line of [`MAX_LINE_BYTES`].
#[derive(Clone, Debug)]
pub struct Decoder {
    nonce: Box<[u8]>,
    /// The unfinished line.
    line: Vec<u8>,
    /// The unfinished line is too long; what is kept of it is noise, the rest is skipped.
    skipping: bool,
}

impl Decoder {
    /// A decoder for the run with this nonce.
    #[must_use]
    pub fn new(nonce: &str) -> Self {
        Self { nonce: nonce.as_bytes().into(), line: Vec::new(), skipping: false }
    }

    /// Takes the next piece of the stream and gives each line that it completes to `each`, in order.
    pub fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(Item)) {
        while let Some(at) = memchr::memchr(b'\n', piece) {
            let (head, rest) = (&piece[..at], &piece[at + 1..]);
            piece = rest;
            let item = if self.line.is_empty() && !self.skipping && head.len() <= MAX_LINE_BYTES {
                // The usual case: the whole line lies in this piece.
                self.read_line(head)
            } else {
                self.keep(head);
                let line = std::mem::take(&mut self.line);
                let item = if self.skipping { noise(&line) } else { self.read_line(&line) };
                self.skipping = false;
                self.line = line;
                self.line.clear();
                item
            };
            each(item);
        }
        self.keep(piece);
    }

    /// Bytes of the last line that has no end yet, at most [`MAX_LINE_BYTES`]. When the stream is over they
    /// are noise: a frame that was cut off is not a frame.
    #[must_use]
    pub fn unfinished(&self) -> &[u8] {
        &self.line
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.line.len() + bytes.len() <= MAX_LINE_BYTES {
            self.line.extend_from_slice(bytes);
        } else {
            let room = MAX_NOISE_BYTES.saturating_sub(self.line.len()).min(bytes.len());
            self.line.extend_from_slice(&bytes[..room]);
            self.line.truncate(MAX_NOISE_BYTES);
            self.skipping = true;
        }
    }

    fn read_line(&self, line: &[u8]) -> Item {
        match self.frame(line) {
            Some(frame) => Item::Frame(frame),
            None => noise(line),
        }
    }

    fn frame(&self, line: &[u8]) -> Option<Frame> {
        let rest = line.strip_prefix(&*self.nonce)?.strip_prefix(b" ")?;
        let (seq, rest) = number(rest)?;
        let (kind, rest) = word(rest)?;
        let (at, rest) = number(rest)?;
        let body = match kind {
            b"phase" => Body::Phase(String::from_utf8(unescape(rest)?).ok()?),
            b"started" if rest.is_empty() => Body::Started,
            b"out" => {
                let (offset, rest) = number(rest)?;
                let (stream, rest) = word(rest)?;
                let stream = [LogStream::Out, LogStream::Err, LogStream::Sys]
                    .into_iter()
                    .find(|known| stream_word(*known).as_bytes() == stream)?;
                let bytes = unescape(rest)?;
                if bytes.len() > MAX_OUTPUT_BYTES {
                    return None;
                }
                Body::Output { offset, stream, bytes }
            }
            b"end" => Body::End(serde_json::from_slice::<Ending>(&unescape(rest)?).ok()?),
            _ => return None,
        };
        Some(Frame { seq, at, body })
    }
}

fn noise(line: &[u8]) -> Item {
    Item::Noise(line[..line.len().min(MAX_NOISE_BYTES)].to_vec())
}

/// The bytes up to the next space, and what follows it.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// A decimal number up to the next space, and what follows it.
fn number<N: std::str::FromStr>(bytes: &[u8]) -> Option<(N, &[u8])> {
    let (digits, rest) = word(bytes)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// `None` when a backslash is followed by something that was never written.
fn unescape(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(match rest.get(at + 1)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b'\\' => b'\\',
            _ => return None,
        });
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    Some(out)
}
