//! Reading a container's log as the kubelet does, with its weaknesses: who lags behind a rotation skips files, and whose
//! container has ended meanwhile stops at the end of the file it was in.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use axum::body::Bytes;
use tokio::sync::mpsc;

use super::{clock::parse, cluster::Cluster, container::Container, faults::Cut};

/// Bytes read from a log file at once.
const READ_BYTES: usize = 256 << 10;
/// Answers under way to the client; a full queue makes the reader wait, so that a slow client lags as on a real node.
const QUEUE: usize = 4;
/// Between a container's end and the end of a follow, before scaling; milliseconds.
const END_MS: u64 = 1_000;

/// What of the log is wanted.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) follow: bool,
    pub(super) timestamps: bool,
    /// Nanoseconds since the Unix epoch.
    pub(super) since: Option<i128>,
    pub(super) tail_lines: Option<u64>,
    pub(super) limit_bytes: Option<u64>,
}

/// Starts reading; the receiver is the body of the answer.
pub(super) fn stream(
    cluster: Arc<Cluster>,
    container: Arc<Container>,
    reading: Reading,
) -> mpsc::Receiver<io::Result<Bytes>> {
    let (to, from) = mpsc::channel(QUEUE);
    let reader = Reader::new(&cluster, container, reading, to);
    cluster.clone().spawn(async move {
        if let Ok(mut reader) = reader {
            // The error is that the client is gone.
            let _ = reader.run(&cluster).await;
        }
    });
    from
}

struct Reader {
    container: Arc<Container>,
    reading: Reading,
    to: mpsc::Sender<io::Result<Bytes>>,
    file: File,
    generation: u64,
    /// Bytes of an entry that is not whole yet.
    rest: Vec<u8>,
    /// Whether the next entry begins a line.
    line_begins: bool,
    /// Whether the line under way is wanted.
    wanted: bool,
    left_bytes: Option<u64>,
    cut_after: Option<u64>,
}

enum Flow {
    On,
    End,
}

struct ClientGone;

