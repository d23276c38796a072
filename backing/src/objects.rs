//! Objects: named bytes that are written once and read many times: snapshots, blobs, finished logs, outputs.
//! Keys are `/`-separated paths of ASCII letters, digits and `-_.=+@,!()`, without empty, `.` or `..` components,
//! at most 900 bytes, 250 a component. No key may be a folder of another key: a directory refuses it, while an S3 store
//! would take it, so nobody may rely on either.
//!
//! Whoever opened an object to read gets all of it or an error, never a mixture of two. A directory's reader goes on with
//! the object it opened when that is replaced or deleted; a store's reader goes on while its connection lasts, and ends
//! with an error when it had to be taken up again after that. Write to new keys where readers must not be disturbed.

mod directory;
mod pieces;
mod s3;

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, stream::BoxStream};

pub use s3::S3Settings;

/// What can go wrong. A failed put leaves the old object, or none; never a part.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The stream was longer than the caller allowed.
    #[error("object is larger than {limit} bytes")]
    TooLarge {
        /// What the caller allowed, in bytes.
        limit: u64,
    },
    /// The key breaks a rule.
    #[error("bad object key {0:?}")]
    BadKey(String),
    /// The store is full. Trying again later helps.
    #[error("object storage is full")]
    Full,
    /// Credentials or bucket are wrong; trying again does not help.
    #[error("object storage refuses: {0}")]
    Refused(String),
    /// The store does not answer. Trying again later helps.
    #[error("object storage unavailable: {0}")]
    Unavailable(String),
    /// The caller's stream failed.
    #[error("source of the object failed: {0}")]
    Source(#[source] io::Error),
}

impl ObjectsError {
    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Full | Self::Unavailable(_))
    }
}

/// The result of the calls here.
pub type Result<T> = std::result::Result<T, ObjectsError>;

/// A stored object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub modified_ms: i64,
}

/// Pieces of an object, in order.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Longest key, in bytes. S3 allows 1,024; the rest is for a prefix that an operator may set.
pub const MAX_KEY_BYTES: usize = 900;

/// Longest component of a key, in bytes: what file systems allow is 255.
pub const MAX_KEY_COMPONENT_BYTES: usize = 250;

/// Checks the rules for keys.
fn check_key(key: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+@,!()".contains(&byte);
    let component = |part: &str| {
        !matches!(part, "" | "." | "..") && part.len() <= MAX_KEY_COMPONENT_BYTES && part.bytes().all(allowed)
    };
    if key.len() <= MAX_KEY_BYTES && key.split('/').all(component) {
        Ok(())
    } else {
        Err(ObjectsError::BadKey(key.chars().take(MAX_KEY_BYTES).collect()))
    }
}

/// Checks the prefix of a listing: empty, or a whole folder, ending in `/`.
fn check_prefix(prefix: &str) -> Result<()> {
    match prefix.strip_suffix('/') {
        Some(folder) => check_key(folder),
        None if prefix.is_empty() => Ok(()),
        None => Err(ObjectsError::BadKey(prefix.to_owned())),
    }
}

/// A cheap handle to the object store. The futures of the S3 twin are large and deeply nested, so they are boxed here.
#[derive(Clone, Debug)]
pub enum Objects {
    /// The embedded twin: a directory.
    Directory(directory::Directory),
    /// The cluster twin: a bucket of an S3 store.
    S3(s3::S3),
}

impl Objects {
    /// Opens (and creates) a directory.
    pub async fn open_directory(root: &Path) -> Result<Self> {
        directory::Directory::open(root).await.map(Self::Directory)
    }

    /// Uses a bucket of an S3 store. A missing bucket, wrong credentials or a wrong region are [`ObjectsError::Refused`],
    /// with a sentence that says what to mend; a store that does not answer is [`ObjectsError::Unavailable`]. Uploads that
    /// dead processes left are removed in the background.
    pub async fn open_s3(settings: S3Settings) -> Result<Self> {
        s3::S3::open(settings).await.map(Self::S3)
    }

    /// Whether the store answers, asked with the cheapest request that it would refuse to the wrong person.
    pub async fn ping(&self) -> Result<()> {
        match self {
            Self::Directory(twin) => twin.ping().await,
            Self::S3(twin) => twin.ping().boxed().await,
        }
    }

    /// An address under which anybody can fetch the object by HTTP for `lifetime` (at most a week), without credentials.
    /// It is signed, not checked: there need not be such an object. `None` where only this machine has the objects.
    pub async fn presign(&self, key: &str, lifetime: Duration) -> Result<Option<String>> {
        match self {
            Self::Directory(_) => check_key(key).map(|()| None),
            Self::S3(twin) => twin.presign(key, lifetime).boxed().await.map(Some),
        }
    }

    /// An address under which anybody can store the object by one HTTP PUT for `lifetime` (at most a week), without
    /// credentials. `None` where only this machine can store objects.
    pub async fn presign_put(&self, key: &str, lifetime: Duration) -> Result<Option<String>> {
        match self {
            Self::Directory(_) => check_key(key).map(|()| None),
            Self::S3(twin) => twin.presign_put(key, lifetime).boxed().await.map(Some),
        }
    }

    /// Stores `bytes` under `key`, replacing what was there. Durable on return.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        match self {
            Self::Directory(twin) => twin.put(key, bytes).await,
            Self::S3(twin) => twin.put(key, bytes).boxed().await,
        }
    }

    /// Stores a stream of at most `limit` bytes; gives its size. Durable on return; memory stays flat.
    pub async fn put_stream(&self, key: &str, stream: ByteStream, limit: u64) -> Result<u64> {
        match self {
            Self::Directory(twin) => twin.put_stream(key, stream, limit).await,
            Self::S3(twin) => twin.put_stream(key, stream, limit).boxed().await,
        }
    }

    /// Stores the content of a local file that nobody else can write. Durable on return.
    pub async fn put_file(&self, key: &str, file: &Path) -> Result<u64> {
        match self {
            Self::Directory(twin) => twin.put_file(key, file).await,
            Self::S3(twin) => twin.put_file(key, file).boxed().await,
        }
    }

    /// The whole object, for small ones; `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        match self {
            Self::Directory(twin) => twin.get(key).await,
            Self::S3(twin) => twin.get(key).boxed().await,
        }
    }

    /// Its size and a stream of the bytes from `offset` on; `None` when there is none.
    pub async fn get_stream(&self, key: &str, offset: u64) -> Result<Option<(u64, ByteStream)>> {
        match self {
            Self::Directory(twin) => twin.get_stream(key, offset).await,
            Self::S3(twin) => twin.get_stream(key, offset).boxed().await,
        }
    }

    /// Copies the object into a new local file `file` (the cheapest way the twin has); `false` when there is none.
    pub async fn fetch_to_file(&self, key: &str, file: &Path) -> Result<bool> {
        match self {
            Self::Directory(twin) => twin.fetch_to_file(key, file).await,
            Self::S3(twin) => twin.fetch_to_file(key, file).boxed().await,
        }
    }

    /// Its size in bytes; `None` when there is none.
    pub async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self {
            Self::Directory(twin) => twin.size(key).await,
            Self::S3(twin) => twin.size(key).boxed().await,
        }
    }

    /// Removes it; no error when there is none.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self {
            Self::Directory(twin) => twin.delete(key).await,
            Self::S3(twin) => twin.delete(key).boxed().await,
        }
    }

    /// All objects whose key begins with `prefix` (a whole folder, ending in `/`), ordered by key.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        match self {
            Self::Directory(twin) => twin.list(prefix).await,
            Self::S3(twin) => twin.list(prefix).boxed().await,
        }
    }
}
