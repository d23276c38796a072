//! The requests of one socket's control channel: those that change something run one after the other in the order in
//! which they came, the others beside them. All together are bounded by what they keep in memory; a full lane holds
//! reading back.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::Semaphore;

/// What a request costs at least: its task, its answer. With the default of 8 MiB this makes 64 open requests.
const MIN_COST_BYTES: usize = 128 * 1024;
/// Permits are kilobytes, because a semaphore counts in 32 bits.
const BYTES_PER_PERMIT: usize = 1024;

/// The open requests of one socket.
#[derive(Debug)]
pub(super) struct Lane {
    permits: Semaphore,
    all_permits: usize,
    ordered: Mutex<Ordered>,
}

#[derive(Default)]
struct Ordered {
    /// Bounded by the permits each one holds.
    waiting: VecDeque<BoxFuture<'static, ()>>,
    /// Somebody works through `waiting`.
    busy: bool,
}

impl std::fmt::Debug for Ordered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ordered").field("waiting", &self.waiting.len()).field("busy", &self.busy).finish()
    }
}

/// The right to have one request open. Given back when dropped.
#[derive(Debug)]
pub(super) struct Place<T: AsRef<Lane>> {
    owner: T,
    permits: usize,
}

impl<T: AsRef<Lane>> Drop for Place<T> {
    fn drop(&mut self) {
        self.owner.as_ref().permits.add_permits(self.permits);
    }
}

impl Lane {
    /// A lane whose open requests may keep this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let all_permits = (bytes / BYTES_PER_PERMIT).max(1);
        Self { permits: Semaphore::new(all_permits), all_permits, ordered: Mutex::default() }
    }

    /// Waits until there is room for a request of this many bytes. One that is larger than the whole lane waits for all of it.
    pub(super) async fn enter<T: AsRef<Self>>(owner: T, bytes: usize) -> Place<T> {
        let lane = owner.as_ref();
        let permits = (bytes.max(MIN_COST_BYTES) / BYTES_PER_PERMIT).min(lane.all_permits);
        // The semaphore is never closed.
        if let Ok(acquired) = lane.permits.acquire_many(u32::try_from(permits).unwrap_or(u32::MAX)).await {
            acquired.forget();
        }
        Place { owner, permits }
    }

    /// Runs `work` after everything that was put in order before it.
    pub(super) fn in_order<T>(owner: &T, work: BoxFuture<'static, ()>)
    where
        T: AsRef<Self> + Clone + Send + Sync + 'static,
    {
        {
            let mut ordered = owner.as_ref().ordered.lock().unwrap_or_else(PoisonError::into_inner);
            ordered.waiting.push_back(work);
            if std::mem::replace(&mut ordered.busy, true) {
                return;
            }
        }
        let owner = owner.clone();
        tokio::spawn(async move {
            loop {
                let next = {
                    let mut ordered = owner.as_ref().ordered.lock().unwrap_or_else(PoisonError::into_inner);
                    let next = ordered.waiting.pop_front();
                    ordered.busy = next.is_some();
                    next
                };
                let Some(work) = next else { return };
                // A request that panics has answered for itself (see `control`); the next ones must not wait for ever.
                let _ = AssertUnwindSafe(work).catch_unwind().await;
            }
        });
    }
}

/// Lets a lane be found through whatever shares it.
impl AsRef<Lane> for Arc<super::socket::Socket> {
    fn as_ref(&self) -> &Lane {
        &self.lane
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    #[derive(Clone)]
    struct Owner(Arc<Lane>);

    impl AsRef<Lane> for Owner {
        fn as_ref(&self) -> &Lane {
            &self.0
        }
    }

    #[tokio::test]
    async fn ordered_work_runs_in_order_and_survives_a_panic() {
        let owner = Owner(Arc::new(Lane::new(8 << 20)));
        let (sender, mut receiver) = mpsc::channel(100);
        for n in 0..20 {
            let sender = sender.clone();
            let work = async move {
                if n == 3 {
                    panic!("on purpose");
                }
                tokio::task::yield_now().await;
                sender.send(n).await.expect("the test listens");
            };
            Lane::in_order(&owner, Box::pin(work));
        }
        drop(sender);
        let mut order = Vec::new();
        while let Some(n) = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await.expect("work goes on") {
            order.push(n);
        }
        assert_eq!(order, (0..20).filter(|n| *n != 3).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn full_lane_lets_nobody_in_until_a_request_is_done() {
        let owner = Owner(Arc::new(Lane::new(2 * MIN_COST_BYTES)));
        let first = Lane::enter(owner.clone(), 1).await;
        let _second = Lane::enter(owner.clone(), 1).await;
        let third = Lane::enter(owner.clone(), 1);
        tokio::pin!(third);
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        let third = tokio::time::timeout(Duration::from_secs(5), third).await.expect("room is free");
        drop((third, _second));
        let whole = tokio::time::timeout(Duration::from_secs(5), Lane::enter(owner, usize::MAX)).await;
        assert!(whole.is_ok(), "a large one takes the whole lane");
    }
}
