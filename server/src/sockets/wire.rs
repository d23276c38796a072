//! The byte stream below a WebSocket in two halves: tungstenite reads from one, the writer puts encoded frames into the other.
//!
//! What tungstenite itself has to say (pongs, the answer to a close) goes through the outbox like everything else, so that
//! no frame is ever written into the middle of another.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use super::SocketSettings;
use crate::rooms::outbox::Outbox;

/// Most frames handed to the system in one call.
const FRAMES_PER_WRITE: usize = 64;
/// What a batch keeps allocated between writes, in frames.
const IDLE_BATCH: usize = 4;
/// Bytes tungstenite reads at once. Its default of 128 KiB costs that much for each idle socket.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// The reading side of a socket.
pub(super) type Incoming<S> = WebSocketStream<ReadSide<S>>;

/// Cuts an upgraded stream in two.
pub(super) async fn split<S>(
    stream: S,
    outbox: &Arc<Outbox>,
    inflow: &Arc<Inflow>,
    settings: &SocketSettings,
) -> (Incoming<S>, WriteSide<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, write) = tokio::io::split(stream);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(settings.max_frame_bytes))
        .max_frame_size(Some(settings.max_frame_bytes));
    let read = ReadSide { read, outbox: Arc::clone(outbox), inflow: Arc::clone(inflow) };
    (WebSocketStream::from_raw_socket(read, Role::Server, Some(config)).await, WriteSide { write })
}

/// What tungstenite takes for the stream.
#[derive(Debug)]
pub(super) struct ReadSide<S> {
    read: ReadHalf<S>,
    outbox: Arc<Outbox>,
    inflow: Arc<Inflow>,
}

/// What came in and is not done with: bounded for who did not say who they are, and in time for everybody. Without it a
/// message that never ends, or much before Auth, is kept for as long as the socket lives.
#[derive(Debug)]
pub(super) struct Inflow {
    /// Bytes that may still come before the client is known.
    unknown_left: AtomicUsize,
    is_known: AtomicBool,
    /// Bytes since the last message.
    unfinished: AtomicUsize,
    /// When they began to come, in milliseconds since `born`.
    began_ms: AtomicU64,
    born: Instant,
    message_within: Duration,
}

/// Fewer bytes than this may wait for the rest of their message as long as they like.
const SMALL_BYTES: usize = 64 * 1024;

impl Inflow {
    pub(super) fn new(is_known: bool, settings: &SocketSettings) -> Arc<Self> {
        Arc::new(Self {
            unknown_left: AtomicUsize::new(settings.unknown_bytes),
            is_known: AtomicBool::new(is_known),
            unfinished: AtomicUsize::new(0),
            began_ms: AtomicU64::new(0),
            born: Instant::now(),
            message_within: settings.message_within,
        })
    }

    /// The client has said who it is.
    pub(super) fn know(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// A message is whole.
    pub(super) fn message(&self) {
        self.unfinished.store(0, Ordering::Relaxed);
    }

    /// Counts bytes; only the reading task calls it.
    fn count(&self, bytes: usize) -> io::Result<()> {
        self.count_at(bytes, self.born.elapsed())
    }

    fn count_at(&self, bytes: usize, now: Duration) -> io::Result<()> {
        let now = now.as_millis() as u64;
        let unfinished = self.unfinished.fetch_add(bytes, Ordering::Relaxed);
        if unfinished == 0 {
            self.began_ms.store(now, Ordering::Relaxed);
        }
        let since = now.saturating_sub(self.began_ms.load(Ordering::Relaxed));
        if unfinished + bytes > SMALL_BYTES && u128::from(since) > self.message_within.as_millis() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a message takes too long"));
        }
        if !self.is_known.load(Ordering::Relaxed) {
            let left = self.unknown_left.load(Ordering::Relaxed);
            let left = left
                .checked_sub(bytes)
                .ok_or_else(|| io::Error::new(io::ErrorKind::QuotaExceeded, "too much before Auth"))?;
            self.unknown_left.store(left, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl<S: AsyncRead> AsyncRead for ReadSide<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.read).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            self.inflow.count(buffer.filled().len() - before)?;
        }
        read
    }
}

