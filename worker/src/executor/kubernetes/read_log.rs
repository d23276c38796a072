//! Reading a pod's log once: from a place to wherever the stream ends. The end of a stream says nothing about the end of the
//! container; what it means is for [`super::attend`] to find out.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
};

use coderoom_protocol::supervisor::{Body, Ending};
use futures_util::{AsyncBufRead as _, AsyncBufReadExt as _};

use super::{
    backlog::Backlog,
    cluster::{Cluster, Failure},
    resume::{Lines, Resume, Taken},
};

/// How reading came to its end.
#[derive(Debug)]
pub(super) enum Read {
    /// With the supervisor's last frame.
    End(Ending),
    /// Frames are missing.
    Hole,
    /// The stream ended; perhaps there is more.
    Over,
    /// The container has not started, says the server.
    TooEarly,
    /// There is no such pod, or we are refused: trying again does not help.
    Never(String),
    /// Cut, or not opened.
    Cut(String),
}

/// What is read, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// From where we are, and on as more comes.
    Follow,
    /// All that there is from the first line on, and no more: what is missing in it is nowhere.
    Whole,
}

/// Reads, takes lines apart and puts frames into the backlog. `bytes` counts what has come, for whoever watches over this.
/// Cancel safe: what was not taken is read again by the next call.
pub(super) async fn read_log(
    cluster: &Cluster,
    pod: &str,
    extent: Extent,
    resume: &mut Resume,
    backlog: &Backlog,
    bytes: &AtomicU64,
) -> Read {
    let complete = extent == Extent::Whole;
    let since = resume.since().filter(|_| !complete).map(str::to_owned);
    let stream = match cluster.log(pod, !complete, since.as_deref()).await {
        Ok(stream) => stream,
        Err(Failure::Passing(cause)) => return Read::Cut(cause),
        Err(Failure::TooEarly(_)) => return Read::TooEarly,
        Err(failure) => return Read::Never(failure.to_string()),
    };
    let mut stream = pin!(stream);
    let mut lines = Lines::default();
    loop {
        if !backlog.has_room() {
            backlog.wait_for_room().await;
        }
        let piece = match stream.fill_buf().await {
            Ok([]) => return Read::Over,
            Ok(piece) => piece,
            Err(error) => return Read::Cut(error.to_string()),
        };
        let count = piece.len();
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        let mut found = None;
        lines.feed(piece, |line| {
            match resume.take(line, complete) {
                Taken::Nothing => {}
                Taken::Hole => found = Some(Read::Hole),
                Taken::Frame(frame) => match frame.body {
                    Body::End(ending) => found = Some(Read::End(ending)),
                    _ => backlog.push(frame),
                },
            }
            found.is_none()
        });
        if let Some(found) = found {
            return found;
        }
        stream.as_mut().consume(count);
    }
}
