//! Reading an object from any offset. A connection that breaks or stalls in the middle is taken up again where it
//! stopped, but only while the object is still the one that was opened: its tag and size are compared.

use std::{io, sync::Arc, time::Duration};

use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream as Body};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use super::{Inner, explain::Refusal};
use crate::objects::{ByteStream, ObjectsError, Result};

/// Silence in the middle of an object after which the connection is given up.
const STALLED: Duration = Duration::from_secs(20);

/// How often in a row a reader is taken up again without a byte of progress.
const RESUMES: u32 = 6;

/// Pause before a reader is taken up again, times the failures in a row.
const RESUME_PAUSE: Duration = Duration::from_millis(500);

/// A reader between two pieces.
struct Reader {
    inner: Arc<Inner>,
    key: String,
    tag: Option<String>,
    size: u64,
    /// Offset of the next byte.
    at: u64,
    /// What is being read; `None` when it broke.
    body: Option<Body>,
    /// Failures since the last byte.
    failures: u32,
}

/// Opens it at `offset`; `None` when there is no such object.
pub(super) async fn open(inner: Arc<Inner>, key: String, offset: u64) -> Result<Option<(u64, ByteStream)>> {
    let answer = match get(&inner, &key, offset).await {
        Ok(answer) => answer,
        Err(refusal) if refusal.is_behind_the_end() => {
            // Nothing lies there; only the size is asked for.
            let head = inner.client.head_object().bucket(&inner.bucket).key(&key).send().await;
            return match head {
                Ok(head) => Ok(Some((from_i64(head.content_length()), stream::empty().boxed()))),
                Err(error) => Refusal::new(error).into_absence(),
            };
        }
        Err(refusal) => return refusal.into_absence(),
    };
    let Some(size) = whole_size(&answer, offset) else {
        return Err(ObjectsError::Unavailable("the store does not answer a request for a part with that part".into()));
    };
    let tag = answer.e_tag().map(str::to_owned);
    let reader = Reader { inner, key, tag, size, at: offset, body: Some(answer.body), failures: 0 };
    Ok(Some((size, stream::try_unfold(reader, next_piece).boxed())))
}

async fn get(inner: &Inner, key: &str, offset: u64) -> std::result::Result<GetObjectOutput, Refusal> {
    let request = inner.client.get_object().bucket(&inner.bucket).key(key);
    let request = if offset == 0 { request } else { request.range(format!("bytes={offset}-")) };
    request.send().await.map_err(Refusal::new)
}

/// Size of the whole object; `None` when the answer is not what was asked for.
fn whole_size(answer: &GetObjectOutput, offset: u64) -> Option<u64> {
    match answer.content_range() {
        None if offset == 0 => Some(from_i64(answer.content_length())),
        None => None,
        Some(range) => {
            let (part, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
            let (first, _) = part.split_once('-')?;
            (first.parse() == Ok(offset)).then(|| whole.parse().ok())?
        }
    }
}

fn from_i64(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

async fn next_piece(mut reader: Reader) -> io::Result<Option<(Bytes, Reader)>> {
    loop {
        if reader.at >= reader.size {
            return Ok(None);
        }
        let why = match reader.body.as_mut() {
            None => reader.resume().await?,
            Some(body) => match timeout(STALLED, body.next()).await {
                Ok(Some(Ok(piece))) if piece.is_empty() => continue,
                Ok(Some(Ok(mut piece))) => {
                    piece.truncate(usize::try_from(reader.size - reader.at).unwrap_or(usize::MAX));
                    reader.at += piece.len() as u64;
                    reader.failures = 0;
                    return Ok(Some((piece, reader)));
                }
                Ok(Some(Err(error))) => Some(error.to_string()),
                Ok(None) => Some("the connection ended early".to_owned()),
                Err(_) => Some(format!("no byte came for {STALLED:?}")),
            },
        };
        let Some(why) = why else { continue };
        reader.body = None;
        reader.failures += 1;
        if reader.failures > RESUMES {
            return Err(io::Error::other(format!("the object could not be read to its end: {why}")));
        }
        tracing::debug!(why, at = reader.at, "a reader of an object is taken up again");
        tokio::time::sleep(RESUME_PAUSE * reader.failures).await;
    }
}

impl Reader {
    /// Asks for the rest. `Some` says why it did not work and may next time; an error is final.
    async fn resume(&mut self) -> io::Result<Option<String>> {
        match get(&self.inner, &self.key, self.at).await {
            Ok(answer) if answer.e_tag() == self.tag.as_deref() && whole_size(&answer, self.at) == Some(self.size) => {
                self.body = Some(answer.body);
                Ok(None)
            }
            Ok(_) => Err(io::Error::other("the object was replaced while it was read")),
            Err(refusal) if refusal.is_absence() || refusal.is_behind_the_end() => {
                Err(io::Error::other("the object was deleted while it was read"))
            }
            Err(refusal) => match refusal.into_error() {
                error if error.is_permanent() => Err(io::Error::other(error)),
                error => Ok(Some(error.to_string())),
            },
        }
    }
}