impl Reader {
    fn new(
        cluster: &Cluster,
        container: Arc<Container>,
        reading: Reading,
        to: mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<Self> {
        let generation = container.log.growth().borrow().generation;
        let cut_after =
            if reading.follow { cluster.faults.read(|faults| faults.cut_after_bytes.pop_front()) } else { None };
        Ok(Self {
            file: container.log.open(generation)?,
            left_bytes: reading.limit_bytes,
            container,
            reading,
            to,
            generation,
            rest: Vec::new(),
            line_begins: true,
            wanted: true,
            cut_after,
        })
    }

    async fn run(&mut self, cluster: &Cluster) -> Result<(), ClientGone> {
        let mut growth = self.container.log.growth();
        let mut faults = cluster.faults.changes();
        let cuts = cluster.faults.read(|faults| faults.follows_cut);
        let mut buffer = vec![0; READ_BYTES];
        let mut final_look = false;
        if let Some(lines) = self.reading.tail_lines {
            self.skip_to_tail(lines).await?;
        }
        loop {
            let (cut, how, rate) =
                cluster.faults.read(|state| (state.follows_cut != cuts, state.cut, state.follow_bytes_per_second));
            if self.reading.follow && cut {
                if how == Some(Cut::Broken) {
                    let _ = self.to.send(Err(io::Error::other("cut by a test"))).await;
                }
                return Ok(());
            }
            let now = growth.borrow_and_update().clone();
            if self.reading.follow && now.skip_to > self.generation && !self.turn_to(now.generation) {
                return Ok(());
            }
            let slow = rate.filter(|_| self.reading.follow);
            let most = slow.map_or(READ_BYTES, |rate| usize::try_from(rate / 10).unwrap_or(1).clamp(1, READ_BYTES));
            let read = buffer.get_mut(..most).map_or(Ok(0), |buffer| self.file.read(buffer)).unwrap_or(0);
            if read > 0 {
                final_look = false;
                let bytes = buffer.get(..read).unwrap_or_default();
                if matches!(self.pass(bytes).await?, Flow::End) {
                    return Ok(());
                }
                if slow.is_some() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
            if !self.reading.follow || now.lost || final_look {
                return Ok(());
            }
            if now.ended {
                if now.generation > self.generation {
                    return Ok(());
                }
                tokio::select! {
                    () = cluster.pause(END_MS) => final_look = true,
                    () = self.to.closed() => return Err(ClientGone),
                    _ = faults.changed() => {}
                }
                continue;
            }
            if now.generation > self.generation {
                if !self.turn_to(now.generation) {
                    return Ok(());
                }
                continue;
            }
            tokio::select! {
                _ = growth.changed() => {}
                _ = faults.changed() => {}
                () = self.to.closed() => return Err(ClientGone),
            }
        }
    }

    fn turn_to(&mut self, generation: u64) -> bool {
        let Ok(file) = self.container.log.open(generation) else { return false };
        self.file = file;
        self.generation = generation;
        self.rest.clear();
        true
    }

    /// Passes on only the last lines of what is there now.
    async fn skip_to_tail(&mut self, lines: u64) -> Result<(), ClientGone> {
        let mut all = Vec::new();
        let _ = self.file.read_to_end(&mut all);
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        let mut part_of_last = false;
        for entry in all.split_inclusive(|byte| *byte == b'\n') {
            if part_of_last && let Some(last) = kept.back_mut() {
                last.extend_from_slice(entry);
            } else {
                kept.push_back(entry.to_vec());
            }
            part_of_last = parts(entry).is_some_and(|(_, tag, _)| tag == b'P');
            while kept.len() as u64 > lines {
                kept.pop_front();
            }
        }
        for entries in kept {
            if matches!(self.pass(&entries).await?, Flow::End) {
                return Err(ClientGone);
            }
        }
        Ok(())
    }

    /// Turns entries into the text of the answer and sends it.
    async fn pass(&mut self, bytes: &[u8]) -> Result<Flow, ClientGone> {
        let mut text = Vec::with_capacity(bytes.len());
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'\n', bytes.get(from..).unwrap_or_default()) {
            let entry = bytes.get(from..=from + at).unwrap_or_default();
            from += at + 1;
            if self.rest.is_empty() {
                self.entry(entry, &mut text);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(entry);
                self.entry(&whole, &mut text);
            }
        }
        self.rest.extend_from_slice(bytes.get(from..).unwrap_or_default());
        let mut flow = Flow::On;
        for left in [&mut self.left_bytes, &mut self.cut_after].into_iter().flatten() {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            if text.len() >= most {
                text.truncate(most);
                flow = Flow::End;
            }
            *left -= text.len() as u64;
        }
        if !text.is_empty() {
            self.to.send(Ok(Bytes::from(text))).await.map_err(|_| ClientGone)?;
        }
        Ok(flow)
    }

    fn entry(&mut self, entry: &[u8], text: &mut Vec<u8>) {
        let Some((stamp, tag, content)) = parts(entry) else { return };
        if self.line_begins {
            self.wanted = self.reading.since.is_none_or(|since| {
                std::str::from_utf8(stamp).ok().and_then(parse).is_some_and(|written| written >= since)
            });
        }
        if self.wanted {
            if self.reading.timestamps && self.line_begins {
                text.extend_from_slice(stamp);
                text.push(b' ');
            }
            text.extend_from_slice(content);
            if tag == b'F' {
                text.push(b'\n');
            }
        }
        self.line_begins = tag == b'F';
    }
}

/// Time, tag and content of an entry.
fn parts(entry: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = memchr::memchr(b' ', entry)?;
    let (stamp, rest) = entry.split_at(at);
    let rest = rest.get(1..)?;
    let stream_ends = memchr::memchr(b' ', rest)?;
    let tag = *rest.get(stream_ends + 1)?;
    let content = rest.get(stream_ends + 3..)?;
    Some((stamp, tag, content.strip_suffix(b"\n").unwrap_or(content)))
}
