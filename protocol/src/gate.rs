//! The gate: decides whether the bytes of an update may come near a document.
//!
//! It accepts exactly the updates (Yjs v1 encoding) that a plain-text document makes: text, deleted and
//! collected pieces in the one shared type [`ROOT`], no gaps in anybody's clocks, nothing that refers to
//! what the document does not have. It does not recurse, and it allocates in proportion to the bytes that
//! came, never to a size they declare. Whatever passes can be applied later: that is what lets storing
//! come before applying.
//!
//! It works on a state vector of what was *accepted*, which may run ahead of the document.
//! What it cannot see: two accepted pieces whose left and right neighbours stand in the wrong order in
//! the text (only a hostile client makes them); comparing after compaction finds that.

mod deletes;
pub(crate) mod grammar;
mod growth;
mod order;
mod state_vector;

use smallvec::SmallVec;
use thiserror::Error;

pub use deletes::{DeleteRange, DeleteRanges};
pub use state_vector::StateVector;

use self::{
    grammar::{BlockId, Content, MAX_CLIENT, read_block},
    order::Wait,
};
use crate::lib0::{ReadError, Reader};

/// The name of the one shared type in every document.
pub const ROOT: &str = "source";
/// Clocks end here (UTF-16 units one client ever wrote into one document): far from where 32 bits wrap.
pub const MAX_CLOCK: u32 = 1 << 30;
/// Most blocks in one update. Applying one costs about a microsecond, so this is a quarter of a second.
pub const MAX_BLOCKS: u32 = 1 << 18;
/// Most ranges in the delete set of one update, for the same reason.
pub const MAX_DELETE_RANGES: u32 = 1 << 18;

/// What an accepted update does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Text it carries, in UTF-16 units. Part of it may be known already (a repeated update).
    pub inserted_utf16: u64,
    /// The same text in bytes of UTF-8: what quotas count.
    pub inserted_bytes: u64,
    /// Blocks it has.
    pub blocks: u32,
    /// Ranges in its delete set.
    pub delete_ranges: u32,
    /// Units those ranges cover together. Part of them may be deleted already.
    pub deleted_utf16: u64,
    /// Who writes which clocks, ordered by client, each client once.
    pub writers: Writers,
    delete_set_at: usize,
}

/// The writers of an update: nearly always one, so they are kept in place.
pub type Writers = SmallVec<[Writer; 2]>;

/// The clocks one client writes: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The client id, below 2^53.
    pub client: u64,
    /// Its first clock in the update; the document has everything before it.
    pub start: u32,
    /// The clock after its last one.
    pub end: u32,
}

/// Why an update may not come near a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It is not an update of a plain-text document.
    #[error("The update {0}.")]
    Malformed(&'static str),
    /// It goes on where the document does not yet reach.
    #[error("The update begins at clock {start} of client {client}, but only {known} are known.")]
    Hole {
        /// Whose clocks.
        client: u64,
        /// Where the update begins.
        start: u32,
        /// How many clocks of this client are known.
        known: u32,
    },
    /// It refers to a place, or deletes something, that the document does not have.
    #[error("The update refers to clock {clock} of client {client}, which is not known.")]
    UnknownOrigin {
        /// Whose clocks.
        client: u64,
        /// The clock it needs.
        clock: u32,
    },
    /// More than [`MAX_BLOCKS`].
    #[error("The update has more than {MAX_BLOCKS} blocks.")]
    TooManyBlocks,
    /// More than [`MAX_DELETE_RANGES`].
    #[error("The update has more than {MAX_DELETE_RANGES} deleted ranges.")]
    TooManyDeletes,
}

impl Refusal {
    /// Whether the sender may be honest and only ahead of us: catch up with the table, and if that does not
    /// help answer with a step 1, so that it sends what is missing.
    #[must_use]
    pub fn needs_resync(&self) -> bool {
        matches!(self, Self::Hole { .. } | Self::UnknownOrigin { .. })
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Malformed(match error {
            ReadError::Truncated => "ends in the middle of a value",
            ReadError::OutOfRange => "has a number outside its range",
            ReadError::NotUtf8 => "has a string that is not UTF-8",
        })
    }
}

/// Checks one update. `known(client)` is the number of clocks of that client accepted so far, 0 for
/// clients never seen.
///
/// # Errors
/// See [`Refusal`]; nothing has changed anywhere.
pub fn check(update: &[u8], known: impl Fn(u64) -> u32) -> Result<Facts, Refusal> {
    let mut reader = Reader::new(update);
    let mut facts = Facts {
        inserted_utf16: 0,
        inserted_bytes: 0,
        blocks: 0,
        delete_ranges: 0,
        deleted_utf16: 0,
        writers: Writers::new(),
        delete_set_at: 0,
    };
    let mut waits: SmallVec<[Wait; 2]> = SmallVec::new();
    // A section has a count, a client, a clock and a block: five bytes at least.
    for _ in 0..reader.count(5)? {
        let writer = check_section(&mut reader, &known, &mut facts, &mut waits)?;
        facts.writers.push(writer);
    }
    sort_writers(&mut facts.writers)?;
    if !waits.is_empty() {
        order::check_order(&facts.writers, &mut waits)?;
    }
    facts.delete_set_at = update.len() - reader.remaining();
    check_deletes(&mut reader, &known, &mut facts)?;
    if !reader.is_empty() {
        return Err(Refusal::Malformed("goes on after its end"));
    }
    Ok(facts)
}

