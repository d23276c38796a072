//! What must be known to use a bucket.

use std::{fmt, path::PathBuf, time::Duration};

use crate::objects::{ObjectsError, Result, check_prefix};

/// Smallest part of a multipart upload that S3 stores accept (but for the last one): 5 MiB.
pub(super) const MIN_PART_BYTES: usize = 5 << 20;

/// Longest prefix in bytes: with the longest key it fits into the 1,024 bytes that S3 allows.
const MAX_PREFIX_BYTES: usize = 1024 - crate::objects::MAX_KEY_BYTES;

/// Where the bucket is, and how patient to be.
#[derive(Clone)]
pub struct S3Settings {
    /// Address of the store, such as `https://s3.example.org`.
    pub endpoint: String,
    /// Address under which those who get presigned addresses reach the store, where it is another one.
    pub presign_endpoint: Option<String>,
    /// Region that requests are signed for. Stores of one's own usually take `us-east-1`.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// A folder in the bucket for everything here; empty for none. Two deployments may share a bucket by it.
    pub prefix: String,
    /// Who asks.
    pub access_key: String,
    /// The proof of it.
    pub secret_key: String,
    /// Whether a missing bucket is made at start.
    pub create_bucket: bool,
    /// PEM file with certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Time to reach the store. Default 3 s.
    pub connect_timeout: Duration,
    /// Time for one request, without the body of its answer. Default 30 s.
    pub request_timeout: Duration,
    /// How often a request is sent before it counts as failed. Default 3.
    pub attempts: u32,
    /// Bytes of one part of an upload, at least 5 MiB: what an upload holds in memory. Default 8 MiB.
    pub part_bytes: usize,
    /// Age at which an unfinished upload counts as left by a process that died. Default a day: far above any upload's
    /// time and any wrong clock.
    pub abandoned_after: Duration,
}

impl S3Settings {
    /// The defaults, for one bucket of one store.
    #[must_use]
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            presign_endpoint: None,
            region: "us-east-1".into(),
            bucket: bucket.into(),
            prefix: String::new(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            create_bucket: false,
            ca_file: None,
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(30),
            attempts: 3,
            part_bytes: 8 << 20,
            abandoned_after: Duration::from_secs(24 * 3600),
        }
    }

    /// The prefix as it stands before keys: empty, or a good key and `/`.
    pub(super) fn checked_prefix(&self) -> Result<String> {
        let bare = self.prefix.trim_matches('/');
        if bare.is_empty() {
            return Ok(String::new());
        }
        let prefix = format!("{bare}/");
        if prefix.len() > MAX_PREFIX_BYTES || check_prefix(&prefix).is_err() {
            return Err(ObjectsError::Refused(format!(
                "the prefix {bare:?} is longer than {MAX_PREFIX_BYTES} bytes or has characters that keys may not have"
            )));
        }
        Ok(prefix)
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, region, bucket, prefix, .. } = self;
        f.debug_struct("S3Settings")
            .field("endpoint", endpoint)
            .field("region", region)
            .field("bucket", bucket)
            .field("prefix", prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let settings = S3Settings::new("http://s3", "bucket", "key-of-somebody", "secret-of-somebody");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("of-somebody"), "{shown}");
    }

    #[test]
    fn prefixes_are_folders_or_refused() {
        let prefix =
            |prefix: &str| S3Settings { prefix: prefix.into(), ..S3Settings::new("e", "b", "k", "s") }.checked_prefix();
        assert_eq!(prefix("").unwrap(), "");
        assert_eq!(prefix("team/rooms").unwrap(), "team/rooms/");
        assert_eq!(prefix("/team/").unwrap(), "team/");
        for bad in ["a//b", "../a", "a b", &"x".repeat(124)] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
        assert!(prefix(&"x".repeat(123)).is_ok());
    }

    #[test]
    fn defaults_are_those_in_the_documentation() {
        let settings = S3Settings::new("e", "b", "k", "s");
        assert_eq!((settings.part_bytes, settings.attempts), (8 << 20, 3));
        assert_eq!(settings.connect_timeout, Duration::from_secs(3));
        assert_eq!(settings.request_timeout, Duration::from_secs(30));
        assert!(settings.part_bytes >= MIN_PART_BYTES);
    }
}
