//! What every request passes before its handler, and every answer after it: one Host, the pace of its address, and headers that
//! keep browsers from making more of an answer than it is.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use coderoom_protocol::problem::{ErrorCode, WireError};

use super::{caller::address_of, problem::HttpError};
use crate::app::App;

/// Set where the handler set none: an answer is data, not a page, and belongs to no other site.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Browsers that were here by HTTPS come by nothing else for a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Guards one request.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    // Whoever watches over the server must get an answer whatever else comes from there.
    let is_health = request.uri().path().starts_with("/health");
    let address = address_of(request.extensions(), request.headers(), &app);
    // What stands in front may have taken another of several (RFC 9112 §3.2).
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let is_addressed = hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11);
    let is_data = request.uri().path().starts_with("/api/");
    let mut response = match app.people.pace_address(address) {
        Err(error) if !is_health => HttpError::from(error).into_response(),
        _ if !is_addressed => {
            HttpError::from(WireError::new(ErrorCode::BadRequest, "A request has one Host header.")).into_response()
        }
        _ => next.run(request).await,
    };
    if is_data {
        // What somebody may see today is not shown by a browser's memory tomorrow.
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if app.people.has_secure_cookies() {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(STRICT_TRANSPORT);
    }
    response
}
