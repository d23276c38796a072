//! How much merging may cost in one document, and how many pieces it may have: see [`crate::rooms::merge_cost`].

use std::time::Duration;

use coderoom_protocol::gate::{self, Facts, StateVector};

use super::{InFlight, Live};
use crate::rooms::settings::RoomSettings;

/// Updates of more bytes are merged where they hold nobody up, should they take long.
pub(super) const LONG_UPDATE_BYTES: usize = 256;
/// So are all when merging this document has cost that much beyond what it should.
const TANGLING: Duration = Duration::from_millis(50);

/// Why a document takes no edits any more: see [`crate::rooms::merge_cost`].
pub(super) const TANGLED: &str = "The edits of this file take too long to merge, so it takes no more. Copy its text into a new file and go on there.";

/// Pieces are counted anew at the earliest after this many more.
const PIECES_UNCOUNTED: u64 = 1_000;

/// Blocks an update may add: a deletion cuts one into three at most.
pub(super) fn pieces_of(facts: &Facts) -> u64 {
    u64::from(facts.blocks) * 2 + u64::from(facts.delete_ranges) * 2
}

impl Live {
    /// Whether merging one more edit may take long.
    pub(super) fn is_tangling(&self) -> bool {
        self.merge_excess >= TANGLING
    }

    /// Whether the document costs too much to merge to take so many pieces more.
    pub(super) fn is_tangled(&mut self, more: u64, settings: &RoomSettings) -> bool {
        self.merge_excess > Duration::from_millis(settings.merge_ms) || !self.fits_pieces(more, settings.max_pieces)
    }

    /// The bound grows with every edit, though most pieces join their neighbours; when it says no, they are counted again, if
    /// that may help.
    fn fits_pieces(&mut self, more: u64, limit: u64) -> bool {
        if let Some(pieces) = self.pieces
            && (pieces + more <= limit || pieces < self.counted_pieces + PIECES_UNCOUNTED)
        {
            return pieces + more <= limit;
        }
        // One that cannot be encoded is built anew by whoever needs it next.
        let Ok(state) = self.diff(&StateVector::default()) else { return true };
        let counted = gate::check(&state, |_| 0).map_or(u64::MAX / 2, |facts| u64::from(facts.blocks));
        let in_flight: u64 = self.in_flight.iter().map(InFlight::pieces).sum();
        self.counted_pieces = counted;
        self.pieces = Some(counted + in_flight);
        counted + in_flight + more <= limit
    }

    /// So many pieces more were accepted, or came from another node.
    pub(super) fn add_pieces(&mut self, more: u64) {
        self.pieces = self.pieces.map(|pieces| pieces + more);
    }
}
