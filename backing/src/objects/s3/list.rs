//! Listing a folder, page by page.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use super::{S3, explain::Refusal};
use crate::objects::{ObjectInfo, ObjectsError, Result};

/// Keys of one page; stores give at most so many.
const PAGE: i32 = 1000;

impl S3 {
    /// One page below the prefix of the store.
    pub(super) async fn list_page(&self, below: Option<(&str, Option<String>)>, keys: i32) -> PageResult {
        let (folder, token) = below.unwrap_or_default();
        let inner = &self.inner;
        let request = inner.client.list_objects_v2().bucket(&inner.bucket).max_keys(keys);
        let request = request.prefix(format!("{}{folder}", inner.prefix)).set_continuation_token(token);
        request.send().await.map_err(Refusal::new)
    }

    pub(super) async fn list_all(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self.list_page(Some((folder, token)), PAGE).await.map_err(Refusal::into_error)?;
            for object in page.contents() {
                // Keys that are not ours (a console's folder marks, other tools' files) have characters or shapes that ours have not.
                let key = object.key().and_then(|key| key.strip_prefix(&self.inner.prefix));
                let Some(key) = key.filter(|key| crate::objects::check_key(key).is_ok()) else { continue };
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                let modified = object.last_modified().and_then(|at| at.to_millis().ok()).unwrap_or(0);
                found.push(ObjectInfo { key: key.to_owned(), size, modified_ms: modified });
            }
            match (page.is_truncated(), page.next_continuation_token()) {
                (Some(true), Some(next)) => token = Some(next.to_owned()),
                (Some(true), None) => {
                    return Err(ObjectsError::Unavailable("a page of the listing does not name the next".into()));
                }
                _ => break,
            }
        }
        // Stores promise this order, and some have a mode without it.
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }
}

type PageResult = std::result::Result<ListObjectsV2Output, Refusal>;
