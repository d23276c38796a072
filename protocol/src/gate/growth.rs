//! By how much a text grows with an update: what the same update deletes makes room for what it brings.

use super::{
    DeleteRange, Facts,
    grammar::{Content, MAX_CLIENT, read_block},
};
use crate::{gate::MAX_CLOCK, lib0::Reader};

impl Facts {
    /// Most bytes (UTF-8) by which the text grows: its text, without what the update itself deletes again, less what it
    /// deletes of the text that is there. A client whose edits were refused sends them again together with everything
    /// that it deleted since, so that this is how much too large it still is.
    ///
    /// `update` are the bytes these facts came from, `known(client)` is as in [`super::check`], and `freed(range)` says how
    /// many units of a range of known clocks are not deleted yet. A unit counts as one byte, which is the least it can be.
    /// Goes through the whole update; ranges that overlap make nothing free.
    pub fn growth(&self, update: &[u8], known: impl Fn(u64) -> u32, freed: impl Fn(DeleteRange) -> u32) -> i64 {
        let mut ranges: Vec<DeleteRange> = self.deletes(update).collect();
        ranges.sort_unstable_by_key(|range| (range.client, range.start));
        if ranges.windows(2).any(|pair| pair[0].client == pair[1].client && pair[1].start < pair[0].end) {
            return self.inserted_bytes.cast_signed();
        }
        let is_deleted = |client: u64, start: u32, end: u32| {
            let behind = ranges.partition_point(|range| (range.client, range.start) <= (client, start));
            behind.checked_sub(1).is_some_and(|at| ranges[at].client == client && end <= ranges[at].end)
        };
        let gone = bytes_where(update, is_deleted).unwrap_or_default();
        let freed: u64 = ranges
            .iter()
            .map(|range| DeleteRange { end: range.end.min(known(range.client)), ..*range })
            .filter(|range| range.start < range.end)
            .map(|range| u64::from(freed(range)))
            .sum();
        self.inserted_bytes.cast_signed() - gone.cast_signed() - freed.cast_signed()
    }
}

/// Bytes of the text blocks that `wanted(client, start, end)` wants. `None` for bytes that did not pass the gate.
fn bytes_where(update: &[u8], wanted: impl Fn(u64, u32, u32) -> bool) -> Option<u64> {
    let mut reader = Reader::new(update);
    let mut bytes = 0;
    for _ in 0..reader.count(5).ok()? {
        let blocks = reader.count(2).ok()?;
        let client = reader.var_uint(MAX_CLIENT).ok()?;
        let mut clock = reader.var_uint(u64::from(MAX_CLOCK)).ok()? as u32;
        for _ in 0..blocks {
            let block = read_block(&mut reader).ok()?;
            let end = clock.checked_add(block.len)?;
            if let Content::Text(text) = block.content
                && wanted(client, clock, end)
            {
                bytes += text.len() as u64;
            }
            clock = end;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use yrs::{Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, block::ClientID};

    use crate::gate::{DeleteRange, ROOT, check};

    /// The whole state of a document that keeps what it deleted, as one with undo does.
    fn state(steps: &[(u32, &str, u32)]) -> (Vec<u8>, String) {
        let options = Options {
            client_id: ClientID::new(7),
            skip_gc: true,
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        };
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text(ROOT);
        for &(at, inserted, removed) in steps {
            let mut txn = doc.transact_mut();
            if removed > 0 {
                text.remove_range(&mut txn, at, removed);
            }
            text.insert(&mut txn, at, inserted);
        }
        let txn = doc.transact();
        (txn.encode_state_as_update_v1(&StateVector::default()), text.get_string(&txn))
    }

    #[test]
    fn text_that_is_deleted_in_the_same_update_is_no_growth() {
        let (update, text) = state(&[(0, "0123456789文件", 0), (3, "x", 5)]);
        let facts = check(&update, |_| 0).unwrap();
        assert_eq!(facts.inserted_bytes, 17);
        assert_eq!(facts.growth(&update, |_| 0, |_| panic!("nothing was known")), text.len() as i64);
    }

    #[test]
    fn text_that_was_there_makes_room_when_it_is_deleted() {
        let (update, _) = state(&[(0, "0123456789", 0), (0, "abcd", 8)]);
        let facts = check(&update, |_| 10).unwrap();
        let freed = |range: DeleteRange| {
            assert_eq!(range, DeleteRange { client: 7, start: 0, end: 8 });
            8
        };
        // The units that stay are known, but that is not looked at: it is a bound.
        assert_eq!(facts.growth(&update, |_| 10, freed), 6 - 8);
    }
}
