//! A log as server-sent events. Nothing is gathered: the next piece is read when the last one was taken, so a slow reader
//! costs one piece of memory and slows down nobody.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use coderoom_protocol::{control::ServerMessage, ids::RunId, run::Run};
use coderoom_worker::log::{LogEvent, LogPiece, LogReader};
use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep, timeout};

use super::super::{disposition, problem::HttpResult};
use crate::{app::App, people::Identity};

/// Bytes of a log in one event.
const PIECE_BYTES: usize = 32 << 10;
/// A comment goes out after so long a silence, so that nothing between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether the follower may still read.
const RECHECK: Duration = Duration::from_millis(500);
/// The id of `log_end` is the log's size with this behind it.
const END: &str = ".end";

/// One who follows.
struct Follower {
    app: App,
    identity: Identity,
    run: Run,
    reader: LogReader,
    ended: bool,
    /// When it was last looked whether the follower may still read.
    checked: Instant,
}

/// Follows the log from `Last-Event-ID`, else from `offset`.
pub(super) async fn follow(
    app: App,
    identity: Identity,
    run: Run,
    headers: &HeaderMap,
    offset: u64,
) -> HttpResult<Response> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if last.ends_with(END) {
        // A browser that had the end connects again all the same; this answer tells it to leave it.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let reader = LogReader::open(&app.runs, run.id, last.parse().unwrap_or(offset)).await?;
    let events = events(Follower { app, identity, run, reader, ended: false, checked: Instant::now() });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    disposition::harmless(response.headers_mut());
    // Proxies that gather answers would hold the log back.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}

fn events(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follower, async |mut follower| {
        let event = next(&mut follower).await?;
        Some((Ok(event), follower))
    })
}

/// The next event; `None` ends the stream.
async fn next(follower: &mut Follower) -> Option<Event> {
    while !follower.ended && !follower.app.draining.is_cancelled() {
        if follower.checked.elapsed() >= RECHECK {
            follower.checked = Instant::now();
            let standing = follower.app.people.standing(&follower.identity, follower.run.task).await;
            if matches!(standing, Ok(None)) {
                return None;
            }
        }
        match timeout(RECHECK, follower.reader.next(PIECE_BYTES)).await {
            Ok(Ok(LogEvent::Piece(piece))) => {
                return event(&piece.end().to_string(), "log", &said(follower.run.id, piece));
            }
            Ok(Ok(LogEvent::End { size, sha256, truncated })) => {
                follower.ended = true;
                let end = ServerMessage::LogEnd { run: follower.run.id, size, sha256, truncated };
                return event(&format!("{size}{END}"), "log_end", &end);
            }
            Ok(Ok(LogEvent::Wait)) => {}
            // The client connects again with the id of the last event.
            Ok(Err(error)) => {
                tracing::warn!(run.id = %follower.run.id, %error, "a followed log could not be read");
                sleep(RECHECK).await;
                return None;
            }
            Err(_) => {}
        }
    }
    None
}

fn said(run: RunId, piece: LogPiece) -> ServerMessage {
    let end = piece.end();
    let LogPiece { offset, stream, at, bytes } = piece;
    let (text, base64) = match std::str::from_utf8(&bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(&bytes).into_owned(), Some(STANDARD.encode(&bytes))),
    };
    ServerMessage::Log { run, offset, end, stream, at, text, base64 }
}

fn event(id: &str, name: &str, message: &ServerMessage) -> Option<Event> {
    Event::default().id(id).event(name).json_data(message).ok()
}