impl<S> AsyncWrite for ReadSide<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, frames: &[u8]) -> Poll<io::Result<usize>> {
        queue_control_frames(&self.outbox, frames);
        Poll::Ready(Ok(frames.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Queues pongs as they are; a close becomes the outbox's own, so that it is the last frame. Tungstenite hands over whole
/// frames, unmasked, with payloads of at most 125 bytes.
fn queue_control_frames(outbox: &Outbox, mut frames: &[u8]) {
    const CLOSE: u8 = 8;
    while let [first, length, ..] = frames {
        let Some((frame, rest)) = frames.split_at_checked(2 + usize::from(length & 0x7f)) else { return };
        if first & 0x0f == CLOSE {
            let code = frame.get(2..4).map_or(1000, |code| u16::from_be_bytes([code[0], code[1]]));
            outbox.close(code, "");
        } else {
            outbox.push(Bytes::copy_from_slice(frame));
        }
        frames = rest;
    }
}

/// Writes encoded frames.
#[derive(Debug)]
pub(super) struct WriteSide<S> {
    write: WriteHalf<S>,
}

impl<S: AsyncWrite + Unpin> WriteSide<S> {
    /// Writes the whole batch, many frames a call, and empties it; `progress` is set whenever the system took something.
    /// Not cancel safe: a frame may be cut.
    pub(super) async fn write_all(&mut self, batch: &mut Vec<Bytes>, progress: &AtomicBool) -> io::Result<()> {
        batch.retain(|frame| !frame.is_empty());
        let mut first = 0;
        while first < batch.len() {
            let mut written = poll_fn(|context| self.poll_write(context, &batch[first..])).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            progress.store(true, Ordering::Relaxed);
            while written > 0 {
                let frame = &mut batch[first];
                let taken = written.min(frame.len());
                frame.advance(taken);
                written -= taken;
                first += usize::from(frame.is_empty());
            }
        }
        batch.clear();
        batch.shrink_to(IDLE_BATCH);
        Ok(())
    }

    fn poll_write(&mut self, context: &mut Context<'_>, frames: &[Bytes]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.write);
        if let [frame] = frames {
            return write.poll_write(context, frame);
        }
        let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(frames) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        write.poll_write_vectored(context, &slices[..count])
    }

    /// Says to the other side that nothing more will come.
    pub(super) async fn finish(&mut self) {
        // The other side may be gone already; there is nobody to tell then.
        let _ = self.write.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::rooms::{
        frames,
        outbox::{Next, OutboxLimits},
    };

    #[tokio::test]
    async fn batch_arrives_whole_through_a_narrow_stream() {
        let (ours, mut theirs) = duplex(7);
        let (_, write) = tokio::io::split(ours);
        let mut side = WriteSide { write };
        let mut batch: Vec<Bytes> = (0..200_u8).map(|n| vec![n; usize::from(n)].into()).collect();
        let expected = batch.concat();
        let writer = async {
            side.write_all(&mut batch, &AtomicBool::new(false)).await.expect("the reader is there");
            side.finish().await;
        };
        let mut got = Vec::new();
        let (read, ()) = tokio::join!(theirs.read_to_end(&mut got), writer);
        read.expect("the writer is there");
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn pong_is_queued_and_close_becomes_the_last_frame() {
        let outbox = Outbox::new(OutboxLimits::default());
        let mut said = vec![0x8a, 2, b'h', b'i'];
        said.extend_from_slice(&frames::close(1001, "bye"));
        queue_control_frames(&outbox, &said);
        let mut batch = Vec::new();
        assert_eq!(outbox.next(&mut batch).await, Next::Write);
        assert_eq!(batch, [&[0x8a, 2, b'h', b'i'][..]]);
        assert_eq!(outbox.next(&mut batch).await, Next::Close { code: 1001, reason: "".into() });
    }

    fn inflow(is_known: bool) -> Arc<Inflow> {
        Inflow::new(is_known, &SocketSettings { unknown_bytes: 100_000, ..SocketSettings::default() })
    }

    #[test]
    fn unknown_clients_may_send_little() {
        let inflow = inflow(false);
        for _ in 0..10 {
            inflow.count(10_000).unwrap();
            inflow.message();
        }
        assert_eq!(inflow.count(1).unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
        inflow.know();
        inflow.count(1_000_000).unwrap();
    }

    #[test]
    fn large_message_must_be_whole_in_time() {
        let inflow = inflow(true);
        let (began, late) = (Duration::from_secs(7), Duration::from_secs(7 + 61));
        inflow.count_at(SMALL_BYTES, began).unwrap();
        assert_eq!(inflow.count_at(1, late).unwrap_err().kind(), io::ErrorKind::TimedOut);
        inflow.message();
        inflow.count_at(SMALL_BYTES + 1, late).unwrap();
    }
}