/// One client's blocks. References to other clients of the same update are left in `waits`.
fn check_section(
    reader: &mut Reader<'_>,
    known: &impl Fn(u64) -> u32,
    facts: &mut Facts,
    waits: &mut SmallVec<[Wait; 2]>,
) -> Result<Writer, Refusal> {
    let blocks = reader.count(2)?;
    let client = reader.var_uint(MAX_CLIENT)?;
    let start = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
    if blocks == 0 {
        return Err(Refusal::Malformed("has a client without blocks"));
    }
    let known_here = known(client);
    if start > known_here {
        return Err(Refusal::Hole { client, start, known: known_here });
    }
    let mut clock = start;
    for _ in 0..blocks {
        facts.blocks += 1;
        if facts.blocks > MAX_BLOCKS {
            return Err(Refusal::TooManyBlocks);
        }
        let block = read_block(reader)?;
        for BlockId { client: of, clock: needed } in [block.origin, block.right_origin].into_iter().flatten() {
            if of == client {
                // A client knows its own past only.
                if needed >= clock {
                    return Err(Refusal::Malformed("has a block that refers to itself or to later ones"));
                }
            } else if needed >= known(of) {
                waits.push(Wait { client, clock, of, needed });
            }
        }
        if let Content::Text(text) = block.content {
            facts.inserted_utf16 += u64::from(block.len);
            facts.inserted_bytes += text.len() as u64;
        }
        // Both are at most MAX_CLOCK, so the sum fits.
        clock += block.len;
        if clock > MAX_CLOCK {
            return Err(Refusal::Malformed("has a clock that is too large"));
        }
    }
    Ok(Writer { client, start, end: clock })
}

/// Orders writers by client; nobody may have two sections.
fn sort_writers(writers: &mut Writers) -> Result<(), Refusal> {
    if writers.len() > 1 {
        writers.sort_unstable_by_key(|writer| writer.client);
        if writers.windows(2).any(|pair| pair[0].client == pair[1].client) {
            return Err(Refusal::Malformed("has two sections for one client"));
        }
    }
    Ok(())
}

fn check_deletes(reader: &mut Reader<'_>, known: &impl Fn(u64) -> u32, facts: &mut Facts) -> Result<(), Refusal> {
    let mut clients: SmallVec<[u64; 4]> = SmallVec::new();
    for _ in 0..reader.count(2)? {
        let client = reader.var_uint(MAX_CLIENT)?;
        clients.push(client);
        let ranges = reader.count(2)?;
        facts.delete_ranges = facts.delete_ranges.saturating_add(ranges as u32);
        if facts.delete_ranges > MAX_DELETE_RANGES {
            return Err(Refusal::TooManyDeletes);
        }
        let reach = facts.end_of(client).max(known(client));
        for _ in 0..ranges {
            let start = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
            let len = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
            if len == 0 {
                return Err(Refusal::Malformed("deletes an empty range"));
            }
            if start + len > reach {
                return Err(Refusal::UnknownOrigin { client, clock: start + len - 1 });
            }
            facts.deleted_utf16 += u64::from(len);
        }
    }
    // Decoders differ in whether a second section adds to the first or replaces it.
    clients.sort_unstable();
    if clients.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::Malformed("has two delete sections for one client"));
    }
    Ok(())
}

impl Facts {
    /// Whether it writes nothing and deletes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writers.is_empty() && self.delete_ranges == 0
    }

    /// Whether all clocks it writes are known already. It may still delete something.
    pub fn writes_nothing_new(&self, known: impl Fn(u64) -> u32) -> bool {
        self.writers.iter().all(|writer| writer.end <= known(writer.client))
    }

    /// Whether applying it would change nothing: all it writes is known, all it deletes is deleted. This
    /// is how a reader's step 2 is told from an attempt to write.
    ///
    /// `update` are the bytes these facts came from; `is_deleted` says whether a whole range is deleted.
    pub fn adds_nothing(
        &self,
        update: &[u8],
        known: impl Fn(u64) -> u32,
        is_deleted: impl Fn(DeleteRange) -> bool,
    ) -> bool {
        self.writes_nothing_new(known) && self.deletes(update).all(is_deleted)
    }

    /// What it deletes. `update` are the bytes these facts came from.
    #[must_use]
    pub fn deletes<'a>(&self, update: &'a [u8]) -> DeleteRanges<'a> {
        DeleteRanges::new(update.get(self.delete_set_at..).unwrap_or_default())
    }

    /// The clock after the last one this update writes for `client`; 0 when it writes none.
    #[must_use]
    pub fn end_of(&self, client: u64) -> u32 {
        self.writers.binary_search_by_key(&client, |writer| writer.client).map_or(0, |at| self.writers[at].end)
    }
}

#[cfg(test)]
mod tests;
