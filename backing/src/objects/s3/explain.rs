//! What a refusal of the store means to callers, and to the person who set it up.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::objects::{ObjectsError, Result};

/// A failed request: what the store said, if it said anything.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The store's word for it; `None` without an answer that could be read.
    code: Option<String>,
    /// Status of the answer; `None` without one.
    status: Option<u16>,
    /// For the log.
    text: String,
}

impl Refusal {
    pub(super) fn new<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let message = error.as_service_error().and_then(ProvideErrorMetadata::message).map(str::to_owned);
        let text = match (&code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            _ => match status {
                Some(status) => format!("status {status}"),
                None => DisplayErrorContext(&error).to_string(),
            },
        };
        Self { code, status, text }
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// There is no object of this key. A missing bucket is something else, where the store says which it is.
    pub(super) fn is_absence(&self) -> bool {
        self.status == Some(404) && self.code() != Some("NoSuchBucket")
    }

    /// The first byte asked for lies behind the end of the object.
    pub(super) fn is_behind_the_end(&self) -> bool {
        self.status == Some(416)
    }

    /// `None` where there is no such object.
    pub(super) fn into_absence<T>(self) -> Result<Option<T>> {
        if self.is_absence() { Ok(None) } else { Err(self.into_error()) }
    }

    pub(super) fn into_error(self) -> ObjectsError {
        match (self.code(), self.status) {
            (Some("QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage"), _) | (_, Some(507)) => {
                ObjectsError::Full
            }
            // Too slow, too many, too far off: it may help to ask again.
            (Some("SlowDown" | "RequestTimeout" | "RequestTimeTooSkewed" | "OperationAborted"), _) => {
                ObjectsError::Unavailable(self.text)
            }
            (_, Some(408 | 425 | 429)) => ObjectsError::Unavailable(self.text),
            (_, Some(300..=499)) => ObjectsError::Refused(self.text),
            _ => ObjectsError::Unavailable(self.text),
        }
    }
}

/// The same at start: a sentence that names what to mend.
pub(super) fn at_start(refusal: &Refusal, bucket: &str) -> ObjectsError {
    let said = &refusal.text;
    let sentence = match (refusal.code(), refusal.status) {
        (Some("NoSuchBucket"), _) => {
            format!("there is no bucket {bucket:?}; make it, or let it be made by s3.create_bucket = true")
        }
        (Some("InvalidAccessKeyId"), _) => format!("it does not know the access key; check s3.access_key ({said})"),
        (Some("SignatureDoesNotMatch"), _) => {
            format!("the secret key is wrong; check s3.secret_key ({said})")
        }
        (Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException"), _)
        | (_, Some(301 | 307)) => {
            format!("the bucket {bucket:?} is in another region; check s3.region and s3.endpoint ({said})")
        }
        (Some("InvalidBucketName"), _) => format!("{bucket:?} cannot be the name of a bucket; check s3.bucket"),
        (Some("RequestTimeTooSkewed"), _) => format!("the clock of this machine is wrong ({said})"),
        (Some("BucketAlreadyExists"), _) => {
            format!("the bucket {bucket:?} belongs to somebody else; choose another s3.bucket")
        }
        (Some("AccessDenied"), _) | (_, Some(401 | 403)) => format!(
            "these credentials may not list the bucket {bucket:?}; check s3.access_key, s3.secret_key and the bucket's \
             policy ({said})"
        ),
        (None, Some(400..=499)) => {
            format!("what answers at s3.endpoint does not speak S3; check s3.endpoint ({said})")
        }
        (_, None | Some(408 | 429 | 500..=599)) => {
            return ObjectsError::Unavailable(format!("no usable answer from s3.endpoint ({said})"));
        }
        _ => format!("the bucket {bucket:?} cannot be used ({said})"),
    };
    ObjectsError::Refused(sentence)
}
