//! Errors over HTTP: `application/problem+json` (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::problem::{ErrorCode, Problem, WireError};

/// What every handler answers when it does not do what it was asked.
#[derive(Clone, Debug)]
pub struct HttpError {
    /// What went wrong.
    pub error: WireError,
    /// After how many seconds trying again makes sense.
    pub retry_after_s: Option<u64>,
}

/// The result of a handler.
pub type HttpResult<T> = Result<T, HttpError>;

impl From<WireError> for HttpError {
    fn from(error: WireError) -> Self {
        Self { error, retry_after_s: None }
    }
}

impl From<ErrorCode> for HttpError {
    fn from(code: ErrorCode) -> Self {
        WireError::plain(code).into()
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let unauthorized = status == StatusCode::UNAUTHORIZED;
        let body = serde_json::to_vec(&Problem::from(self.error)).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
