//! The log files of one container, written as containerd writes them and rotated as the kubelet rotates them.
//!
//! An entry is `TIME STREAM F|P CONTENT`; `P` marks a part of a line that the next entry goes on with. A rotation begins a
//! new generation; readers without follow see only the newest, as on a real node.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tokio::sync::watch;

use super::clock::{WallClock, seconds};

/// Longest entry in bytes; a longer line becomes several (containerd's default).
const LONGEST_ENTRY: usize = 16 << 10;

/// What a follower needs to know of the writer.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    /// Bytes written in all.
    pub(super) written: u64,
    /// The newest file.
    pub(super) generation: u64,
    /// Followers of older generations than this skip what they have not read.
    pub(super) skip_to: u64,
    /// The container has ended.
    pub(super) ended: bool,
    /// The log is gone (eviction).
    pub(super) lost: bool,
}

/// The log of one container.
#[derive(Debug)]
pub(super) struct LogFile {
    directory: PathBuf,
    /// The open file and its size; held while one batch of lines is written.
    current: Mutex<(File, u64)>,
    growth: watch::Sender<Growth>,
}

/// What one stream of the container has not yet ended with a newline.
#[derive(Debug)]
pub(super) struct Line {
    stream: &'static str,
    rest: Vec<u8>,
}

impl Line {
    pub(super) fn new(stream: &'static str) -> Self {
        Self { stream, rest: Vec::new() }
    }
}

impl LogFile {
    pub(super) fn create(directory: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(directory)?;
        let file = File::create(directory.join("0.log"))?;
        Ok(Self { directory: directory.to_owned(), current: Mutex::new((file, 0)), growth: watch::Sender::default() })
    }

    pub(super) fn growth(&self) -> watch::Receiver<Growth> {
        self.growth.subscribe()
    }

    pub(super) fn open(&self, generation: u64) -> std::io::Result<File> {
        File::open(self.directory.join(format!("{generation}.log")))
    }

    /// Size of the newest file in bytes.
    pub(super) fn size(&self) -> u64 {
        self.current.lock().unwrap().1
    }

    /// Takes what the container wrote to one of its streams; at its end with `end` set.
    pub(super) fn take(&self, clock: &WallClock, line: &mut Line, mut bytes: &[u8], end: bool) {
        let mut entries = Vec::with_capacity(bytes.len() * 3 / 2 + 128);
        let mut current = self.current.lock().unwrap();
        let mut stamp = Stamp::default();
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (head, tail) = bytes.split_at(at);
            if line.rest.is_empty() && head.len() <= LONGEST_ENTRY {
                stamp.entry(clock, line.stream, 'F', head, &mut entries);
            } else {
                line.rest.extend_from_slice(head);
                split_long(clock, &mut stamp, line, &mut entries);
                stamp.entry(clock, line.stream, 'F', &line.rest, &mut entries);
                line.rest.clear();
            }
            bytes = tail.get(1..).unwrap_or_default();
        }
        line.rest.extend_from_slice(bytes);
        split_long(clock, &mut stamp, line, &mut entries);
        if end && !line.rest.is_empty() {
            stamp.entry(clock, line.stream, 'P', &line.rest, &mut entries);
            line.rest.clear();
        }
        if entries.is_empty() {
            return;
        }
        if current.0.write_all(&entries).is_ok() {
            current.1 += entries.len() as u64;
        }
        drop(current);
        self.growth.send_modify(|growth| growth.written += entries.len() as u64);
    }

    /// Begins a new file. With `skip`, followers lose what they have not read.
    pub(super) fn rotate(&self, skip: bool) {
        let mut current = self.current.lock().unwrap();
        let generation = self.growth.borrow().generation + 1;
        let Ok(file) = File::create(self.directory.join(format!("{generation}.log"))) else { return };
        *current = (file, 0);
        drop(current);
        self.growth.send_modify(|growth| {
            growth.generation = generation;
            if skip {
                growth.skip_to = generation;
            }
        });
    }

    /// The end of the newest file as plain text: at most so many bytes and lines.
    pub(super) fn tail(&self, bytes: usize, lines: usize) -> Option<String> {
        let generation = self.growth.borrow().generation;
        let entries = fs::read_to_string(self.directory.join(format!("{generation}.log"))).ok()?;
        let plain: Vec<&str> = entries.lines().filter_map(|entry| entry.splitn(4, ' ').nth(3)).collect();
        let from = plain.len().saturating_sub(lines);
        let mut text = plain.get(from..)?.join("\n");
        text.push('\n');
        let cut = (text.len().saturating_sub(bytes)..=text.len()).find(|at| text.is_char_boundary(*at))?;
        Some(text.split_off(cut))
    }

    /// No more lines will come.
    pub(super) fn end(&self) {
        self.growth.send_modify(|growth| growth.ended = true);
    }

    /// The log is gone.
    pub(super) fn lose(&self) {
        self.growth.send_modify(|growth| growth.lost = true);
    }
}

fn split_long(clock: &WallClock, stamp: &mut Stamp, line: &mut Line, entries: &mut Vec<u8>) {
    while line.rest.len() > LONGEST_ENTRY {
        let tail = line.rest.split_off(LONGEST_ENTRY);
        stamp.entry(clock, line.stream, 'P', &line.rest, entries);
        line.rest = tail;
    }
}

/// The text of the present second, so that a million lines do not cost a million calendars.
#[derive(Default)]
struct Stamp {
    second: i128,
    text: String,
}

impl Stamp {
    fn entry(&mut self, clock: &WallClock, stream: &str, tag: char, content: &[u8], entries: &mut Vec<u8>) {
        let now = clock.now_ns();
        let second = now.div_euclid(1_000_000_000);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = seconds(now);
            self.text.pop();
        }
        let _ = write!(entries, "{}.{:09}Z {stream} {tag} ", self.text, now.rem_euclid(1_000_000_000));
        entries.extend_from_slice(content);
        entries.push(b'\n');
    }
}
