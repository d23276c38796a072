//! Counts what each user, or each address, has open on this node, and refuses more than one may have.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// What is open, by whose it is. Shared by all who open something and by all that is open.
#[derive(Clone, Debug)]
pub(crate) struct PerKey<K: Eq + Hash> {
    /// Never held over an await.
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash> Default for PerKey<K> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

/// Something open; not counted any more when dropped.
#[derive(Debug)]
pub(crate) struct Counted<K: Eq + Hash> {
    all: PerKey<K>,
    key: K,
}

impl<K: Eq + Hash + Copy> PerKey<K> {
    /// Counts one more; `None` when there are `limit` already.
    pub(crate) fn count(&self, key: K, limit: usize) -> Option<Counted<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let before = open.get(&key).copied().unwrap_or(0);
        if before >= limit {
            return None;
        }
        open.insert(key, before + 1);
        Some(Counted { all: self.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_have_so_many_and_closing_one_makes_room() {
        let all = PerKey::default();
        let (anna, ben) = (1, 2);
        let first = all.count(anna, 2).expect("the first");
        let _second = all.count(anna, 2).expect("the second");
        assert!(all.count(anna, 2).is_none());
        let _other = all.count(ben, 2).expect("others are not concerned");
        drop(first);
        drop(all.count(anna, 2).expect("there is room again"));
        assert!(all.count(3, 0).is_none());
        drop((_second, _other));
        assert!(all.open.lock().expect("no panic").is_empty());
    }
}
