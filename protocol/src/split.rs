//! Cutting one large update into several that are each valid, so that a first sync comes as several
//! frames: clients hang up after 30 s without a frame, however large the one in flight is.
//!
//! For updates that the server encoded itself. Applied in order, the parts give exactly what the whole
//! gives, and no part waits for a later one. Long texts are cut inside, as an encoder does when the
//! receiver has the first half.

mod order;

use bytes::Bytes;

use crate::{
    gate::grammar::{BlockId, Content, HAS_ORIGIN, HAS_RIGHT_ORIGIN, MAX_CLIENT, read_block, utf16_len},
    gate::{DeleteRange, DeleteRanges, MAX_CLOCK, Refusal},
    lib0::{Reader, write_string, write_var_uint},
};

/// Smallest useful part in bytes: the fields around a text must fit.
const MIN_PART_BYTES: usize = 128;
/// First byte of a block with text.
const TEXT: u8 = 4;

/// Cuts `update` into parts of about `max_bytes` (never much more, but for the delete set, which is kept
/// whole in the last part; at least 128). An update that is small enough, or that is not of a plain-text
/// document, comes back as it is.
#[must_use]
pub fn split_update(update: &Bytes, max_bytes: usize) -> Vec<Bytes> {
    let max_bytes = max_bytes.max(MIN_PART_BYTES);
    if update.len() <= max_bytes {
        return vec![update.clone()];
    }
    let parts = read_sections(update).ok().and_then(|(sections, delete_set)| {
        let order = order::causal_order(&sections)?;
        Some(write_parts(&sections, &order, delete_set, max_bytes))
    });
    parts.unwrap_or_else(|| vec![update.clone()])
}

/// Cuts an update that passed the gate into steps of about `max_bytes` and at most `max_ranges` deletions, so that applying
/// it can end early. `None` when its blocks wait for each other.
#[must_use]
pub fn steps(update: &[u8], max_bytes: usize, max_ranges: usize) -> Option<Vec<Bytes>> {
    let (sections, delete_set) = read_sections(update).ok()?;
    let order = order::causal_order(&sections)?;
    let mut steps = write_parts(&sections, &order, &[0], max_bytes.max(MIN_PART_BYTES));
    let ranges: Vec<DeleteRange> = DeleteRanges::new(delete_set).collect();
    steps.extend(ranges.chunks(max_ranges.max(1)).map(write_deletes));
    Some(steps)
}

/// An update that only deletes.
fn write_deletes(ranges: &[DeleteRange]) -> Bytes {
    let clients: Vec<&[DeleteRange]> = ranges.chunk_by(|one, next| one.client == next.client).collect();
    let mut out = vec![0];
    write_var_uint(&mut out, clients.len() as u64);
    for ranges in clients {
        write_var_uint(&mut out, ranges[0].client);
        write_var_uint(&mut out, ranges.len() as u64);
        for range in ranges {
            write_var_uint(&mut out, u64::from(range.start));
            write_var_uint(&mut out, u64::from(range.end - range.start));
        }
    }
    out.into()
}

/// One client's blocks.
struct Section<'a> {
    client: u64,
    start: u32,
    end: u32,
    blocks: Vec<Piece<'a>>,
}

/// One block, or a part of one.
struct Piece<'a> {
    clock: u32,
    len: u32,
    origin: Option<BlockId>,
    right_origin: Option<BlockId>,
    /// The text, if it is one.
    text: Option<&'a str>,
    /// The block as it stands in the update.
    bytes: &'a [u8],
}

fn read_sections(update: &[u8]) -> Result<(Vec<Section<'_>>, &[u8]), Refusal> {
    let mut reader = Reader::new(update);
    let mut sections = Vec::new();
    for _ in 0..reader.count(5)? {
        let count = reader.count(2)?;
        let client = reader.var_uint(MAX_CLIENT)?;
        let start = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
        let mut section = Section { client, start, end: start, blocks: Vec::new() };
        for _ in 0..count {
            let before = reader.rest();
            let block = read_block(&mut reader)?;
            let text = if let Content::Text(text) = block.content { Some(text) } else { None };
            section.blocks.push(Piece {
                clock: section.end,
                len: block.len,
                origin: block.origin,
                right_origin: block.right_origin,
                text,
                bytes: &before[..before.len() - reader.remaining()],
            });
            section.end = section.end.saturating_add(block.len);
        }
        sections.push(section);
    }
    // Largest client first, as encoders write them.
    sections.sort_by_key(|section| std::cmp::Reverse(section.client));
    Ok((sections, reader.rest()))
}

