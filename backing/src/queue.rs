//! The run queue's doorbell: a message says "there is one more thing to do", the tables say what.
//! Messages may be lost, doubled or late; nobody relies on them for truth.

mod local;

use bytes::Bytes;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker does not answer. Trying again later helps.
    #[error("queue unavailable: {0}")]
    Unavailable(String),
}

/// The result of the calls here.
pub type Result<T> = std::result::Result<T, QueueError>;

/// A cheap handle to the queue.
#[derive(Clone, Debug)]
pub enum Queue {
    /// The embedded twin: in this process, rebuilt from the tables at start.
    Local(local::LocalQueue),
}

impl Queue {
    /// The in-process queue.
    #[must_use]
    pub fn open_local() -> Self {
        Self::Local(local::LocalQueue::default())
    }

    /// Puts a message for one consumer. On success the queue has it safely (as safely as the twin can).
    pub async fn ring(&self, message: Bytes) -> Result<()> {
        match self {
            Self::Local(twin) => twin.ring(message),
        }
    }

    /// Waits for the next message. Cancel safe: a message not yet returned stays in the queue.
    /// A delivery dropped without [`Delivery::ack`] is delivered again.
    pub async fn next(&self) -> Result<Delivery> {
        match self {
            Self::Local(twin) => twin.next().await.map(Delivery::Local),
        }
    }
}

/// A message in the hands of one consumer.
#[derive(Debug)]
pub enum Delivery {
    /// Of the embedded twin.
    Local(local::LocalDelivery),
}

impl Delivery {
    /// What was put.
    #[must_use]
    pub fn message(&self) -> &Bytes {
        match self {
            Self::Local(twin) => twin.message(),
        }
    }

    /// Says that the work was handed over; the message is gone for good.
    pub async fn ack(self) -> Result<()> {
        match self {
            Self::Local(twin) => {
                twin.ack();
                Ok(())
            }
        }
    }
}
