//! The pool of user ids. As root every run gets a user of its own, so that even without a wall between them two runs
//! could not touch each other, and limits by user count for one run only.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The pool; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Uids {
    first: u32,
    count: u32,
    /// Ids in use; also held by the executions that give theirs back.
    used: Arc<Mutex<BTreeSet<u32>>>,
}

impl Uids {
    /// `count` ids from `first` on, or as many of a lower range if the kernel knows none so high here (in containers).
    /// `None` when there is no range at all.
    pub(super) fn new(first: u32, count: u32, uid_map: &str) -> Option<Self> {
        let fits = |first: u32| {
            uid_map.lines().any(|line| {
                let numbers: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
                let [start, _, length] = numbers.as_slice() else { return false };
                *start <= u64::from(first) && u64::from(first) + u64::from(count) <= start + length
            })
        };
        // 61184 to 65519 are the ids that systemd gives to services for the time they run; the upper half is less used.
        let first = [first, 64_000].into_iter().find(|first| fits(*first))?;
        Some(Self { first, count, used: Arc::default() })
    }

    /// A free id; `None` when all are in use.
    pub(super) fn take(&self) -> Option<u32> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (self.first..self.first + self.count).find(|id| !used.contains(id))?;
        used.insert(free);
        Some(free)
    }

    /// Marks an id as used by a run that was started before.
    pub(super) fn keep(&self, uid: u32) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(uid);
    }

    /// Gives an id back, when no process of its run is left.
    pub(super) fn give_back(&self, uid: u32) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_at_the_same_time_have_different_users() {
        let uids = Uids::new(200_000, 2, "0 0 4294967295\n").unwrap();
        let (one, two) = (uids.take().unwrap(), uids.take().unwrap());
        assert_ne!(one, two);
        assert_eq!(uids.take(), None);
        uids.give_back(one);
        assert_eq!(uids.take(), Some(one));
    }

    #[test]
    fn container_with_few_ids_gets_a_lower_range() {
        assert_eq!(Uids::new(200_000, 256, "0 100000 65536\n").unwrap().take(), Some(64_000));
        assert!(Uids::new(200_000, 256, "0 1000 1\n").is_none());
    }
}