fn write_parts(sections: &[Section<'_>], order: &[(usize, usize)], delete_set: &[u8], max_bytes: usize) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut part = Part::new(sections.len());
    for &(section, block) in order {
        let piece = &sections[section].blocks[block];
        if part.size > 0 && part.size + piece.bytes.len() > max_bytes {
            part.flush(sections, &[0], &mut parts);
        }
        match piece.text {
            Some(text) if piece.bytes.len() > max_bytes => {
                for cut in cut_text(sections[section].client, piece, text, max_bytes - MIN_PART_BYTES / 2) {
                    if part.size > 0 {
                        part.flush(sections, &[0], &mut parts);
                    }
                    part.push(section, cut.clock, &cut.bytes);
                }
            }
            _ => part.push(section, piece.clock, piece.bytes),
        }
    }
    if part.size > 0 && part.size + delete_set.len() > max_bytes {
        part.flush(sections, &[0], &mut parts);
    }
    part.flush(sections, delete_set, &mut parts);
    parts
}

/// A block made of a piece of a longer one.
struct Cut {
    clock: u32,
    bytes: Vec<u8>,
}

/// Cuts a block with a long text: each later piece stands to the right of the last unit of the one before.
fn cut_text<'a>(client: u64, piece: &'a Piece<'a>, text: &'a str, max_bytes: usize) -> impl Iterator<Item = Cut> + 'a {
    let mut rest = text;
    let mut clock = piece.clock;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (now, later) = rest.split_at(rest.floor_char_boundary(max_bytes));
        rest = later;
        let mut bytes = Vec::with_capacity(now.len() + 40);
        if clock == piece.clock {
            // Everything before the text is as it was.
            let head = piece.bytes.len() - text.len() - crate::lib0::var_uint_len(text.len() as u64);
            bytes.extend_from_slice(&piece.bytes[..head]);
        } else {
            let right = if piece.right_origin.is_some() { HAS_RIGHT_ORIGIN } else { 0 };
            bytes.push(TEXT | HAS_ORIGIN | right);
            let left = BlockId { client, clock: clock - 1 };
            for id in [Some(left), piece.right_origin].into_iter().flatten() {
                write_var_uint(&mut bytes, id.client);
                write_var_uint(&mut bytes, u64::from(id.clock));
            }
        }
        write_string(&mut bytes, now);
        let cut = Cut { clock, bytes };
        clock += utf16_len(now) as u32;
        Some(cut)
    })
}

/// The part being filled: for each section the blocks that are in it, which follow each other in clock order.
struct Part {
    sections: Vec<Filled>,
    /// Sections that have something in this part.
    used: Vec<usize>,
    /// Bytes, about.
    size: usize,
}

#[derive(Clone, Default)]
struct Filled {
    start: u32,
    count: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn new(sections: usize) -> Self {
        Self { sections: vec![Filled::default(); sections], used: Vec::new(), size: 0 }
    }

    fn push(&mut self, section: usize, clock: u32, block: &[u8]) {
        let filled = &mut self.sections[section];
        if filled.count == 0 {
            filled.start = clock;
            self.used.push(section);
            // Count, client id and clock.
            self.size += 16;
        }
        filled.count += 1;
        filled.bytes.extend_from_slice(block);
        self.size += block.len();
    }

    fn flush(&mut self, sections: &[Section<'_>], delete_set: &[u8], parts: &mut Vec<Bytes>) {
        let mut out = Vec::with_capacity(self.size + delete_set.len() + 16);
        // Sections are ordered by client, largest first.
        self.used.sort_unstable();
        write_var_uint(&mut out, self.used.len() as u64);
        for index in self.used.drain(..) {
            let filled = std::mem::take(&mut self.sections[index]);
            write_var_uint(&mut out, filled.count);
            write_var_uint(&mut out, sections[index].client);
            write_var_uint(&mut out, u64::from(filled.start));
            out.extend_from_slice(&filled.bytes);
        }
        out.extend_from_slice(delete_set);
        self.size = 0;
        parts.push(out.into());
    }
}

#[cfg(test)]
mod tests;
