//! What happens by time: presence goes out, presence ends, documents and the room itself rest.

use std::time::Duration;

use tokio::time::Instant;

use super::Room;
use crate::rooms::{document::Measure, event::Place, space::LOOK_FOR_SPACE};

impl Room {
    pub(super) fn next_due(&self) -> Option<Instant> {
        [self.presence_due, self.sweep_due, self.gap_due, self.compare_due].into_iter().flatten().min()
    }

    /// Presence of a place has something to tell.
    pub(super) fn presence_changed(&mut self, place: Place) {
        if !self.restless.contains(&place) {
            self.restless.push(place);
        }
        self.presence_soon();
    }

    pub(super) fn presence_soon(&mut self) {
        let tick = Duration::from_millis(self.around.shared.settings.presence_tick_ms);
        self.presence_due.get_or_insert(self.around.now + tick);
    }

    /// Something may expire or rest later: look for it when it does.
    pub(super) fn look_again(&mut self) {
        let settings = &self.around.shared.settings;
        let soonest = settings.idle_document_ms.min(settings.idle_room_ms).min(settings.presence_expiry_ms);
        let due = self.around.now + Duration::from_millis(soonest);
        // An earlier look stays: it finds out when the next is due.
        self.sweep_due = Some(self.sweep_due.map_or(due, |known| known.min(due)));
    }

    /// Somebody waits until the task is smaller.
    pub(super) fn look_for_space(&mut self) {
        if !self.around.space.is_waited_for() {
            return;
        }
        let due = self.around.now + LOOK_FOR_SPACE;
        self.sweep_due = Some(self.sweep_due.map_or(due, |known| known.min(due)));
    }

    pub(super) fn tick(&mut self) {
        let now = self.around.now;
        if self.presence_due.is_some_and(|due| due <= now) {
            self.presence_due = None;
            self.send_presence();
        }
        if self.gap_due.is_some_and(|due| due <= now) {
            self.gap_due = None;
            self.fill_gaps();
        }
        if self.compare_due.is_some_and(|due| due <= now) {
            self.compare_due = None;
            self.compare();
        }
        if self.sweep_due.is_some_and(|due| due <= now) {
            self.sweep();
        }
    }

    fn send_presence(&mut self) {
        for place in std::mem::take(&mut self.restless) {
            let seen = self.seen_at(place);
            let (members, presence) = match place {
                Place::Task => (&mut self.members, &mut self.presence),
                Place::File(file) => match self.documents.get_mut(&file) {
                    Some(document) => (&mut document.members, &mut document.presence),
                    None => continue,
                },
            };
            if presence.has_changes() {
                let (update, ours) = presence.flush();
                members.push_presence(&update, || seen.clone());
                self.publish_presence(place, ours);
            }
        }
        for place in std::mem::take(&mut self.asked) {
            let ours = self.presence_at(place).map(|presence| presence.ours());
            self.publish_presence(place, ours.unwrap_or_default());
        }
    }

    fn sweep(&mut self) {
        let now = self.around.now;
        let expiry = Duration::from_millis(self.around.shared.settings.presence_expiry_ms);
        let mut next: Vec<Instant> = Vec::new();
        let mut changed = Vec::new();
        if self.presence.expire(now, expiry) {
            changed.push(Place::Task);
        }
        next.extend(self.presence.next_expiry(expiry));
        for (file, document) in &mut self.documents {
            if document.presence.expire(now, expiry) {
                changed.push(Place::File(*file));
            }
            next.extend(document.presence.next_expiry(expiry));
            next.extend(document.rest(&mut self.around));
        }
        self.documents.retain(|_, document| !document.is_forgettable());
        for place in changed {
            self.presence_changed(place);
        }
        if self.around.space.is_waited_for() {
            self.around.measure = Measure::Exact;
        }
        if let Some(since) = self.empty_since {
            next.push((since + Duration::from_millis(self.around.shared.settings.idle_room_ms)).max(now));
        }
        // Never at once again: what is due and does not go away must not make the room spin.
        self.sweep_due = next.into_iter().min().map(|due| due.max(now + SHORTEST_SWEEP));
    }
}

/// Least time between two looks.
const SHORTEST_SWEEP: Duration = Duration::from_millis(20);
