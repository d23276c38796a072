//! One stream: its segments in order, and the rule that it only grows.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    files::Files,
    frame,
    segment::{Found, SEGMENT_BYTES, Segment, Span},
};
use crate::bus::Entry;

/// A stream with a folder of its own.
#[derive(Debug)]
pub(super) struct Stream {
    folder: PathBuf,
    /// One writer at a time; held while writing to the file.
    writing: Mutex<()>,
    /// Held to look or to note what was written; never while reading or writing a file.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In order. All but the last of those found at the start are known by their `base` alone until read.
    segments: VecDeque<Known>,
    /// The stream was removed: whoever still holds it must look it up again.
    removed: bool,
}

#[derive(Debug)]
enum Known {
    /// Gone through, or written by this process.
    Whole(Segment),
    /// Left by an earlier process: (base, base of the next).
    Unread(u64, u64),
}

impl Known {
    fn base(&self) -> u64 {
        match self {
            Self::Whole(segment) => segment.base,
            Self::Unread(base, _) => *base,
        }
    }

    /// End of its last entry, or a little more.
    fn last(&self) -> u64 {
        match self {
            Self::Whole(segment) => segment.last,
            Self::Unread(_, next) => *next,
        }
    }
}

/// A part of the stream to read.
enum Part {
    /// Of a segment that is known.
    Span(Span),
    /// A whole segment that must be gone through first: its `base`.
    Unread(u64),
}

