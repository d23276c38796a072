//! The embedded twin: two lists in this process, of messages and of dead letters.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{DeadReason, QueueError, QueueLimits, Result};

/// Messages that may wait, and dead letters that are kept. A full queue refuses further messages; the tables still know
/// the work. A full list of dead letters forgets the oldest.
const MAX_WAITING: usize = 100_000;

/// Handle to the lists.
#[derive(Clone, Debug)]
pub struct LocalQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: QueueLimits,
    /// Held for a push or a pop, by producers, consumers and dropped deliveries.
    lists: Mutex<Lists>,
    /// One permit for each waiting message. It serves consumers in the order they came, and passes a permit
    /// on when a consumer gives up.
    ready: Semaphore,
    /// The same for dead letters.
    dead: Semaphore,
}

#[derive(Debug, Default)]
struct Lists {
    waiting: VecDeque<Waiting>,
    dead: VecDeque<(Bytes, DeadReason)>,
}

#[derive(Clone, Debug)]
struct Waiting {
    message: Bytes,
    expires: Instant,
    /// How often it came back.
    returns: u32,
}

impl Shared {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bury(&self, message: Bytes, reason: DeadReason) {
        let mut lists = self.lists();
        if lists.dead.len() >= MAX_WAITING {
            lists.dead.pop_front();
            self.dead.forget_permits(1);
        }
        lists.dead.push_back((message, reason));
        drop(lists);
        self.dead.add_permits(1);
    }

    /// Buries what waited too long; gives when the next message will have.
    fn bury_expired(&self) -> Instant {
        let now = Instant::now();
        let mut expired = Vec::new();
        let mut lists = self.lists();
        lists.waiting.retain(|waiting| {
            let keep = waiting.expires > now;
            if !keep {
                expired.push(waiting.message.clone());
            }
            keep
        });
        // A message put later expires later than this.
        let next = lists.waiting.iter().map(|waiting| waiting.expires).min().unwrap_or(now + self.limits.message_ttl);
        drop(lists);
        self.ready.forget_permits(expired.len());
        for message in expired {
            self.bury(message, DeadReason::Expired);
        }
        next
    }
}

fn closed() -> QueueError {
    QueueError::Unavailable("the queue is closed".to_owned())
}

impl LocalQueue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        let shared = Shared { limits, lists: Mutex::default(), ready: Semaphore::new(0), dead: Semaphore::new(0) };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn ring(&self, message: Bytes) -> Result<()> {
        let mut lists = self.shared.lists();
        if lists.waiting.len() >= MAX_WAITING {
            return Err(QueueError::Unavailable(format!("{MAX_WAITING} messages are waiting already")));
        }
        let expires = Instant::now() + self.shared.limits.message_ttl;
        lists.waiting.push_back(Waiting { message, expires, returns: 0 });
        drop(lists);
        self.shared.ready.add_permits(1);
        Ok(())
    }

    pub(super) async fn next(&self) -> Result<LocalDelivery> {
        loop {
            self.shared.ready.acquire().await.map_err(|_| closed())?.forget();
            // No await from here on: a permit taken is a message taken, unless it expired this moment.
            let Some(waiting) = self.shared.lists().waiting.pop_front() else { continue };
            if waiting.expires <= Instant::now() {
                self.shared.bury(waiting.message, DeadReason::Expired);
                continue;
            }
            return Ok(LocalDelivery { held: Some(waiting), queue: self.clone() });
        }
    }

    pub(super) async fn next_dead(&self) -> Result<LocalDeadLetter> {
        loop {
            let next_expires = self.shared.bury_expired();
            let patience = next_expires.saturating_duration_since(Instant::now());
            let Ok(permit) = timeout(patience, self.shared.dead.acquire()).await else { continue };
            permit.map_err(|_| closed())?.forget();
            let Some(held) = self.shared.lists().dead.pop_front() else { continue };
            return Ok(LocalDeadLetter { held: Some(held), queue: self.clone() });
        }
    }
}

static NONE: Bytes = Bytes::new();

/// A message taken from the list; goes back to its front when dropped without an ack.
#[derive(Debug)]
pub struct LocalDelivery {
    /// `None` only once acknowledged or refused.
    held: Option<Waiting>,
    queue: LocalQueue,
}

impl LocalDelivery {
    pub(super) fn message(&self) -> &Bytes {
        self.held.as_ref().map_or(&NONE, |held| &held.message)
    }

    pub(super) fn ack(mut self) {
        self.held = None;
    }

    pub(super) fn refuse(mut self) {
        if let Some(held) = self.held.take() {
            self.queue.shared.bury(held.message, DeadReason::Refused);
        }
    }
}

impl Drop for LocalDelivery {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        let shared = &self.queue.shared;
        held.returns += 1;
        if held.returns > shared.limits.delivery_limit {
            shared.bury(held.message, DeadReason::DeliveredTooOften);
            return;
        }
        shared.lists().waiting.push_front(held);
        shared.ready.add_permits(1);
    }
}

/// A dead letter; goes back to the front of their list when dropped without an ack.
#[derive(Debug)]
pub struct LocalDeadLetter {
    /// `None` only once acknowledged.
    held: Option<(Bytes, DeadReason)>,
    queue: LocalQueue,
}

impl LocalDeadLetter {
    pub(super) fn message(&self) -> &Bytes {
        self.held.as_ref().map_or(&NONE, |(message, _)| message)
    }

    pub(super) fn reason(&self) -> DeadReason {
        self.held.as_ref().map_or(DeadReason::Other, |(_, reason)| *reason)
    }

    pub(super) fn ack(mut self) {
        self.held = None;
    }
}

impl Drop for LocalDeadLetter {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.queue.shared.lists().dead.push_front(held);
            self.queue.shared.dead.add_permits(1);
        }
    }
}
