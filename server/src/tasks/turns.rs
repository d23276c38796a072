//! Turns to pack archives: so many at once, and so many of them for one user, so that somebody who reads slowly holds up
//! themselves and nobody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::failed;

/// Seconds after which a refused user may try again.
const AGAIN_S: u64 = 30;

/// Turns that are left. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// Who gets none waits.
    left: Arc<Semaphore>,
    per_user: usize,
    /// Turns that users have or wait for. Also held by these.
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

/// One turn that a user has or waits for.
#[derive(Debug)]
struct Counted {
    user: UserId,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Turns {
    /// `at_once` turns, `per_user` for each user.
    pub(super) fn new(at_once: usize, per_user: usize) -> Self {
        Self { left: Arc::new(Semaphore::new(at_once)), per_user, taken: Arc::default() }
    }

    /// Waits for a turn. `too_many_requests` when the user has as many as one may, or none is free for `patience`.
    pub(super) async fn take(&self, user: UserId, patience: Duration) -> Result<Turn, WireError> {
        let counted = self.count(user)?;
        let busy = "Many archives are being packed at the moment. Try again in a minute.";
        let permit = timeout(patience, Arc::clone(&self.left).acquire_owned()).await;
        let permit = permit.map_err(|_| WireError::new(ErrorCode::TooManyRequests, busy))?;
        Ok(Turn { _permit: permit.map_err(failed::internal("wait to pack"))?, _counted: counted })
    }

    fn count(&self, user: UserId) -> Result<Counted, WireError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(user).or_default();
        if *count >= self.per_user {
            let most = self.per_user;
            let text = format!("You are downloading {most} archives, and that is the most at once. Let one end first.");
            return Err(WireError::new(ErrorCode::TooManyRequests, text).retry_after(AGAIN_S));
        }
        *count += 1;
        Ok(Counted { user, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}
