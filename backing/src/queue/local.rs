//! The embedded twin: a list in this process.

use bytes::Bytes;

/// Handle to the list.
#[derive(Clone, Debug, Default)]
pub struct LocalQueue {}

impl LocalQueue {
    pub(super) fn ring(&self, _message: Bytes) {
        todo!()
    }
    pub(super) async fn next(&self) -> LocalDelivery {
        todo!()
    }
}

/// A message taken from the list; goes back when dropped.
#[derive(Debug)]
pub struct LocalDelivery {}

impl LocalDelivery {
    pub(super) fn message(&self) -> &Bytes {
        todo!()
    }
    pub(super) fn ack(self) {
        todo!()
    }
}
