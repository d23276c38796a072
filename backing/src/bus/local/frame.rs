//! How entries lie in a file: `end` u64, length u32, check u32 (all little endian), then the bytes. The check is
//! the CRC-32 of everything else, so that a torn or damaged frame is recognised.

use bytes::Bytes;

use crate::bus::Entry;

/// Bytes before the entry's own.
pub(super) const HEADER_BYTES: usize = 16;

fn check(end: [u8; 8], length: [u8; 4], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&end);
    hasher.update(&length);
    hasher.update(bytes);
    hasher.finalize()
}

/// The frame of an entry; `None` when it is longer than a frame can say.
pub(super) fn encode(end: u64, bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?.to_le_bytes();
    let end = end.to_le_bytes();
    let mut frame = Vec::with_capacity(HEADER_BYTES + bytes.len());
    frame.extend_from_slice(&end);
    frame.extend_from_slice(&length);
    frame.extend_from_slice(&check(end, length, bytes).to_le_bytes());
    frame.extend_from_slice(bytes);
    Some(frame)
}

/// What stands at the front of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A whole frame.
    Whole(Entry),
    /// The beginning of a frame that is this many bytes long in all.
    Cut(usize),
    /// No frame.
    Damaged,
}

/// Looks at the front of `buffer`. The entry shares its memory.
pub(super) fn decode(buffer: &Bytes) -> Front {
    let Some((header, rest)) = buffer.split_first_chunk::<HEADER_BYTES>() else { return Front::Cut(HEADER_BYTES) };
    let [e0, e1, e2, e3, e4, e5, e6, e7, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let (end, length) = ([e0, e1, e2, e3, e4, e5, e6, e7], [l0, l1, l2, l3]);
    let size = u32::from_le_bytes(length) as usize;
    let Some(bytes) = rest.get(..size) else { return Front::Cut(HEADER_BYTES + size) };
    if check(end, length, bytes) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Front::Damaged;
    }
    Front::Whole(Entry { end: u64::from_le_bytes(end), bytes: buffer.slice(HEADER_BYTES..HEADER_BYTES + size) })
}
