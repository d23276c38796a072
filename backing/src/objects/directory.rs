//! The embedded twin: files in a directory.

use std::path::Path;

use bytes::Bytes;

use super::{ByteStream, ObjectInfo, Result};

/// Handle to the root directory.
#[derive(Clone, Debug)]
pub struct Directory {}

impl Directory {
    pub(super) async fn open(_root: &Path) -> Result<Self> {
        todo!()
    }
    pub(super) async fn put(&self, _key: &str, _bytes: Bytes) -> Result<()> {
        todo!()
    }
    pub(super) async fn put_stream(&self, _key: &str, _stream: ByteStream, _limit: u64) -> Result<u64> {
        todo!()
    }
    pub(super) async fn put_file(&self, _key: &str, _file: &Path) -> Result<u64> {
        todo!()
    }
    pub(super) async fn get(&self, _key: &str) -> Result<Option<Bytes>> {
        todo!()
    }
    pub(super) async fn get_stream(&self, _key: &str, _offset: u64) -> Result<Option<(u64, ByteStream)>> {
        todo!()
    }
    pub(super) async fn fetch_to_file(&self, _key: &str, _file: &Path) -> Result<bool> {
        todo!()
    }
    pub(super) async fn size(&self, _key: &str) -> Result<Option<u64>> {
        todo!()
    }
    pub(super) async fn delete(&self, _key: &str) -> Result<()> {
        todo!()
    }
    pub(super) async fn list(&self, _prefix: &str) -> Result<Vec<ObjectInfo>> {
        todo!()
    }
}
