//! Chunks: how a part of a log is written down, in entries of the bus and in segments alike.
//!
//! A chunk is a version byte (1), the offset of its first byte (u64), then records: stream (0 out, 1 err, 2 sys),
//! time (i64, ms), length (u32), bytes. Numbers are little-endian. Records follow each other without gaps.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use coderoom_protocol::control::LogStream;

use super::{LogPiece, MAX_PIECE_BYTES};
use crate::fault::{Fault, Result};

const VERSION: u8 = 1;
const HEADER: usize = 9;
const RECORD_HEADER: usize = 13;

/// Output of one stream within this many milliseconds may become one record.
const COALESCE_MS: i64 = 10;

/// A part of a log that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Offset behind the last byte.
    pub(crate) end: u64,
    /// In order, without gaps; all share one buffer.
    records: Vec<LogPiece>,
}

impl Chunk {
    /// Reads a chunk. Whatever the bytes are, it neither panics nor allocates more than they justify.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self> {
        let broken = || Fault::Broken("a stored part of a log is damaged".into());
        if bytes.len() < HEADER || bytes.get_u8() != VERSION {
            return Err(broken());
        }
        let start = bytes.get_u64_le();
        let (mut end, mut records) = (start, Vec::new());
        while bytes.has_remaining() {
            if bytes.len() < RECORD_HEADER {
                return Err(broken());
            }
            let stream = match bytes.get_u8() {
                0 => LogStream::Out,
                1 => LogStream::Err,
                2 => LogStream::Sys,
                _ => return Err(broken()),
            };
            let at = bytes.get_i64_le();
            let length = bytes.get_u32_le() as usize;
            if length == 0 || length > bytes.len() {
                return Err(broken());
            }
            records.push(LogPiece { offset: end, stream, at, bytes: bytes.split_to(length) });
            end = end.checked_add(length as u64).ok_or_else(broken)?;
        }
        Ok(Self { start, end, records })
    }

    /// The piece that begins at `offset`, at most `max_bytes` long; `None` when `offset` is outside.
    pub(crate) fn piece(&self, offset: u64, max_bytes: usize) -> Option<LogPiece> {
        let index = self.records.partition_point(|record| record.end() <= offset);
        let record = self.records.get(index).filter(|record| record.offset <= offset)?;
        let skip = usize::try_from(offset - record.offset).ok()?;
        let length = (record.bytes.len() - skip).min(max_bytes.max(1));
        let bytes = record.bytes.slice(skip..skip + length);
        Some(LogPiece { offset, stream: record.stream, at: record.at, bytes })
    }

    /// Memory it holds, roughly, in bytes.
    pub(crate) fn weight(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX).saturating_add(self.records.len() * 96)
    }
}

/// A part of a log that is being gathered.
#[derive(Debug)]
pub(crate) struct ChunkBuilder {
    start: u64,
    end: u64,
    data: BytesMut,
    /// The open record: where its length stands in `data`, its stream, its time.
    open: Option<(usize, LogStream, i64)>,
}

