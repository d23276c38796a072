//! The runs in an engine's hands, and the signs given to those who drive them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coderoom_protocol::ids::RunId;
use tokio::sync::watch;

/// What the tables say to the driver of a run. Signs only rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sign {
    /// Go on.
    Go,
    /// Somebody wants it to end.
    Stop,
    /// Another engine has it: let go of it.
    Lost,
    /// Its row was deleted: kill it, keep nothing.
    Gone,
}

/// A map with one sign for each run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driven {
    /// Also held by the guards of the drivers, which remove themselves.
    signs: Arc<Mutex<HashMap<RunId, watch::Sender<Sign>>>>,
}

/// Held by the driver of a run; the run counts as driven until it is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Held {
    driven: Driven,
    run: RunId,
    pub(crate) sign: watch::Receiver<Sign>,
}

impl Driven {
    fn signs(&self) -> MutexGuard<'_, HashMap<RunId, watch::Sender<Sign>>> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the run; `None` when it is driven already.
    pub(crate) fn hold(&self, run: RunId) -> Option<Held> {
        let mut signs = self.signs();
        if signs.contains_key(&run) {
            return None;
        }
        let (sender, sign) = watch::channel(Sign::Go);
        signs.insert(run, sender);
        metrics::gauge!("coderoom_runs_running").increment(1);
        Some(Held { driven: self.clone(), run, sign })
    }

    pub(crate) fn len(&self) -> usize {
        self.signs().len()
    }

    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.signs().contains_key(&run)
    }

    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.signs().keys().copied().collect()
    }

    /// Gives a sign, unless a stronger one was given.
    pub(crate) fn tell(&self, run: RunId, sign: Sign) {
        if let Some(sender) = self.signs().get(&run) {
            sender.send_if_modified(|last| {
                let rises = sign > *last;
                *last = sign.max(*last);
                rises
            });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.driven.signs().remove(&self.run);
        metrics::gauge!("coderoom_runs_running").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_is_driven_once_and_until_its_driver_is_gone() {
        let (driven, run) = (Driven::default(), RunId::new());
        let held = driven.hold(run).unwrap();
        assert!(driven.hold(run).is_none());
        driven.tell(run, Sign::Gone);
        driven.tell(run, Sign::Stop);
        assert_eq!(*held.sign.borrow(), Sign::Gone, "a weaker sign does not hide a stronger one");
        drop(held);
        assert!(!driven.contains(run) && driven.hold(run).is_some());
    }
}
