//! The embedded twin: topics are lists of inboxes in this process; streams are files in a directory.

mod files;
mod frame;
mod segment;
mod stream;
mod streams;

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use self::streams::Streams;
use super::{
    BusError, Entry, Result,
    topics::{TopicSubscription, Topics},
};

/// Handle to the topics and streams.
#[derive(Clone, Debug)]
pub struct LocalBus {
    topics: Arc<Topics>,
    streams: Arc<Streams>,
}

/// Runs file work on a blocking thread. It goes on when the caller is cancelled.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| BusError::Unavailable(error.to_string()))?
}

impl LocalBus {
    pub(super) async fn open(streams: &Path) -> Result<Self> {
        let root = streams.to_owned();
        let streams = Arc::new(blocking(move || Streams::open(&root)).await?);
        Ok(Self { topics: Arc::default(), streams })
    }

    pub(super) fn publish(&self, topic: &str, message: Bytes) {
        self.topics.publish(topic, &message);
    }

    pub(super) fn subscribe(&self, topic: &str) -> TopicSubscription {
        TopicSubscription::new(&self.topics, topic)
    }

    pub(super) async fn append(&self, stream: &str, end: u64, bytes: Bytes) -> Result<()> {
        let (streams, stream) = (self.streams.clone(), stream.to_owned());
        blocking(move || streams.append(&stream, end, &bytes)).await
    }

    pub(super) async fn read(&self, stream: &str, after: u64, max_bytes: usize) -> Result<Vec<Entry>> {
        let (streams, stream) = (self.streams.clone(), stream.to_owned());
        blocking(move || streams.read(&stream, after, max_bytes)).await
    }

    pub(super) async fn last(&self, stream: &str) -> Result<Option<u64>> {
        let (streams, stream) = (self.streams.clone(), stream.to_owned());
        blocking(move || streams.last(&stream)).await
    }

    pub(super) async fn trim(&self, stream: &str, up_to: u64) -> Result<()> {
        let (streams, stream) = (self.streams.clone(), stream.to_owned());
        blocking(move || streams.trim(&stream, up_to)).await
    }

    pub(super) async fn remove(&self, stream: &str) -> Result<()> {
        let (streams, stream) = (self.streams.clone(), stream.to_owned());
        blocking(move || streams.remove(&stream)).await
    }
}
