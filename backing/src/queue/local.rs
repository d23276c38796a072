//! The embedded twin: a list in this process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{QueueError, Result};

/// Messages that may wait. A full queue refuses further ones; the tables still know the work.
const MAX_WAITING: usize = 100_000;

/// Handle to the list.
#[derive(Clone, Debug)]
pub struct LocalQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held for a push or a pop, by producers, consumers and dropped deliveries.
    waiting: Mutex<VecDeque<Bytes>>,
    /// One permit for each waiting message. It serves consumers in the order they came, and passes a permit
    /// on when a consumer gives up.
    ready: Semaphore,
}

impl Default for LocalQueue {
    fn default() -> Self {
        Self { shared: Arc::new(Shared { waiting: Mutex::default(), ready: Semaphore::new(0) }) }
    }
}

impl LocalQueue {
    pub(super) fn ring(&self, message: Bytes) -> Result<()> {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING {
            return Err(QueueError::Unavailable(format!("{MAX_WAITING} messages are waiting already")));
        }
        waiting.push_back(message);
        drop(waiting);
        self.shared.ready.add_permits(1);
        Ok(())
    }

    pub(super) async fn next(&self) -> Result<LocalDelivery> {
        let closed = || QueueError::Unavailable("the queue is closed".to_owned());
        self.shared.ready.acquire().await.map_err(|_| closed())?.forget();
        // No await from here on: a permit taken is a message taken.
        let message = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let message = message.ok_or_else(closed)?;
        Ok(LocalDelivery { message: Some(message), queue: self.clone() })
    }
}

/// A message taken from the list; goes back to its front when dropped without an ack.
#[derive(Debug)]
pub struct LocalDelivery {
    /// `None` only once acknowledged.
    message: Option<Bytes>,
    queue: LocalQueue,
}

impl LocalDelivery {
    pub(super) fn message(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.message.as_ref().unwrap_or(&NONE)
    }

    pub(super) fn ack(mut self) {
        self.message = None;
    }
}

impl Drop for LocalDelivery {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.queue.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_front(message);
            self.queue.shared.ready.add_permits(1);
        }
    }
}
