//! Logs over HTTP: the bytes, whole or a range of them, and as server-sent events while they grow.

mod events;
mod range;

use std::io;

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{
    ids::RunId,
    problem::{ErrorCode, WireError},
};
use coderoom_worker::{log::LogStatus, runs::Runs};
use futures_util::{Stream, TryStreamExt as _, stream};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::range::Wanted;
use super::{
    access::enter_run,
    disposition,
    files::is_known,
    problem::{HttpError, HttpResult},
    query::Query,
};
use crate::{app::App, people::Right};

/// Bytes that are read from the log together.
const READ_BYTES: usize = 256 << 10;
/// Says whether the log is complete.
const COMPLETE: HeaderName = HeaderName::from_static("coderoom-log-complete");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_log))
}

/// How a log is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// As server-sent events while the log grows; the header `Accept: text/event-stream` says the same.
    #[serde(default)]
    follow: bool,
    /// First byte for a follower that has no `Last-Event-ID`.
    #[serde(default)]
    offset: u64,
    /// An API token, for pages whose `EventSource` can send no header.
    token: Option<String>,
}

/// The log of a run as far as it is there. `Range` gives a part of it. Followers get the events `log` and `log_end`, the JSON
/// of the control channel, whose ids are the offset behind them: a browser resumes by itself with `Last-Event-ID`.
#[utoipa::path(get, path = "/runs/{run}/log", tag = "runs",
    params(("run" = String, Path, description = "the run"), LogQuery,
        ("Range" = Option<String>, Header, description = "one range of bytes, for example `bytes=0-1023`, `bytes=1024-` or `bytes=-100`"),
        ("Last-Event-ID" = Option<String>, Header, description = "of the last event that was received; goes before `offset`")),
    responses((status = 200, body = String, content_type = "text/plain", description = "text/plain; text/event-stream for followers"),
        (status = 204, description = "a follower has had the log to its end"), (status = 206, description = "a range"),
        (status = 304, description = "the ETag (only of complete logs) is that of If-None-Match"),
        (status = 404, description = "not_found"), (status = 416, description = "range_not_satisfiable")))]
async fn get_log(
    State(app): State<App>,
    Path(run): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let signed_in = match &query.token {
        Some(token) => app.people.by_token(token).await?,
        None => app.people.by_headers(&headers).await?,
    };
    let identity = signed_in.ok_or(ErrorCode::SignInRequired)?;
    app.people.pace_user(identity.user)?;
    let run = enter_run(&app, &identity, &run, Right::Read).await?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if query.follow || accepts.split(',').any(|kind| kind.trim().starts_with("text/event-stream")) {
        return events::follow(app, identity, run, &headers, query.offset).await;
    }
    let status = app.runs.log_status(run.id).await?;
    plain(&app.runs, run.id, &status, &headers)
}

fn plain(runs: &Runs, run: RunId, status: &LogStatus, headers: &HeaderMap) -> HttpResult<Response> {
    let tag = status.sha256.as_ref().map(|sha256| format!("\"{sha256}\""));
    if tag.as_ref().is_some_and(|tag| is_known(headers, tag)) {
        return Ok(described(StatusCode::NOT_MODIFIED.into_response(), status, tag.as_deref()));
    }
    let (part, from, length) = match range::wanted(headers, status.size, tag.as_deref()) {
        Wanted::All => (None, 0, status.size),
        Wanted::Part { first, last } => (Some((first, last)), first, last - first + 1),
        Wanted::Nothing => return Ok(unsatisfiable(status)),
    };
    let mut response = Body::from_stream(bytes(runs.clone(), run, from, length)).into_response();
    if let Some((first, last)) = part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        // The size of a log that grows is not known.
        let size = if status.sha256.is_some() { status.size.to_string() } else { "*".into() };
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")) {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(described(response, status, tag.as_deref()))
}

fn described(mut response: Response, status: &LogStatus, tag: Option<&str>) -> Response {
    let headers = response.headers_mut();
    disposition::harmless(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(COMPLETE, HeaderValue::from_static(if status.sha256.is_some() { "true" } else { "false" }));
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn unsatisfiable(status: &LogStatus) -> Response {
    let size = status.size;
    let message = format!("The log has {size} bytes so far. Ask for a range that begins before that, or follow it.");
    let mut response = HttpError::from(WireError::new(ErrorCode::RangeNotSatisfiable, message)).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The bytes of the log from `from` on, as many as `length`, read as they are taken.
fn bytes(runs: Runs, run: RunId, from: u64, length: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let read = move |(runs, offset, left): (Runs, u64, u64)| async move {
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
        let piece = runs.read_log(run, offset, most).await?;
        if piece.is_empty() {
            let message = "the log ended before the length that was announced";
            return Err(WireError::new(ErrorCode::Internal, message));
        }
        let read = piece.len() as u64;
        Ok(Some((piece, (runs, offset + read, left - read))))
    };
    stream::try_unfold((runs, from, length), read).map_err(io::Error::other)
}
