//! One block of an update: the part of the v1 grammar that plain-text documents use. Shared by the gate
//! and by [`crate::split`].

use super::{MAX_CLOCK, ROOT, Refusal};
use crate::lib0::{MAX_SAFE_INTEGER, Reader};

/// Largest client id: JavaScript must be able to hold it.
pub(crate) const MAX_CLIENT: u64 = MAX_SAFE_INTEGER;

/// Bit of the first byte: the block says what stood to its left.
pub(crate) const HAS_ORIGIN: u8 = 0x80;
/// Bit of the first byte: the block says what stood to its right.
pub(crate) const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_MAP_KEY: u8 = 0x20;
const CONTENT: u8 = 0x1f;

const CONTENT_COLLECTED: u8 = 0;
const CONTENT_DELETED: u8 = 1;
const CONTENT_TEXT: u8 = 4;

/// The name of one unit that somebody wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockId {
    pub(crate) client: u64,
    pub(crate) clock: u32,
}

/// A block without its own name, which follows from its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    /// Clocks it takes; at least 1, at most [`MAX_CLOCK`].
    pub(crate) len: u32,
    pub(crate) origin: Option<BlockId>,
    pub(crate) right_origin: Option<BlockId>,
    pub(crate) content: Content<'a>,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Nothing any more, not even its place.
    Collected,
    /// Text that was deleted; its place is kept.
    Deleted,
    /// Text.
    Text(&'a str),
}

/// Reads the next block.
#[inline]
pub(crate) fn read_block<'a>(reader: &mut Reader<'a>) -> Result<Block<'a>, Refusal> {
    let info = reader.byte()?;
    if info == CONTENT_COLLECTED {
        let len = read_len(reader)?;
        return Ok(Block { len, origin: None, right_origin: None, content: Content::Collected });
    }
    if info & HAS_MAP_KEY != 0 {
        return Err(Refusal::Malformed("has an entry of a map"));
    }
    let origin = if info & HAS_ORIGIN != 0 { Some(read_id(reader)?) } else { None };
    let right_origin = if info & HAS_RIGHT_ORIGIN != 0 { Some(read_id(reader)?) } else { None };
    if origin.is_none() && right_origin.is_none() {
        if reader.var_uint(1)? != 1 || reader.var_string()? != ROOT {
            return Err(Refusal::Malformed("writes outside the text \"source\""));
        }
    } else if origin == right_origin {
        return Err(Refusal::Malformed("has a block between a unit and itself"));
    }
    match info & CONTENT {
        CONTENT_TEXT => {
            let text = reader.var_string()?;
            let len = utf16_len(text);
            if len == 0 || len > MAX_CLOCK as usize {
                return Err(Refusal::Malformed("has a block without text or with far too much"));
            }
            Ok(Block { len: len as u32, origin, right_origin, content: Content::Text(text) })
        }
        CONTENT_DELETED => Ok(Block { len: read_len(reader)?, origin, right_origin, content: Content::Deleted }),
        _ => Err(Refusal::Malformed("has something other than text")),
    }
}

/// Length of `text` in UTF-16 units, which is what clocks count.
pub(crate) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    // One unit per character, one more for those beyond the basic plane, whose first byte is 0xF0 or higher.
    text.bytes().filter(|&byte| byte & 0xc0 != 0x80).count() + text.bytes().filter(|&byte| byte >= 0xf0).count()
}

fn read_len(reader: &mut Reader<'_>) -> Result<u32, Refusal> {
    match reader.var_uint(u64::from(MAX_CLOCK))? {
        0 => Err(Refusal::Malformed("has an empty block")),
        len => Ok(len as u32),
    }
}

#[inline]
fn read_id(reader: &mut Reader<'_>) -> Result<BlockId, Refusal> {
    let client = reader.var_uint(MAX_CLIENT)?;
    let clock = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
    Ok(BlockId { client, clock })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_length_is_that_of_the_encoder() {
        for text in ["", "abc", "é", "文件", "a😀b", "👩‍👩‍👧", "\u{10ffff}\u{ffff}"] {
            assert_eq!(utf16_len(text), text.encode_utf16().count(), "{text}");
        }
    }
}
