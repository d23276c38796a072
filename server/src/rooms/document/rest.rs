//! Leaving memory: a document that nobody edits or joins is compacted if that is worth it and let go; members stay attached.

use std::time::Duration;

use coderoom_protocol::ids::FileId;
use tokio::time::Instant;

use super::{Document, Surroundings};
use crate::rooms::compact;

impl Document {
    /// Lets go of the replica if it has rested long enough; gives when to look again.
    pub(in crate::rooms) fn rest(&mut self, around: &mut Surroundings) -> Option<Instant> {
        self.live.as_ref()?;
        let idle = Duration::from_millis(around.shared.settings.idle_document_ms);
        let due = self.used_at + idle;
        if self.waiting.is_some() || around.now < due {
            return Some(due.max(around.now + idle));
        }
        if !self.is_settled() {
            return Some(around.now + idle);
        }
        let live = self.live.as_mut()?;
        // Answers that joiners shared are the first to go.
        live.forget_cache();
        let is_worth_it = live.loose_edits >= around.shared.settings.compact_idle_after_edits;
        if is_worth_it && live.compaction_failed_at != Some(live.loose_edits) {
            self.compact(around);
            return Some(around.now + idle);
        }
        if around.shared.publisher.is_some() && !self.members.is_empty() {
            self.rested = Some(Box::new((live.seq, live.shown.clone())));
        }
        self.store_size(around);
        self.live = None;
        around.shared.commits.forget(self.file);
        None
    }

    /// Whether nothing is under way.
    pub(in crate::rooms) fn is_settled(&self) -> bool {
        self.waiting.is_none()
            && self.live.as_ref().is_none_or(|live| {
                live.in_flight.is_empty()
                    && live.writing.is_none()
                    && live.writes.is_empty()
                    && !live.is_compacting
                    && live.catching_up.is_none()
                    && live.replica.is_some()
            })
    }

    /// Whether the room may forget it.
    pub(in crate::rooms) fn is_forgettable(&self) -> bool {
        self.live.is_none() && self.waiting.is_none() && self.members.is_empty() && self.presence.is_empty()
    }

    /// What the tables should have as size: file, epoch, edit, bytes.
    pub(in crate::rooms) fn exact_size(&self) -> Option<(FileId, u64, u64, u64)> {
        let live = self.live.as_ref()?;
        let text = live.replica.as_ref()?.text().ok()?;
        Some((self.file, live.epoch, live.seq, text.len() as u64))
    }

    /// The stored size only grows with edits: puts it right when the document leaves.
    fn store_size(&self, around: &Surroundings) {
        if self.live.as_ref().is_none_or(|live| live.version == 0 || live.loose_edits == 0) {
            return;
        }
        let Some((file, epoch, seq, bytes)) = self.exact_size() else { return };
        let shared = around.shared.clone();
        around.shared.tracker.spawn(async move {
            compact::store_size(&shared.tables, file, epoch, seq, bytes).await;
        });
    }
}
