//! The room's ear on the bus. A room that hears nothing still edits; it goes on trying, and reads the tables when it hears again.

use std::time::Duration;

use coderoom_backing::bus::{Bus, BusError, BusEvent, Subscription};
use coderoom_protocol::ids::TaskId;
use coderoom_worker::announce::task_topic;
use futures_util::FutureExt;
use tokio::task::JoinHandle;

/// A room begins without hearing when the bus takes longer than this.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// A bus that refused is asked again after this long.
const PAUSE: Duration = Duration::from_secs(1);
/// Events taken at once, so that a room with much to do does not miss any.
const BATCH: usize = 64;

/// How the room hears.
pub(super) enum Hearing {
    /// Subscribed.
    Yes(Subscription),
    /// Trying again and again.
    NotYet(JoinHandle<Subscription>),
}

impl Hearing {
    /// Subscribes to what is said about a task.
    pub(super) async fn begin(bus: &Bus, task: TaskId) -> Self {
        let topic = task_topic(task);
        let why = match tokio::time::timeout(FIRST_PATIENCE, bus.subscribe(&topic)).await {
            Ok(Ok(subscription)) => return Self::Yes(subscription),
            Ok(Err(error)) => error,
            Err(_) => BusError::Unavailable(String::from("no answer")),
        };
        tracing::error!(error = %why, task.id = %task, "a room hears no announcements; it keeps trying");
        let bus = bus.clone();
        Self::NotYet(tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                if let Ok(subscription) = bus.subscribe(&topic).await {
                    return subscription;
                }
            }
        }))
    }

    /// Waits for events and moves all that are there into `events`, which is empty. Cancel safe.
    pub(super) async fn take(&mut self, events: &mut Vec<BusEvent>) {
        let first = match self {
            Self::Yes(subscription) => subscription.next().await,
            Self::NotYet(trying) => match trying.await {
                Ok(subscription) => {
                    *self = Self::Yes(subscription);
                    BusEvent::Lost
                }
                // It ends with the runtime only.
                Err(_) => std::future::pending().await,
            },
        };
        events.push(first);
        if let Self::Yes(subscription) = self {
            while events.len() < BATCH
                && let Some(event) = subscription.next().now_or_never()
            {
                events.push(event);
            }
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        if let Self::NotYet(trying) = self {
            trying.abort();
        }
    }
}
