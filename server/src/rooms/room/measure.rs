//! How large the task is: read when something is added after a while, and again and again while somebody waits for space.

use super::Room;
use crate::rooms::{document::Measure, mailbox::Letter, space};

impl Room {
    /// Reads the size if the batch wanted it. One reading at a time: a wish that comes during one is kept.
    pub(super) fn begin_measure(&mut self) {
        if self.around.measure == Measure::No || !self.around.space.begin() {
            return;
        }
        let exact = match std::mem::take(&mut self.around.measure) {
            Measure::Exact => self.documents.values().filter_map(|document| document.exact_size()).collect(),
            _ => Vec::new(),
        };
        let (shared, task, mailbox) = (self.around.shared.clone(), self.around.task, self.around.mailbox.clone());
        self.around.shared.tracker.spawn(async move {
            let used = space::measure(&shared.tables, task, exact).await;
            let used = used.inspect_err(|error| tracing::warn!(%error, task.id = %task, "a task's size was not read"));
            mailbox.post(Letter::Space(used.ok()));
        });
    }

    /// The size has been read: who was refused is asked again if there is space, and writes go on that waited for it.
    pub(super) fn measured(&mut self, used: Option<u64>) {
        if self.around.space.read(used, self.around.now) {
            self.documents.values_mut().for_each(|document| document.ask_refused());
        }
        if self.around.measure == Measure::No {
            for document in self.documents.values_mut() {
                document.write_next(&mut self.around);
            }
        }
        if self.documents.values().any(|document| document.members.iter().any(|member| member.has_refused)) {
            self.look_for_space();
        } else {
            self.around.space.stop_waiting();
        }
    }

    /// The tree changed: so did the size.
    pub(super) fn tree_changed(&mut self) {
        if self.around.space.is_waited_for() {
            self.around.measure = Measure::Exact;
        } else if self.around.space.is_known() {
            self.around.measure = self.around.measure.max(Measure::Stored);
        }
    }
}
