//! What every request passes: a span with a masked address, a count and duration by route, and an answer even when
//! the handler panics.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coderoom_protocol::problem::ErrorCode;
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    problem::HttpError,
    trace::{TRACE_HEADER, trace_id},
};
use crate::telemetry;

/// Observes one request.
pub async fn observe(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "other".into(), |path| path.as_str().to_owned());
    let uri = request.uri().path_and_query().map_or("/", |uri| uri.as_str());
    let trace = trace_id(request.headers());
    let span =
        tracing::info_span!("request", trace.id = %trace, http.method = %method, http.uri = %telemetry::mask_uri(uri));
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|_| {
        span.in_scope(|| tracing::error!("the handler of a request panicked"));
        HttpError::from(ErrorCode::Internal).into_response()
    });
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        response.headers_mut().insert(TRACE_HEADER, trace);
    }
    let status = response.status().as_u16();
    let duration = began.elapsed();
    span.in_scope(|| tracing::debug!(http.status = status, duration_ms = duration.as_millis(), "request answered"));
    let labels = [("method", method_label(&method).into()), ("route", route), ("status", status.to_string())];
    metrics::histogram!("coderoom_http_request_seconds", &labels).record(duration.as_secs_f64());
    response
}

/// The method as a label. Each label is kept for as long as the process lives, so nobody may make up one.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
