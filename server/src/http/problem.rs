//! Errors over HTTP: `application/problem+json` (RFC 9457).

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
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
        Self { retry_after_s: error.retry_after_s, error }
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

/// Turns what the framework itself answers (a method it does not know, a path or query it cannot read, a body that is
/// too large) into problems as well, so that clients meet one form of error only.
pub async fn every_error(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    // Plain JSON with such a status is an answer of ours that has more to say (`/health/ready`).
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        [&b"application/problem+json"[..], b"application/json"].iter().any(|ours| kind.as_bytes().starts_with(ours))
    });
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::Invalid,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
        status if status.is_client_error() => ErrorCode::BadRequest,
        _ => ErrorCode::Internal,
    };
    let (head, body) = response.into_parts();
    let said = if status.is_client_error() { axum::body::to_bytes(body, LONGEST_SENTENCE).await.ok() } else { None };
    let said = said.and_then(|bytes| String::from_utf8(bytes.into()).ok()).filter(|text| !text.is_empty());
    let mut problem = HttpError::from(WireError::new(code, said.as_deref().unwrap_or(code.title()))).into_response();
    if let Some(allow) = head.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

/// Longest text of the framework that is handed on, in bytes.
const LONGEST_SENTENCE: usize = 4 << 10;