impl ChunkBuilder {
    /// An empty chunk at `start`.
    pub(crate) fn new(start: u64) -> Self {
        let mut data = BytesMut::with_capacity(4 << 10);
        data.put_u8(VERSION);
        data.put_u64_le(start);
        Self { start, end: start, data, open: None }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of the log gathered so far.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Adds output behind what is there.
    pub(crate) fn push(&mut self, stream: LogStream, at: i64, bytes: &[u8]) {
        for part in bytes.chunks(MAX_PIECE_BYTES) {
            self.push_part(stream, at, part);
        }
    }

    fn push_part(&mut self, stream: LogStream, at: i64, part: &[u8]) {
        let length_at = match self.open {
            Some((length_at, last_stream, last_at))
                if last_stream == stream
                    && (last_at..=last_at.saturating_add(COALESCE_MS)).contains(&at)
                    && self.data.len() - length_at - 4 + part.len() <= MAX_PIECE_BYTES =>
            {
                length_at
            }
            _ => {
                self.data.put_u8(match stream {
                    LogStream::Out => 0,
                    LogStream::Err => 1,
                    LogStream::Sys => 2,
                });
                self.data.put_i64_le(at);
                let length_at = self.data.len();
                self.data.put_u32_le(0);
                self.open = Some((length_at, stream, at));
                length_at
            }
        };
        self.data.extend_from_slice(part);
        self.end += part.len() as u64;
        // At most MAX_PIECE_BYTES, so it fits.
        let length = u32::try_from(self.data.len() - length_at - 4).unwrap_or(u32::MAX);
        if let Some(field) = self.data.get_mut(length_at..length_at + 4) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }

    /// The chunk as bytes, and a new builder that goes on behind it.
    pub(crate) fn take(&mut self) -> Bytes {
        let next = Self::new(self.end);
        std::mem::replace(self, next).data.freeze()
    }
}

/// One chunk out of several that follow each other.
pub(crate) fn join<'a>(chunks: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut joined = Vec::new();
    for chunk in chunks {
        let from = if joined.is_empty() { 0 } else { HEADER };
        joined.extend_from_slice(chunk.get(from..).unwrap_or_default());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunk: &Chunk, mut offset: u64, max_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = chunk.piece(offset, max_bytes) {
            assert_eq!(piece.offset, offset);
            offset = piece.end();
            bytes.extend_from_slice(&piece.bytes);
        }
        bytes
    }

    #[test]
    fn chunk_reads_the_same_from_every_offset_and_in_every_size() {
        let mut builder = ChunkBuilder::new(100);
        builder.push(LogStream::Out, 5, b"hello ");
        builder.push(LogStream::Out, 6, b"world\n");
        builder.push(LogStream::Err, 6, b"\xff\x00oops\n");
        builder.push(LogStream::Out, 999, b"later\n");
        let whole = b"hello world\n\xff\x00oops\nlater\n";
        assert_eq!((builder.end(), builder.len()), (100 + whole.len() as u64, whole.len()));
        let chunk = Chunk::decode(builder.take()).unwrap();
        assert!(builder.is_empty());
        assert_eq!((chunk.start, chunk.end), (100, builder.end()));
        for skip in 0..whole.len() {
            for max in [1, 3, 100] {
                assert_eq!(text(&chunk, 100 + skip as u64, max), &whole[skip..]);
            }
        }
        assert_eq!(chunk.piece(100, 100).unwrap().bytes, "hello world\n", "output of one moment is one piece");
        assert!(chunk.piece(chunk.end, 9).is_none() && chunk.piece(99, 9).is_none());
    }

    #[test]
    fn joined_chunks_are_one_chunk() {
        let mut builder = ChunkBuilder::new(0);
        builder.push(LogStream::Out, 1, b"one");
        let first = builder.take();
        builder.push(LogStream::Err, 2, b"two");
        let second = builder.take();
        let chunk = Chunk::decode(join([&first, &second]).into()).unwrap();
        assert_eq!((chunk.start, chunk.end, text(&chunk, 0, 99)), (0, 6, b"onetwo".to_vec()));
    }

    #[test]
    fn damaged_chunk_is_refused_without_panic() {
        let mut builder = ChunkBuilder::new(7);
        builder.push(LogStream::Sys, 1, &[b'x'; 200]);
        let good = builder.take();
        for length in 1..good.len() {
            assert!(length == HEADER || Chunk::decode(good.slice(..length)).is_err(), "cut at {length}");
        }
        for position in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[position] ^= 0xff;
            let _ = Chunk::decode(bytes.into());
        }
        assert!(Chunk::decode(Bytes::new()).is_err());
    }

    #[test]
    fn record_never_exceeds_a_piece() {
        let mut builder = ChunkBuilder::new(0);
        for _ in 0..9 {
            builder.push(LogStream::Out, 1, &[b'x'; 30_000]);
        }
        let chunk = Chunk::decode(builder.take()).unwrap();
        assert!(chunk.records.iter().all(|record| record.bytes.len() <= MAX_PIECE_BYTES));
        assert_eq!(chunk.end, 270_000);
    }
}
