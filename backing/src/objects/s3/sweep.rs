//! Removes what uploads left that nobody can finish any more: those of processes that died. Stores keep such parts, and
//! bill them, until somebody aborts them.

use std::time::Duration;

use super::{S3, explain::Refusal};
use crate::clock::Clock;

/// Uploads that one sweep removes; the next start goes on.
const MOST: usize = 10_000;

/// One sweep below the prefix. Failures are only reported: stores without such a listing are in use.
pub(super) async fn sweep(store: S3, abandoned_after: Duration) {
    let age_ms = i64::try_from(abandoned_after.as_millis()).unwrap_or(i64::MAX);
    match sweep_older_than(&store, age_ms).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed uploads that somebody left unfinished"),
        Err(refusal) => {
            let error = refusal.into_error();
            tracing::debug!(%error, "unfinished uploads could not be looked for");
        }
    }
}

/// Aborts uploads older than `age_ms`; gives how many.
async fn sweep_older_than(store: &S3, age_ms: i64) -> Result<usize, Refusal> {
    let inner = &store.inner;
    let before = Clock::default().now_ms().saturating_sub(age_ms);
    let (mut aborted, mut key_marker, mut id_marker) = (0, None, None);
    while aborted < MOST {
        let request = inner.client.list_multipart_uploads().bucket(&inner.bucket).prefix(&inner.prefix);
        let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
        let page = request.send().await.map_err(Refusal::new)?;
        for upload in page.uploads() {
            let old = upload.initiated().and_then(|at| at.to_millis().ok()).is_some_and(|at| at <= before);
            let (true, Some(key), Some(id)) = (old, upload.key(), upload.upload_id()) else { continue };
            let request = inner.client.abort_multipart_upload().bucket(&inner.bucket).key(key).upload_id(id);
            request.send().await.map_err(Refusal::new)?;
            aborted += 1;
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        id_marker = page.next_upload_id_marker().map(str::to_owned);
    }
    Ok(aborted)
}
