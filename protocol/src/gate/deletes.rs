//! The delete set of an update that passed the gate, read again from its bytes.

use super::{MAX_CLOCK, grammar::MAX_CLIENT};
use crate::lib0::Reader;

/// Units of one client that an update deletes: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteRange {
    /// Whose units.
    pub client: u64,
    /// First clock.
    pub start: u32,
    /// The clock after the last one.
    pub end: u32,
}

/// Goes through a delete set without building it. Bytes that are no delete set yield nothing.
#[derive(Clone, Debug)]
pub struct DeleteRanges<'a> {
    reader: Reader<'a>,
    clients_left: usize,
    ranges_left: usize,
    client: u64,
}

impl<'a> DeleteRanges<'a> {
    pub(crate) fn new(delete_set: &'a [u8]) -> Self {
        let mut reader = Reader::new(delete_set);
        let clients_left = reader.count(2).unwrap_or(0);
        Self { reader, clients_left, ranges_left: 0, client: 0 }
    }
}

impl Iterator for DeleteRanges<'_> {
    type Item = DeleteRange;

    fn next(&mut self) -> Option<DeleteRange> {
        while self.ranges_left == 0 {
            self.clients_left = self.clients_left.checked_sub(1)?;
            self.client = self.reader.var_uint(MAX_CLIENT).ok()?;
            self.ranges_left = self.reader.count(2).ok()?;
        }
        self.ranges_left -= 1;
        let start = self.reader.var_uint(u64::from(MAX_CLOCK)).ok()? as u32;
        let len = self.reader.var_uint(u64::from(MAX_CLOCK)).ok()? as u32;
        Some(DeleteRange { client: self.client, start, end: start + len })
    }
}
