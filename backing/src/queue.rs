//! The run queue's doorbell: a message says "there is one more thing to do", the tables say what.
//! Messages may be lost, doubled or late; nobody relies on them for truth.

mod local;
mod rabbitmq;

use std::time::Duration;

use bytes::Bytes;

pub use self::rabbitmq::{RabbitMqNames, RabbitMqSettings};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker does not answer. Trying again later helps.
    #[error("queue unavailable: {0}")]
    Unavailable(String),
    /// The broker refuses us, and somebody must change a setting: the words say which.
    #[error("queue refused: {0}")]
    Refused(String),
}

impl QueueError {
    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The result of the calls here.
pub type Result<T> = std::result::Result<T, QueueError>;

/// What a message may go through before it becomes a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Time it may wait. Default one hour.
    pub message_ttl: Duration,
    /// How often it may come back without an acknowledgement. Default 20.
    pub delivery_limit: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { message_ttl: Duration::from_secs(3600), delivery_limit: 20 }
    }
}

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadReason {
    /// It waited longer than [`QueueLimits::message_ttl`].
    Expired,
    /// A consumer refused it: [`Delivery::refuse`].
    Refused,
    /// It came back more often than [`QueueLimits::delivery_limit`].
    DeliveredTooOften,
    /// Something else, as an operator may have configured the broker.
    Other,
}

/// A cheap handle to the queue.
#[derive(Clone, Debug)]
pub enum Queue {
    /// The embedded twin: in this process, rebuilt from the tables at start.
    Local(local::LocalQueue),
    /// The cluster twin: a quorum queue of RabbitMQ.
    RabbitMq(rabbitmq::RabbitQueue),
}

impl Queue {
    /// The in-process queue with default limits.
    #[must_use]
    pub fn open_local() -> Self {
        Self::open_local_with(QueueLimits::default())
    }

    /// The in-process queue.
    #[must_use]
    pub fn open_local_with(limits: QueueLimits) -> Self {
        Self::Local(local::LocalQueue::new(limits))
    }

    /// The queue of a RabbitMQ broker (3.10 or newer), made there if it is missing. The broker must answer now; later it
    /// may come and go.
    ///
    /// # Errors
    /// `Refused` names the setting: wrong password, missing virtual host, a queue that exists with other properties.
    /// `Unavailable`: nobody answers at that address.
    pub async fn open_rabbitmq(settings: RabbitMqSettings) -> Result<Self> {
        rabbitmq::RabbitQueue::open(settings).await.map(Self::RabbitMq)
    }

    /// Whether the broker answers now; returns within a few seconds.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::RabbitMq(twin) => twin.check().await,
        }
    }

    /// Puts a message for one consumer. On success the queue has it safely (as safely as the twin can).
    /// After an error it may be there all the same.
    pub async fn ring(&self, message: Bytes) -> Result<()> {
        match self {
            Self::Local(twin) => twin.ring(message),
            Self::RabbitMq(twin) => twin.ring(message).await,
        }
    }

    /// Waits for the next message. Cancel safe: a message not yet returned stays in the queue, for others too if nobody
    /// asks here again within half a second. A delivery dropped without [`Delivery::ack`] is delivered again.
    pub async fn next(&self) -> Result<Delivery> {
        match self {
            Self::Local(twin) => twin.next().await.map(Delivery::Local),
            Self::RabbitMq(twin) => twin.next().await.map(Box::new).map(Delivery::RabbitMq),
        }
    }

    /// Waits for the next dead letter, as [`Queue::next`] does. It too comes again when it is dropped without an ack.
    pub async fn next_dead(&self) -> Result<DeadLetter> {
        match self {
            Self::Local(twin) => twin.next_dead().await.map(DeadLetter::Local),
            Self::RabbitMq(twin) => twin.next_dead().await.map(Box::new).map(DeadLetter::RabbitMq),
        }
    }
}

/// A message in the hands of one consumer.
#[derive(Debug)]
pub enum Delivery {
    /// Of the embedded twin.
    Local(local::LocalDelivery),
    /// Of the cluster twin.
    RabbitMq(Box<rabbitmq::RabbitDelivery>),
}

impl Delivery {
    /// What was put.
    #[must_use]
    pub fn message(&self) -> &Bytes {
        match self {
            Self::Local(twin) => twin.message(),
            Self::RabbitMq(twin) => twin.message(),
        }
    }

    /// Says that the work was handed over; the message is gone for good. After an error it may come again.
    pub async fn ack(self) -> Result<()> {
        match self {
            Self::Local(twin) => {
                twin.ack();
                Ok(())
            }
            Self::RabbitMq(twin) => twin.ack().await,
        }
    }

    /// Says that nobody can ever use this message; it becomes a dead letter. After an error it may come again.
    pub async fn refuse(self) -> Result<()> {
        match self {
            Self::Local(twin) => {
                twin.refuse();
                Ok(())
            }
            Self::RabbitMq(twin) => twin.refuse().await,
        }
    }
}

/// A message that nobody took, in the hands of one consumer.
#[derive(Debug)]
pub enum DeadLetter {
    /// Of the embedded twin.
    Local(local::LocalDeadLetter),
    /// Of the cluster twin.
    RabbitMq(Box<rabbitmq::RabbitDelivery>),
}

impl DeadLetter {
    /// What was put.
    #[must_use]
    pub fn message(&self) -> &Bytes {
        match self {
            Self::Local(twin) => twin.message(),
            Self::RabbitMq(twin) => twin.message(),
        }
    }

    /// Why it is dead.
    #[must_use]
    pub fn reason(&self) -> DeadReason {
        match self {
            Self::Local(twin) => twin.reason(),
            Self::RabbitMq(twin) => twin.dead_reason(),
        }
    }

    /// Says that it was dealt with; it is gone for good. After an error it may come again.
    pub async fn ack(self) -> Result<()> {
        match self {
            Self::Local(twin) => {
                twin.ack();
                Ok(())
            }
            Self::RabbitMq(twin) => twin.ack().await,
        }
    }
}
