//! Counts the sockets each user has open on this node, and refuses more than one may have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};

/// Open sockets by user. Shared by the routes and by every socket.
#[derive(Clone, Debug, Default)]
pub(super) struct PerUser {
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One open socket of a user; not counted any more when dropped.
#[derive(Debug)]
pub(super) struct Counted {
    all: PerUser,
    user: UserId,
}

impl PerUser {
    /// Counts one more socket. `too_many_requests` when the user has `limit` already.
    pub(super) fn count(&self, user: UserId, limit: usize) -> Result<Counted, WireError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user).or_default();
        if *count >= limit {
            let message = format!("You have {limit} connections open, and that is the most. Close one first.");
            return Err(WireError::new(ErrorCode::TooManyRequests, message));
        }
        *count += 1;
        Ok(Counted { all: self.clone(), user })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
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
