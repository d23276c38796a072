//! Counts the sockets that each user, and each address, has open on this node, and refuses more than one may have.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};

/// Seconds after which a refused client may try again: some socket will have closed by then, or not.
const AGAIN_S: u64 = 10;

/// Open sockets by user. Shared by the routes and by every socket.
pub(super) type PerUser = PerKey<UserId>;

/// Open sockets by address.
pub(super) type PerAddress = PerKey<IpAddr>;

/// Open sockets by whose they are.
#[derive(Clone, Debug)]
pub(super) struct PerKey<K: Eq + Hash> {
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash> Default for PerKey<K> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

/// One open socket; not counted any more when dropped.
#[derive(Debug)]
pub(super) struct Counted<K: Eq + Hash> {
    all: PerKey<K>,
    key: K,
}

impl<K: Eq + Hash + Copy> PerKey<K> {
    /// Counts one more socket. `too_many_requests` when there are `limit` already.
    pub(super) fn count(&self, key: K, limit: usize) -> Result<Counted<K>, WireError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= limit {
            let message = format!("You have {limit} connections open, and that is the most. Close one first.");
            return Err(WireError::new(ErrorCode::TooManyRequests, message).retry_after(AGAIN_S));
        }
        *count += 1;
        Ok(Counted { all: self.clone(), key })
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
    fn one_user_may_have_so_many_sockets_and_closing_one_makes_room() {
        let all = PerUser::default();
        let (anna, ben) = (UserId::new(), UserId::new());
        let first = all.count(anna, 2).expect("the first");
        let _second = all.count(anna, 2).expect("the second");
        assert_eq!(all.count(anna, 2).expect_err("the third").code, ErrorCode::TooManyRequests);
        let _other = all.count(ben, 2).expect("others are not concerned");
        drop(first);
        drop(all.count(anna, 2).expect("there is room again"));
        drop((_second, _other));
        assert!(all.open.lock().expect("no panic").is_empty());
    }
}
