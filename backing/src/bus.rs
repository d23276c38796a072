//! The bus between nodes: announcements by topic, and short append-only streams. It holds hints only.
//! Everything in it may be lost at any moment; a subscriber that hears [`BusEvent::Lost`] reads the truth again.

mod local;
mod redis;
mod topics;

use std::path::Path;

use bytes::Bytes;

pub use self::redis::RedisSettings;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The service does not answer. Trying again later helps.
    #[error("bus unavailable: {0}")]
    Unavailable(String),
    /// A stream's storage is full. Trying again later helps.
    #[error("storage is full")]
    Full,
}

/// The result of the calls here.
pub type Result<T> = std::result::Result<T, BusError>;

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message, as published.
    Message(Bytes),
    /// Messages may have been missed (a slow reader, a broken connection): read the truth again.
    Lost,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position right behind the entry: the end offset its writer gave it.
    pub end: u64,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A cheap handle to the bus.
#[derive(Clone, Debug)]
pub enum Bus {
    /// The embedded twin: channels in this process, streams in a directory.
    Local(local::LocalBus),
    /// The cluster twin: publish and subscribe, and streams, of a Redis server.
    Redis(redis::RedisBus),
}

impl Bus {
    /// The in-process bus. `streams` is a directory that keeps streams over a restart of the process.
    pub async fn open_local(streams: &Path) -> Result<Self> {
        local::LocalBus::open(streams).await.map(Self::Local)
    }

    /// The bus of a Redis server. It must answer now; later it may come and go.
    ///
    /// # Errors
    /// `Unavailable` says in words what is wrong: not reachable, password refused, too old.
    pub async fn open_redis(settings: RedisSettings) -> Result<Self> {
        redis::RedisBus::open(settings).await.map(Self::Redis)
    }

    /// Whether the service answers now; returns within a few seconds.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(twin) => twin.check().await,
        }
    }

    /// Announces `message` to all who are subscribed to `topic` now. Nobody subscribed is not an error.
    pub async fn publish(&self, topic: &str, message: Bytes) -> Result<()> {
        match self {
            Self::Local(twin) => {
                twin.publish(topic, message);
                Ok(())
            }
            Self::Redis(twin) => twin.publish(topic, message).await,
        }
    }

    /// Hears what is published on `topic` from now on. Subscribe first, then read the truth. While the service is away
    /// this succeeds too: the subscriber hears [`BusEvent::Lost`] now and then, and when the service is back.
    pub async fn subscribe(&self, topic: &str) -> Result<Subscription> {
        match self {
            Self::Local(twin) => Ok(Subscription::Local(twin.subscribe(topic))),
            Self::Redis(twin) => Ok(Subscription::Redis(twin.subscribe(topic).await)),
        }
    }

    /// Appends an entry that ends at `end` to `stream`. An `end` that is not behind the last entry's is ignored,
    /// so that appending twice is harmless. Not durable against loss of power.
    pub async fn append(&self, stream: &str, end: u64, bytes: Bytes) -> Result<()> {
        match self {
            Self::Local(twin) => twin.append(stream, end, bytes).await,
            Self::Redis(twin) => twin.append(stream, end, bytes).await,
        }
    }

    /// Entries that end after `after`, in order, until about `max_bytes` are gathered (at least one if there is one).
    pub async fn read(&self, stream: &str, after: u64, max_bytes: usize) -> Result<Vec<Entry>> {
        match self {
            Self::Local(twin) => twin.read(stream, after, max_bytes).await,
            Self::Redis(twin) => twin.read(stream, after, max_bytes).await,
        }
    }

    /// End of the last entry; `None` when the stream is empty or gone.
    pub async fn last(&self, stream: &str) -> Result<Option<u64>> {
        match self {
            Self::Local(twin) => twin.last(stream).await,
            Self::Redis(twin) => twin.last(stream).await,
        }
    }

    /// Allows entries that end at or before `up_to` to be forgotten (they are stored elsewhere).
    pub async fn trim(&self, stream: &str, up_to: u64) -> Result<()> {
        match self {
            Self::Local(twin) => twin.trim(stream, up_to).await,
            Self::Redis(twin) => twin.trim(stream, up_to).await,
        }
    }

    /// Forgets the stream.
    pub async fn remove(&self, stream: &str) -> Result<()> {
        match self {
            Self::Local(twin) => twin.remove(stream).await,
            Self::Redis(twin) => twin.remove(stream).await,
        }
    }
}

/// The receiving end of one topic.
#[derive(Debug)]
pub enum Subscription {
    /// Of the embedded twin.
    Local(topics::TopicSubscription),
    /// Of the cluster twin.
    Redis(redis::RedisSubscription),
}

impl Subscription {
    /// The next event. Cancel safe. Never ends.
    pub async fn next(&mut self) -> BusEvent {
        match self {
            Self::Local(twin) => twin.next().await,
            Self::Redis(twin) => twin.next().await,
        }
    }
}
