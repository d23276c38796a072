//! Which rooms are open on this node. A room is opened once, however many ask at the same time, and forgotten when it has
//! ended; its mailbox decides which of the two comes first, so that nobody joins a room that is just leaving.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coderoom_protocol::ids::TaskId;

use super::{Shared, mailbox::Mailbox, room};

/// Open rooms by task.
#[derive(Default)]
pub(super) struct Registry {
    /// Never held over an await. Rooms take themselves out when they end.
    rooms: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<TaskId, Arc<Mailbox>>,
    is_draining: bool,
}

impl Registry {
    /// The mailbox of the task's room, which is started if there is none. `None`: the node drains.
    pub(super) fn open(&self, shared: &Arc<Shared>, task: TaskId) -> Option<Arc<Mailbox>> {
        let mut state = self.lock();
        if let Some(mailbox) = state.open.get(&task).filter(|mailbox| !mailbox.is_closed()) {
            return Some(Arc::clone(mailbox));
        }
        if state.is_draining {
            return None;
        }
        let mailbox = Arc::new(Mailbox::new(shared.settings.mailbox_bytes));
        state.open.insert(task, Arc::clone(&mailbox));
        metrics::gauge!("coderoom_rooms_open").set(state.open.len() as f64);
        drop(state);
        shared.tracker.spawn(room::run(Arc::clone(shared), task, Arc::clone(&mailbox)));
        Some(mailbox)
    }

    /// The mailbox of the task's room, if it is open.
    pub(super) fn get(&self, task: TaskId) -> Option<Arc<Mailbox>> {
        self.lock().open.get(&task).filter(|mailbox| !mailbox.is_closed()).cloned()
    }

    /// A room has ended.
    pub(super) fn forget(&self, task: TaskId, mailbox: &Arc<Mailbox>) {
        let mut state = self.lock();
        if state.open.get(&task).is_some_and(|known| Arc::ptr_eq(known, mailbox)) {
            state.open.remove(&task);
            metrics::gauge!("coderoom_rooms_open").set(state.open.len() as f64);
        }
    }

    /// Opens no rooms any more; gives those that are open.
    pub(super) fn drain(&self) -> Vec<Arc<Mailbox>> {
        let mut state = self.lock();
        state.is_draining = true;
        state.open.values().cloned().collect()
    }

    /// Number of open rooms.
    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
