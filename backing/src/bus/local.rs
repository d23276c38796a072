//! The embedded twin: broadcast channels in this process; streams are files in a directory.

use std::path::Path;

use bytes::Bytes;

use super::{BusEvent, Entry, Result};

/// Handle to the topics and streams.
#[derive(Clone, Debug)]
pub struct LocalBus {}

impl LocalBus {
    pub(super) async fn open(_streams: &Path) -> Result<Self> {
        todo!()
    }
    pub(super) fn publish(&self, _topic: &str, _message: Bytes) {
        todo!()
    }
    pub(super) fn subscribe(&self, _topic: &str) -> LocalSubscription {
        todo!()
    }
    pub(super) async fn append(&self, _stream: &str, _end: u64, _bytes: Bytes) -> Result<()> {
        todo!()
    }
    pub(super) async fn read(&self, _stream: &str, _after: u64, _max_bytes: usize) -> Result<Vec<Entry>> {
        todo!()
    }
    pub(super) async fn last(&self, _stream: &str) -> Result<Option<u64>> {
        todo!()
    }
    pub(super) async fn trim(&self, _stream: &str, _up_to: u64) -> Result<()> {
        todo!()
    }
    pub(super) async fn remove(&self, _stream: &str) -> Result<()> {
        todo!()
    }
}

/// The receiving end of one topic.
#[derive(Debug)]
pub struct LocalSubscription {}

impl LocalSubscription {
    pub(super) async fn next(&mut self) -> BusEvent {
        todo!()
    }
}
