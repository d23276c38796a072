//! Reads a run's spool as it grows, frame by frame.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use coderoom_protocol::supervisor::{Body, Decoder, Frame, Item};
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use tokio::io::unix::AsyncFd;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 128 * 1024;
/// How long to wait for news where the kernel tells none (no watches left).
const POLL: Duration = Duration::from_millis(10);
/// How long to wait for news otherwise: a net under the watch, for file systems that do not tell.
const RECHECK: Duration = Duration::from_millis(500);

/// A place in the spool and the frames read from it that nobody has taken.
#[derive(Debug)]
pub(super) struct Tail {
    spool: Arc<File>,
    at: u64,
    decoder: Decoder,
    /// At most what one read held.
    frames: VecDeque<Frame>,
    news: Option<AsyncFd<OwnedFd>>,
    log_bytes: u64,
}

impl Tail {
    /// From the first frame of this spool on.
    pub(super) fn open(spool: &Path, nonce: &str) -> io::Result<Self> {
        let file = File::open(spool)?;
        Ok(Self {
            spool: Arc::new(file),
            at: 0,
            decoder: Decoder::new(nonce),
            frames: VecDeque::new(),
            news: watch(spool).ok(),
            log_bytes: 0,
        })
    }

    /// Bytes of the log in the frames taken so far.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// A frame that has been read already.
    pub(super) fn take(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        if let Body::Output { offset, bytes, .. } = &frame.body {
            self.log_bytes = offset + bytes.len() as u64;
        }
        Some(frame)
    }

    /// Reads on; whether there was anything. Cancel safe: what a cancelled call read is read again.
    pub(super) async fn read(&mut self) -> io::Result<bool> {
        let (spool, at) = (Arc::clone(&self.spool), self.at);
        let read = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0_u8; READ_BYTES];
            let count = spool.read_at(&mut buffer, at)?;
            buffer.truncate(count);
            io::Result::Ok(buffer)
        });
        let bytes = read.await.map_err(io::Error::other)??;
        self.at += bytes.len() as u64;
        let frames = &mut self.frames;
        self.decoder.feed(&bytes, |item| {
            // Nobody but the supervisor writes here; what is no frame was damaged on disk.
            if let Item::Frame(frame) = item {
                frames.push_back(frame);
            }
        });
        Ok(!bytes.is_empty())
    }

    /// Waits until there may be more to read. Cancel safe.
    pub(super) async fn news(&mut self) {
        let Some(news) = &self.news else { return tokio::time::sleep(POLL).await };
        tokio::select! {
            ready = news.readable() => {
                let Ok(mut ready) = ready else { return tokio::time::sleep(POLL).await };
                let mut events = [0_u8; 4096];
                while rustix::io::read(news, &mut events).is_ok_and(|count| count == events.len()) {}
                ready.clear_ready();
            }
            () = tokio::time::sleep(RECHECK) => {}
        }
    }
}

fn watch(spool: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    inotify::add_watch(&events, spool, WatchFlags::MODIFY).map_err(|error: Errno| io::Error::from(error))?;
    #[expect(
        deprecated,
        reason = "an owned descriptor gives the same number for as long as it lives; the successor is unsafe"
    )]
    let events = AsyncFd::with_interest(events, tokio::io::Interest::READABLE);
    events
}
