//! The pool of user ids. As root every run gets a user of its own, so that even without a wall between them two runs
//! could not touch each other, and limits by user count for one run only. Servers on one machine share the range:
//! an id is taken by locking a file that is named for it.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::{FlockOperation, flock};

/// Where the lock files of a machine lie; gone after a restart of the machine, like the runs.
pub(super) const LOCKS: &str = "/run/coderoom-uids";

/// The pool; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Uids {
    first: u32,
    count: u32,
    locks: PathBuf,
    /// Ids in use with their locks; also held by the executions that give theirs back.
    /// No lock where the directory cannot be used: then only this server is kept from taking an id twice.
    used: Arc<Mutex<BTreeMap<u32, Option<File>>>>,
}

impl Uids {
    /// `count` ids from `first` on, or as many of a lower range if the kernel knows none so high here (in containers).
    /// `None` when there is no range at all.
    pub(super) fn new(first: u32, count: u32, uid_map: &str, locks: &Path) -> Option<Self> {
        let fits = |first: u32| {
            uid_map.lines().any(|line| {
                let numbers: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
                let [start, _, length] = numbers.as_slice() else { return false };
                *start <= u64::from(first) && u64::from(first) + u64::from(count) <= start + length
            })
        };
        // 61184 to 65519 are the ids that systemd gives to services for the time they run; the upper half is less used.
        let first = [first, 64_000].into_iter().find(|first| fits(*first))?;
        let _ = DirBuilder::new().mode(0o700).create(locks);
        Some(Self { first, count, locks: locks.to_owned(), used: Arc::default() })
    }

    /// A free id; `None` when all are in use.
    pub(super) fn take(&self) -> Option<u32> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in (self.first..self.first + self.count).filter(|uid| !used.contains_key(uid)).collect::<Vec<_>>() {
            let lock = self.open_lock(uid);
            if lock.as_ref().is_none_or(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
                used.insert(uid, lock);
                return Some(uid);
            }
        }
        None
    }

    fn open_lock(&self, uid: u32) -> Option<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).open(self.locks.join(uid.to_string())).ok()
    }

    /// Marks an id as used by a run that was started before.
    pub(super) fn keep(&self, uid: u32) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.entry(uid).or_insert_with(|| {
            let lock = self.open_lock(uid)?;
            // If another server has taken it meanwhile, the two runs share a user, which their boxes do not notice.
            flock(&lock, FlockOperation::NonBlockingLockExclusive).ok().map(|()| lock)
        });
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
        let locks = tempfile::tempdir().unwrap();
        let uids = Uids::new(200_000, 2, "0 0 4294967295\n", locks.path()).unwrap();
        let other_server = Uids::new(200_000, 2, "0 0 4294967295\n", locks.path()).unwrap();
        let (one, two) = (uids.take().unwrap(), other_server.take().unwrap());
        assert_ne!(one, two);
        assert_eq!((uids.take(), other_server.take()), (None, None));
        uids.give_back(one);
        assert_eq!(other_server.take(), Some(one));
    }

    #[test]
    fn container_with_few_ids_gets_a_lower_range() {
        let locks = tempfile::tempdir().unwrap();
        assert_eq!(Uids::new(200_000, 256, "0 100000 65536\n", locks.path()).unwrap().take(), Some(64_000));
        assert!(Uids::new(200_000, 256, "0 1000 1\n", locks.path()).is_none());
    }
}
