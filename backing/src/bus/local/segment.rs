//! One file of a stream: about 4 MiB of frames, and a sparse index to find a position in it.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::frame::{self, Front, HEADER_BYTES};
use crate::bus::Entry;

/// A segment that has reached this many bytes gets a successor: trimming frees whole files.
pub(super) const SEGMENT_BYTES: u64 = 4 << 20;

/// One remembered position for about this many bytes. A read starts up to this much too early.
const INDEX_STEP_BYTES: u64 = 16 << 10;

/// Bytes read at once when a file is gone through from its start.
const SCAN_BYTES: usize = 256 << 10;

/// A file of frames; all its entries end behind `base`.
#[derive(Debug)]
pub(super) struct Segment {
    /// End of the last entry before this file's first.
    pub(super) base: u64,
    /// End of its last entry; `base` when it has none.
    pub(super) last: u64,
    /// Bytes of whole frames. Bytes behind them are a torn frame or one being written.
    pub(super) length: u64,
    /// (end of the entry before, position in the file), ascending; the start of the file is implied.
    index: Vec<(u64, u64)>,
}

impl Segment {
    pub(super) fn new(base: u64) -> Self {
        Self { base, last: base, length: 0, index: Vec::new() }
    }

    /// The file's name in the folder of its stream: `base` in 20 digits, so that names sort as numbers.
    pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
        folder.join(format!("{base:020}.part"))
    }

    /// The `base` that a file's name says.
    pub(super) fn base_of(name: &str) -> Option<u64> {
        name.strip_suffix(".part").filter(|digits| digits.len() == 20)?.parse().ok()
    }

    /// Notes a frame of `size` bytes at the end of the file.
    pub(super) fn grow(&mut self, end: u64, size: u64) {
        let indexed = self.index.last().map_or(0, |(_, position)| *position);
        if self.length >= indexed + INDEX_STEP_BYTES {
            self.index.push((self.last, self.length));
        }
        self.last = end;
        self.length += size;
    }

    /// The part of the file that has all entries that end after `after`.
    pub(super) fn span(&self, after: u64) -> Span {
        let later = self.index.partition_point(|(before, _)| *before <= after);
        let start = later.checked_sub(1).and_then(|place| self.index.get(place));
        Span { base: self.base, start: start.map_or(0, |(_, position)| *position), limit: self.length }
    }

    /// Goes through a file that an earlier process wrote, up to the first frame that is torn or damaged.
    pub(super) fn scan(base: u64, file: &File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut segment = Self::new(base);
        let mut window = Window { file, limit: size, position: 0, buffer: Bytes::new() };
        while let Some((entry, size)) = window.next(SCAN_BYTES)? {
            if entry.end <= segment.last {
                break;
            }
            segment.grow(entry.end, size);
        }
        Ok(segment)
    }
}

/// A part of a segment's file, to be read without holding anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Says which segment.
    pub(super) base: u64,
    start: u64,
    limit: u64,
}

impl Span {
    /// Adds entries that end after `after` to `found` until `max_bytes` are gathered; says whether that is so.
    pub(super) fn read(self, file: &File, after: u64, max_bytes: usize, found: &mut Found) -> io::Result<bool> {
        let mut window = Window { file, limit: self.limit, position: self.start, buffer: Bytes::new() };
        let piece = max_bytes.saturating_sub(found.bytes).min(SCAN_BYTES);
        while let Some((entry, _)) = window.next(piece + usize::try_from(INDEX_STEP_BYTES).unwrap_or(0))? {
            if entry.end <= after {
                continue;
            }
            if !found.entries.is_empty() && found.bytes + entry.bytes.len() > max_bytes {
                return Ok(true);
            }
            found.bytes += entry.bytes.len();
            found.entries.push(entry);
        }
        Ok(found.bytes >= max_bytes)
    }
}

/// What a read has gathered.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In order.
    pub(super) entries: Vec<Entry>,
    /// Bytes in them.
    bytes: usize,
}

/// A walk over the frames of a file.
struct Window<'a> {
    file: &'a File,
    /// Nothing is read from here on.
    limit: u64,
    /// Where `buffer` starts in the file.
    position: u64,
    buffer: Bytes,
}

impl Window<'_> {
    /// The next entry and the size of its frame; `None` at the end, or before a torn or damaged frame.
    fn next(&mut self, piece_bytes: usize) -> io::Result<Option<(Entry, u64)>> {
        loop {
            match frame::decode(&self.buffer) {
                Front::Whole(entry) => {
                    let size = HEADER_BYTES + entry.bytes.len();
                    self.buffer = self.buffer.slice(size..);
                    self.position += size as u64;
                    return Ok(Some((entry, size as u64)));
                }
                Front::Damaged => return Ok(None),
                Front::Cut(size) => {
                    let left = self.limit.saturating_sub(self.position);
                    if size as u64 > left {
                        return Ok(None);
                    }
                    let wanted = size.max(piece_bytes).min(usize::try_from(left).unwrap_or(usize::MAX));
                    let mut buffer = vec![0; wanted];
                    self.file.read_exact_at(&mut buffer, self.position)?;
                    self.buffer = buffer.into();
                }
            }
        }
    }
}
