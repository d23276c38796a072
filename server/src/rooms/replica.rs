//! One replica of a text document: a yrs `Doc` with the options this server needs, behind calls that never panic.
//!
//! Only bytes that passed the gate (or that this server wrote) may come here: decoding raw bytes can end the process.

use std::{
    collections::HashMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use coderoom_protocol::gate::{DeleteRange, ROOT, StateVector};
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, Text, TextRef, Transact, TransactionMut, Update, block::ClientID,
    updates::decoder::Decode,
};

/// Updates applied in one transaction while replaying a log. 16 to 1,024 are equally fast (780 ns an update);
/// one transaction for all is seven times slower (measured November 2026, 259,778 edits).
const UPDATES_PER_TRANSACTION: usize = 256;

/// What went wrong inside yrs. The replica must be thrown away: part of the change may be in it.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// yrs refused the bytes.
    #[error("replica refused an update: {0}")]
    Refused(String),
    /// yrs panicked; the panic was caught.
    #[error("replica panicked")]
    Panicked,
}

/// A document's state in memory.
pub(super) struct Replica {
    doc: Doc,
    source: TextRef,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").finish_non_exhaustive()
    }
}

/// Client id of replicas that write nothing.
pub(super) const SERVER_CLIENT: u64 = 2;

impl Replica {
    /// An empty document whose own edits (only [`super::write_text`] makes any) carry `client`.
    #[must_use]
    pub(super) fn new(client: u64) -> Self {
        let doc = Doc::with_options(Options {
            client_id: ClientID::new(client),
            guid: "".into(),
            collection_id: None,
            offset_kind: OffsetKind::Utf16,
            skip_gc: false,
            auto_load: false,
            should_load: true,
            cleanup_formatting: false,
        });
        let source = doc.get_or_insert_text(ROOT);
        Self { doc, source }
    }

    /// Applies updates (v1) in order.
    pub(super) fn apply<'a>(&self, updates: impl IntoIterator<Item = &'a [u8]>) -> Result<(), ReplicaError> {
        guarded(|| {
            let mut updates = updates.into_iter().peekable();
            while updates.peek().is_some() {
                let mut txn = self.doc.transact_mut();
                for update in updates.by_ref().take(UPDATES_PER_TRANSACTION) {
                    #[cfg(test)]
                    fault::strike(update);
                    apply_decoded(&mut txn, Update::decode_v1(update))?;
                }
            }
            Ok(())
        })
    }

    /// Applies a whole state (v2), as snapshots hold it.
    pub(super) fn apply_v2(&self, state: &[u8]) -> Result<(), ReplicaError> {
        guarded(|| apply_decoded(&mut self.doc.transact_mut(), Update::decode_v2(state)))
    }

    /// The text.
    pub(super) fn text(&self) -> Result<String, ReplicaError> {
        guarded(|| Ok(self.source.get_string(&self.doc.transact())))
    }

    /// How many clocks of each client are in it.
    pub(super) fn vector(&self) -> Result<StateVector, ReplicaError> {
        guarded(|| {
            let vector = self.doc.transact().state_vector();
            Ok(vector.iter().map(|(client, &clock)| (client.get(), clock)).collect())
        })
    }

    /// Everything deleted, as ranges of clocks.
    pub(super) fn deleted(&self) -> Result<Deleted, ReplicaError> {
        guarded(|| Ok(Deleted::new(&self.doc.transact().snapshot().delete_set)))
    }

    /// What somebody with this state vector lacks (v1). The delete set is always whole.
    pub(super) fn diff_v1(&self, known: &StateVector) -> Result<Vec<u8>, ReplicaError> {
        guarded(|| {
            let known = known.iter().map(|(client, clock)| (ClientID::new(client), clock)).collect();
            Ok(self.doc.transact().encode_diff_v1(&known))
        })
    }

    /// The whole state (v2).
    pub(super) fn state_v2(&self) -> Result<Vec<u8>, ReplicaError> {
        guarded(|| Ok(self.doc.transact().encode_diff_v2(&yrs::StateVector::default())))
    }

    /// Replaces pieces of the text and gives the update (v1) of it. Pieces are (offset, removed, inserted) with offsets and
    /// lengths in UTF-16 code units of the text as it is when the piece's turn comes; they must lie inside it.
    pub(super) fn edit(&self, pieces: impl IntoIterator<Item = (u32, u32, String)>) -> Result<Vec<u8>, ReplicaError> {
        guarded(|| {
            let mut txn = self.doc.transact_mut();
            for (offset, removed, inserted) in pieces {
                if removed > 0 {
                    self.source.remove_range(&mut txn, offset, removed);
                }
                if !inserted.is_empty() {
                    self.source.insert(&mut txn, offset, &inserted);
                }
            }
            Ok(txn.encode_update_v1())
        })
    }
}

/// What is deleted in a document: for each client, ranges of clocks that neither touch nor overlap, ascending.
pub(super) struct Deleted(HashMap<u64, Vec<Range<u32>>>);

impl Deleted {
    fn new(deleted: &yrs::IdSet) -> Self {
        let merged = deleted.iter().map(|(client, ranges)| {
            let mut sorted: Vec<Range<u32>> = ranges.iter().cloned().collect();
            sorted.sort_unstable_by_key(|range| range.start);
            sorted.dedup_by(|next, last| {
                let touches = next.start <= last.end;
                if touches {
                    last.end = last.end.max(next.end);
                }
                touches
            });
            (client.get(), sorted)
        });
        Self(merged.collect())
    }

    /// How many units of a range are not deleted.
    pub(super) fn left_of(&self, range: DeleteRange) -> u32 {
        let Some(ranges) = self.0.get(&range.client) else { return range.end - range.start };
        let first = ranges.partition_point(|known| known.end <= range.start);
        let gone = ranges[first..].iter().take_while(|known| known.start < range.end);
        let gone = gone.map(|known| known.end.min(range.end) - known.start.max(range.start)).sum::<u32>();
        range.end - range.start - gone
    }

    /// Whether all of a range is deleted.
    pub(super) fn covers(&self, range: DeleteRange) -> bool {
        let Some(ranges) = self.0.get(&range.client) else { return false };
        let behind = ranges.partition_point(|known| known.start <= range.start);
        behind.checked_sub(1).and_then(|index| ranges.get(index)).is_some_and(|known| range.end <= known.end)
    }
}

fn apply_decoded(
    txn: &mut TransactionMut<'_>,
    update: Result<Update, yrs::encoding::read::Error>,
) -> Result<(), ReplicaError> {
    let update = update.map_err(|error| ReplicaError::Refused(error.to_string()))?;
    txn.apply_update(update).map_err(|error| ReplicaError::Refused(error.to_string()))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, ReplicaError>) -> Result<T, ReplicaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ReplicaError::Panicked))
}

/// A panic inside yrs, for tests: no input that passes the gate is known to cause one.
#[cfg(test)]
pub(super) mod fault {
    use std::cell::RefCell;

    thread_local! {
        static AT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    }

    /// The next replica of this thread that applies an update with these bytes in it panics, once.
    pub(in crate::rooms) fn panic_at(bytes: &[u8]) {
        AT.set(Some(bytes.to_vec()));
    }

    pub(super) fn strike(update: &[u8]) {
        let hits = AT.with_borrow(|at| {
            at.as_ref().is_some_and(|bytes| update.windows(bytes.len()).any(|window| window == bytes.as_slice()))
        });
        if hits {
            AT.set(None);
            panic!("a fault that a test asked for");
        }
    }
}
