//! The cluster twin: a bucket of any S3 store, by path style and plain requests only: no conditional writes, no batch
//! deletes, no vendor's own calls. What a store must know to keep objects whole it knows by the protocol itself:
//! an object appears when its last byte was accepted, and a multipart upload when it is completed.

mod connect;
mod explain;
mod list;
mod read;
mod settings;
mod sweep;
mod upload;

use std::{path::Path, sync::Arc, time::Duration};

use aws_sdk_s3::{Client, presigning::PresigningConfig};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

pub use self::settings::S3Settings;
use super::{ByteStream, ObjectInfo, ObjectsError, Result, check_key, check_prefix, pieces};

/// Longest lifetime of a presigned address: signature version 4 allows a week.
const MAX_PRESIGNED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Cheap handle to a bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    /// Signs addresses for those who reach the store by another name.
    presigner: Client,
    bucket: String,
    /// Put before every key: empty, or ends in `/`.
    prefix: String,
    /// Bytes of one part of an upload: what an upload holds in memory.
    part_bytes: usize,
}

impl S3 {
    pub(super) async fn open(settings: S3Settings) -> Result<Self> {
        let prefix = settings.checked_prefix()?;
        let client = connect::client(&settings, &settings.endpoint)?;
        let presigner = match &settings.presign_endpoint {
            Some(endpoint) => connect::client(&settings, endpoint)?,
            None => client.clone(),
        };
        let part_bytes = settings.part_bytes.max(settings::MIN_PART_BYTES);
        let inner = Inner { client, presigner, bucket: settings.bucket.clone(), prefix, part_bytes };
        let store = Self { inner: Arc::new(inner) };
        store.check_bucket(settings.create_bucket).await?;
        tokio::spawn(sweep::sweep(store.clone(), settings.abandoned_after));
        Ok(store)
    }

    /// Asks for the bucket with a request whose refusal says why, and makes it where that is wanted.
    async fn check_bucket(&self, create: bool) -> Result<()> {
        let Err(refused) = self.list_page(None, 1).await else { return Ok(()) };
        if !(create && refused.code() == Some("NoSuchBucket")) {
            return Err(explain::at_start(&refused, &self.inner.bucket));
        }
        match self.inner.client.create_bucket().bucket(&self.inner.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let refused = explain::Refusal::new(error);
                // Another node was faster.
                let made = matches!(refused.code(), Some("BucketAlreadyOwnedByYou"));
                if made { Ok(()) } else { Err(explain::at_start(&refused, &self.inner.bucket)) }
            }
        }
    }

    /// The key in the bucket.
    fn full_key(&self, key: &str) -> Result<String> {
        check_key(key)?;
        Ok(format!("{}{key}", self.inner.prefix))
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.list_page(None, 1).await.map(|_| ()).map_err(explain::Refusal::into_error)
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let key = self.full_key(key)?;
        if bytes.len() <= self.inner.part_bytes {
            return upload::whole(&self.inner, &key, bytes).await;
        }
        let stream = futures_util::stream::iter([Ok(bytes)]).boxed();
        upload::stream(&self.inner, &key, stream, u64::MAX).await.map(|_| ())
    }

    pub(super) async fn put_stream(&self, key: &str, stream: ByteStream, limit: u64) -> Result<u64> {
        let key = self.full_key(key)?;
        upload::stream(&self.inner, &key, stream, limit).await
    }

    pub(super) async fn put_file(&self, key: &str, file: &Path) -> Result<u64> {
        let key = self.full_key(key)?;
        let stream = pieces::open_source(file).await.map_err(ObjectsError::Source)?;
        upload::stream(&self.inner, &key, stream, u64::MAX).await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let Some((size, mut stream)) = self.get_stream(key, 0).await? else { return Ok(None) };
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default().min(self.inner.part_bytes));
        while let Some(piece) = stream.next().await {
            whole.extend_from_slice(&piece.map_err(|error| ObjectsError::Unavailable(error.to_string()))?);
        }
        Ok(Some(whole.into()))
    }

    pub(super) async fn get_stream(&self, key: &str, offset: u64) -> Result<Option<(u64, ByteStream)>> {
        let key = self.full_key(key)?;
        read::open(self.inner.clone(), key, offset).await
    }

    pub(super) async fn fetch_to_file(&self, key: &str, file: &Path) -> Result<bool> {
        let Some((_, stream)) = self.get_stream(key, 0).await? else { return Ok(false) };
        let unavailable = |error: std::io::Error| ObjectsError::Unavailable(error.to_string());
        let mut copy = tokio::fs::File::create_new(file).await.map_err(unavailable)?;
        let copied = copy_all(stream, &mut copy).await;
        if copied.is_err() {
            // What was written so far is nobody's.
            let _ = tokio::fs::remove_file(file).await;
        }
        copied.map(|()| true).map_err(unavailable)
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        let key = self.full_key(key)?;
        match self.inner.client.head_object().bucket(&self.inner.bucket).key(key).send().await {
            Ok(answer) => Ok(Some(answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0))),
            Err(error) => explain::Refusal::new(error).into_absence(),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let key = self.full_key(key)?;
        match self.inner.client.delete_object().bucket(&self.inner.bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => explain::Refusal::new(error).into_absence::<()>().map(|_| ()),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        check_prefix(prefix)?;
        self.list_all(prefix).await
    }

    pub(super) async fn presign(&self, key: &str, lifetime: Duration) -> Result<String> {
        let key = self.full_key(key)?;
        let config = PresigningConfig::expires_in(lifetime.min(MAX_PRESIGNED))
            .map_err(|error| ObjectsError::Refused(error.to_string()))?;
        let request = self.inner.presigner.get_object().bucket(&self.inner.bucket).key(key).presigned(config).await;
        request.map(|request| request.uri().to_owned()).map_err(|error| explain::Refusal::new(error).into_error())
    }

    pub(super) async fn presign_put(&self, key: &str, lifetime: Duration) -> Result<String> {
        let key = self.full_key(key)?;
        let config = PresigningConfig::expires_in(lifetime.min(MAX_PRESIGNED))
            .map_err(|error| ObjectsError::Refused(error.to_string()))?;
        let request = self.inner.presigner.put_object().bucket(&self.inner.bucket).key(key).presigned(config).await;
        request.map(|request| request.uri().to_owned()).map_err(|error| explain::Refusal::new(error).into_error())
    }
}

async fn copy_all(mut stream: ByteStream, file: &mut tokio::fs::File) -> std::io::Result<()> {
    while let Some(piece) = stream.next().await {
        file.write_all(&piece?).await?;
    }
    file.flush().await
}