/// What became of an append.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Done, or it was there already.
    Done,
    /// The stream was removed meanwhile: look it up again.
    Removed,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    /// Looks at what an earlier process left in `folder`; cuts off a torn end. `None` when there is no folder
    /// and it should not be made.
    pub(super) fn load(folder: PathBuf, files: &Files, create: bool) -> io::Result<Option<Self>> {
        let mut bases = Vec::new();
        match std::fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    bases.extend(entry?.file_name().to_str().and_then(Segment::base_of));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !create {
                    return Ok(None);
                }
                std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder)?;
            }
            Err(error) => return Err(error),
        }
        bases.sort_unstable();
        let mut segments: VecDeque<_> =
            bases.iter().zip(bases.iter().skip(1)).map(|(base, next)| Known::Unread(*base, *next)).collect();
        if let Some(base) = bases.last() {
            let file = files.get(&Segment::path(&folder, *base), false)?;
            let segment = Segment::scan(*base, &file)?;
            if file.metadata()?.len() > segment.length {
                file.set_len(segment.length)?;
            }
            segments.push_back(Known::Whole(segment));
        }
        let state = Mutex::new(State { segments, removed: false });
        Ok(Some(Self { folder, writing: Mutex::new(()), state }))
    }

    /// End of the last entry, also of one that was trimmed.
    pub(super) fn last(&self) -> Option<u64> {
        locked(&self.state).segments.back().map(Known::last).filter(|last| *last > 0)
    }

    /// Appends an entry unless the stream is that far already.
    pub(super) fn append(&self, files: &Files, end: u64, bytes: &[u8]) -> io::Result<Outcome> {
        let _one_writer = locked(&self.writing);
        let (base, length, last) = {
            let state = locked(&self.state);
            if state.removed {
                return Ok(Outcome::Removed);
            }
            match state.segments.back() {
                Some(Known::Whole(segment)) if segment.length < SEGMENT_BYTES => {
                    (segment.base, segment.length, segment.last)
                }
                Some(known) => (known.last(), 0, known.last()),
                None => (0, 0, 0),
            }
        };
        if end <= last {
            return Ok(Outcome::Done);
        }
        let frame = frame::encode(end, bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let file = files.get(&Segment::path(&self.folder, base), true)?;
        if let Err(error) = file.write_all_at(&frame, length) {
            // Nothing half-written may stay behind the end: its bytes could pass for a frame one day.
            let _ = file.set_len(length);
            return Err(error);
        }
        let mut state = locked(&self.state);
        if length == 0 && state.segments.back().is_none_or(|known| known.base() != base) {
            state.segments.push_back(Known::Whole(Segment::new(base)));
        }
        if let Some(Known::Whole(segment)) = state.segments.back_mut() {
            segment.grow(end, frame.len() as u64);
        }
        Ok(Outcome::Done)
    }

    /// Entries that end after `after`. Where a damaged file lost entries they are missing, and what is behind
    /// them follows.
    pub(super) fn read(&self, files: &Files, after: u64, max_bytes: usize) -> io::Result<Vec<Entry>> {
        // One look at all segments: between two looks the first could grow and get a successor, and what it grew
        // by would be left out.
        self.gather(files, self.parts(after), after, max_bytes)
    }

    fn gather(&self, files: &Files, parts: Vec<Part>, after: u64, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let mut found = Found::default();
        for part in parts {
            let base = match &part {
                Part::Span(span) => span.base,
                Part::Unread(base) => *base,
            };
            let Some(file) = self.existing(files, base)? else { continue };
            let span = match part {
                Part::Span(span) => span,
                Part::Unread(_) => self.scan(base, &file, after)?,
            };
            if span.read(&file, after, max_bytes, &mut found)? {
                break;
            }
        }
        Ok(found.entries)
    }

    /// Where the entries after `after` are now.
    fn parts(&self, after: u64) -> Vec<Part> {
        let state = locked(&self.state);
        let wanted = state.segments.iter().filter(|known| known.last() > after);
        let part = |known: &Known| match known {
            Known::Whole(segment) => Part::Span(segment.span(after)),
            Known::Unread(base, _) => Part::Unread(*base),
        };
        wanted.map(part).collect()
    }

    /// Goes through a segment of an earlier process and remembers what it has. Nobody writes to it any more.
    fn scan(&self, base: u64, file: &File, after: u64) -> io::Result<Span> {
        let segment = Segment::scan(base, file)?;
        let span = segment.span(after);
        let mut state = locked(&self.state);
        if let Some(known @ Known::Unread(..)) = state.segments.iter_mut().find(|known| known.base() == base) {
            *known = Known::Whole(segment);
        }
        Ok(span)
    }

    /// The file of a segment, unless it was trimmed or removed meanwhile.
    fn existing(&self, files: &Files, base: u64) -> io::Result<Option<Arc<File>>> {
        match files.get(&Segment::path(&self.folder, base), false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some),
        }
    }

    /// Removes the files of which every entry ends at or before `up_to`. The last file stays: its end is the
    /// memory of what was appended.
    pub(super) fn trim(&self, files: &Files, up_to: u64) -> io::Result<()> {
        loop {
            let base = {
                let mut state = locked(&self.state);
                let ended = state.segments.front().is_some_and(|known| known.last() <= up_to);
                if !ended || state.segments.len() < 2 {
                    return Ok(());
                }
                state.segments.pop_front().map(|known| known.base())
            };
            if let Some(base) = base {
                remove_file(files, &Segment::path(&self.folder, base))?;
            }
        }
    }

    /// Removes everything.
    pub(super) fn remove(&self, files: &Files) -> io::Result<()> {
        let _one_writer = locked(&self.writing);
        let segments = {
            let mut state = locked(&self.state);
            state.removed = true;
            std::mem::take(&mut state.segments)
        };
        for known in &segments {
            files.forget(&Segment::path(&self.folder, known.base()));
        }
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn remove_file(files: &Files, path: &Path) -> io::Result<()> {
    files.forget(path);
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_misses_nothing_when_the_stream_goes_on_in_another_file() {
        let (directory, files) = (tempfile::tempdir().unwrap(), Files::default());
        let stream = Stream::load(directory.path().join("s"), &files, true).unwrap().unwrap();
        let bytes = vec![1; 1 << 20];
        let append = |range: std::ops::RangeInclusive<u64>| {
            for number in range {
                stream.append(&files, number, &bytes).unwrap();
            }
        };
        append(1..=2);
        let parts = stream.parts(0);
        // The first file grows and is full, while the reader is on its way.
        append(3..=10);
        assert!(locked(&stream.state).segments.len() > 1);
        let ends = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.end).collect::<Vec<_>>();
        assert_eq!(ends(stream.gather(&files, parts, 0, usize::MAX).unwrap()), [1, 2]);
        assert_eq!(ends(stream.read(&files, 2, usize::MAX).unwrap()), (3..=10).collect::<Vec<_>>());
    }
}
