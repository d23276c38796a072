//! Writing an object: in one request while it fits into one part, else as a multipart upload whose parts are gathered
//! in memory, one at a time. Whatever ends an upload early removes what was sent.

use std::sync::Arc;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::{Inner, explain::Refusal};
use crate::objects::{ByteStream, ObjectsError, Result};

/// Most parts of one upload that S3 allows.
const MAX_PARTS: i32 = 10_000;

/// Stores `bytes` in one request.
pub(super) async fn whole(inner: &Inner, key: &str, bytes: Bytes) -> Result<()> {
    let request = inner.client.put_object().bucket(&inner.bucket).key(key);
    let sent = request.content_length(bytes.len().try_into().unwrap_or(i64::MAX)).body(bytes.into()).send().await;
    sent.map(|_| ()).map_err(|error| Refusal::new(error).into_error())
}

/// Stores a stream of at most `limit` bytes; gives its size.
pub(super) async fn stream(inner: &Arc<Inner>, key: &str, mut stream: ByteStream, limit: u64) -> Result<u64> {
    let mut size = 0_u64;
    let mut gathered = BytesMut::new();
    let mut upload: Option<Upload> = None;
    while let Some(piece) = stream.next().await.transpose().map_err(ObjectsError::Source)? {
        size = size.saturating_add(piece.len() as u64);
        if size > limit {
            return Err(ObjectsError::TooLarge { limit });
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let room = inner.part_bytes - gathered.len();
            let taken = rest.split_to(room.min(rest.len()));
            gathered.extend_from_slice(&taken);
            // A full part is sent when more follows, so that what fits into one needs one request.
            if gathered.len() == inner.part_bytes && !rest.is_empty() {
                send_part(inner, key, &mut upload, &mut gathered).await?;
            }
        }
        if gathered.len() == inner.part_bytes && upload.is_some() {
            send_part(inner, key, &mut upload, &mut gathered).await?;
        }
    }
    let Some(mut upload) = upload else {
        whole(inner, key, gathered.freeze()).await?;
        return Ok(size);
    };
    if !gathered.is_empty() {
        upload.send(gathered.freeze()).await?;
    }
    upload.complete(size).await?;
    Ok(size)
}

async fn send_part(inner: &Arc<Inner>, key: &str, upload: &mut Option<Upload>, gathered: &mut BytesMut) -> Result<()> {
    let upload = match upload {
        Some(upload) => upload,
        None => {
            // A task of its own: when nobody waits any more for the name of the upload, it still arrives, and the upload is
            // dropped and aborted.
            let begun = tokio::spawn(Upload::begin(inner.clone(), key.to_owned())).await;
            upload.insert(begun.map_err(|error| ObjectsError::Unavailable(error.to_string()))??)
        }
    };
    let part = std::mem::take(gathered).freeze();
    upload.send(part).await
}

/// A multipart upload under way. Dropped before it is completed, it is aborted in the background.
struct Upload {
    inner: Arc<Inner>,
    key: String,
    /// The store's name for it; empty once there is nothing to abort.
    id: String,
    parts: Vec<CompletedPart>,
}

impl Upload {
    async fn begin(inner: Arc<Inner>, key: String) -> Result<Self> {
        let began = inner.client.create_multipart_upload().bucket(&inner.bucket).key(&key).send().await;
        let began = began.map_err(|error| Refusal::new(error).into_error())?;
        let id = began.upload_id().unwrap_or_default().to_owned();
        if id.is_empty() {
            return Err(ObjectsError::Unavailable("the store gave an upload no name".into()));
        }
        Ok(Self { inner, key, id, parts: Vec::new() })
    }

    async fn send(&mut self, part: Bytes) -> Result<()> {
        let number = i32::try_from(self.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        if number > MAX_PARTS {
            return Err(ObjectsError::TooLarge {
                limit: self.inner.part_bytes as u64 * u64::from(MAX_PARTS.unsigned_abs()),
            });
        }
        let inner = &self.inner;
        let request = inner.client.upload_part().bucket(&inner.bucket).key(&self.key).upload_id(&self.id);
        let request = request.part_number(number).content_length(part.len().try_into().unwrap_or(i64::MAX));
        let sent = request.body(part.into()).send().await.map_err(|error| Refusal::new(error).into_error())?;
        let done = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned)).build();
        self.parts.push(done);
        Ok(())
    }

    async fn complete(mut self, size: u64) -> Result<()> {
        let inner = self.inner.clone();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let request = inner.client.complete_multipart_upload().bucket(&inner.bucket).key(&self.key);
        match request.upload_id(&self.id).multipart_upload(parts).send().await {
            Ok(_) => {
                self.id.clear();
                Ok(())
            }
            Err(error) => {
                let refusal = Refusal::new(error);
                // The first try may have worked while its answer was lost; then the upload is gone and the object there.
                if refusal.code() == Some("NoSuchUpload") && self.is_there(size).await {
                    self.id.clear();
                    return Ok(());
                }
                Err(refusal.into_error())
            }
        }
    }

    async fn is_there(&self, size: u64) -> bool {
        let head = self.inner.client.head_object().bucket(&self.inner.bucket).key(&self.key).send().await;
        head.is_ok_and(|head| head.content_length().and_then(|length| u64::try_from(length).ok()) == Some(size))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (inner, key, id) = (self.inner.clone(), std::mem::take(&mut self.key), std::mem::take(&mut self.id));
        if id.is_empty() {
            return;
        }
        // Outside a runtime (the process ends) the sweep of a later start does it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let aborted =
                inner.client.abort_multipart_upload().bucket(&inner.bucket).key(key).upload_id(id).send().await;
            if let Err(error) = aborted {
                let error = Refusal::new(error).into_error();
                tracing::debug!(%error, "an upload could not be aborted; a sweep will");
            }
        });
    }
}
