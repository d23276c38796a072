//! Frames between whoever follows a pod's log and whoever stores them. The log is read at full speed whatever happens behind
//! it, because what is not read when the node rotates its file is gone: a little waits in memory, more in a file without a name.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use coderoom_protocol::supervisor::{Body, Decoder, Frame, Item, encode};
use tokio::sync::Notify;

/// Output that waits in memory, in bytes; more goes into the file.
const MAX_MEMORY_BYTES: usize = 1 << 20;
/// The largest file, in bytes. Beyond it the log is not read on until there is room.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// How much of the file is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;
/// Frames in the file are marked with it; nobody else writes there.
const NONCE: &str = "b";

/// The queue. One task puts in, one takes out.
#[derive(Debug)]
pub(super) struct Backlog {
    scratch: PathBuf,
    /// Held by both tasks for moments, never over an await.
    state: Mutex<State>,
    news: Notify,
    room: Notify,
}

#[derive(Debug)]
struct State {
    memory: VecDeque<Frame>,
    memory_bytes: usize,
    overflow: Option<Overflow>,
    closed: bool,
}

#[derive(Debug)]
struct Overflow {
    file: File,
    read: u64,
    written: u64,
    decoder: Decoder,
}

impl Backlog {
    pub(super) fn new(scratch: PathBuf) -> Self {
        let state = State { memory: VecDeque::new(), memory_bytes: 0, overflow: None, closed: false };
        Self { scratch, state: Mutex::new(state), news: Notify::new(), room: Notify::new() }
    }

    /// Adds a frame; never waits. Ask [`Self::has_room`] between pieces of the log.
    pub(super) fn push(&self, frame: Frame) {
        let mut state = self.lock();
        let bytes = size(&frame);
        if state.overflow.is_none() && state.memory_bytes + bytes > MAX_MEMORY_BYTES {
            state.overflow = tempfile::tempfile_in(&self.scratch).ok().map(|file| Overflow {
                file,
                read: 0,
                written: 0,
                decoder: Decoder::new(NONCE),
            });
        }
        let kept = match &mut state.overflow {
            Some(overflow) => overflow.write(&frame),
            None => Err(io::Error::other("no file")),
        };
        if kept.is_err() {
            // Order is kept only if nothing older lies in the file; a full disk is rare, and then memory has to do.
            state.drain_overflow();
            state.memory_bytes += bytes;
            state.memory.push_back(frame);
        }
        drop(state);
        self.news.notify_one();
    }

    /// No frame comes after those that are in it.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    /// Whether more of the log may be read.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        match &state.overflow {
            Some(overflow) => overflow.written - overflow.read < MAX_FILE_BYTES,
            None => state.memory_bytes <= MAX_MEMORY_BYTES,
        }
    }

    /// Waits until more of the log may be read.
    pub(super) async fn wait_for_room(&self) {
        while !self.has_room() {
            self.room.notified().await;
        }
    }

    /// The next frame; `None` when it is closed and empty. Cancel safe.
    pub(super) async fn next(&self) -> Option<Frame> {
        loop {
            {
                let mut state = self.lock();
                if let Some(frame) = state.pop() {
                    drop(state);
                    self.room.notify_one();
                    return Some(frame);
                }
                if state.closed {
                    return None;
                }
            }
            self.news.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Frame> {
        if self.memory.is_empty() {
            self.refill();
        }
        let frame = self.memory.pop_front()?;
        self.memory_bytes -= size(&frame);
        Some(frame)
    }

    /// Reads the next piece of the file; gives the file up when all of it was read.
    fn refill(&mut self) {
        let Some(overflow) = &mut self.overflow else { return };
        let (memory, bytes) = (&mut self.memory, &mut self.memory_bytes);
        while memory.is_empty() && overflow.read < overflow.written {
            overflow.read_on(|frame| {
                *bytes += size(&frame);
                memory.push_back(frame);
            });
        }
        if overflow.read >= overflow.written {
            self.overflow = None;
        }
    }

    fn drain_overflow(&mut self) {
        while let Some(overflow) = &mut self.overflow {
            let (memory, bytes) = (&mut self.memory, &mut self.memory_bytes);
            overflow.read_on(|frame| {
                *bytes += size(&frame);
                memory.push_back(frame);
            });
            if overflow.read >= overflow.written {
                self.overflow = None;
            }
        }
    }
}

impl Overflow {
    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let mut line = Vec::new();
        encode(frame, NONCE, &mut line).map_err(io::Error::other)?;
        // A write that fails half-way is written over by the next.
        self.file.write_all_at(&line, self.written)?;
        self.written += line.len() as u64;
        Ok(())
    }

    fn read_on(&mut self, mut each: impl FnMut(Frame)) {
        let left = usize::try_from(self.written - self.read).unwrap_or(usize::MAX);
        let mut buffer = vec![0; READ_BYTES.min(left)];
        match self.file.read_at(&mut buffer, self.read) {
            Ok(count) if count > 0 => {
                self.read += count as u64;
                self.decoder.feed(buffer.get(..count).unwrap_or_default(), |item| {
                    if let Item::Frame(frame) = item {
                        each(frame);
                    }
                });
            }
            // A disk that cannot be read has lost what is on it. The numbers of the frames show it.
            _ => self.read = self.written,
        }
    }
}

fn size(frame: &Frame) -> usize {
    let bytes = match &frame.body {
        Body::Output { bytes, .. } => bytes.len(),
        Body::Phase(words) => words.len(),
        Body::Started | Body::End(_) => 0,
    };
    bytes + 100
}

#[cfg(test)]
mod tests {
    use coderoom_protocol::control::LogStream;

    use super::*;

    fn frame(seq: u64) -> Frame {
        let bytes = vec![b'a'; 5000 + seq as usize % 7];
        Frame { seq, at: 1, body: Body::Output { offset: seq, stream: LogStream::Out, bytes } }
    }

    #[tokio::test]
    async fn order_is_kept_through_memory_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let backlog = Backlog::new(dir.path().to_owned());
        let mut next = 0;
        for seq in 0..2000 {
            backlog.push(frame(seq));
            // Slower out than in at first, then the other way round.
            for _ in 0..if seq < 1000 { u64::from(seq % 3 == 0) } else { 2 } {
                assert_eq!(backlog.next().await, Some(frame(next)));
                next += 1;
                if next > seq {
                    break;
                }
            }
        }
        backlog.close();
        while let Some(got) = backlog.next().await {
            assert_eq!(got, frame(next));
            next += 1;
        }
        assert_eq!(next, 2000);
        assert!(backlog.lock().overflow.is_none() && backlog.lock().memory_bytes == 0);
    }

    #[tokio::test]
    async fn without_a_disk_memory_is_bounded_by_asking_for_room() {
        let backlog = Backlog::new(PathBuf::from("/nowhere"));
        let mut pushed = 0;
        while backlog.has_room() {
            backlog.push(frame(pushed));
            pushed += 1;
        }
        assert!((100..400).contains(&pushed), "{pushed} frames of 5 KB fit into 1 MiB");
        assert_eq!(backlog.next().await, Some(frame(0)));
        backlog.wait_for_room().await;
    }
}
