//! How much a task may still grow: all its files together have one bound. A room knows about how much is used; near the
//! bound (and while it knows nothing) every commit is checked inside its transaction, which alone decides.

use std::time::Duration;

use coderoom_backing::{
    tables::{Tables, TablesError},
    values,
};
use coderoom_protocol::{
    ids::{FileId, TaskId},
    problem::{ErrorCode, WireError},
};
use tokio::time::Instant;

use super::compact;

/// Commits are checked in their transaction when less than this many bytes are free. More than one text can bring at once,
/// and more than several nodes bring between two readings.
const NEAR_BYTES: u64 = 64 * 1024 * 1024;
/// What is known is read again when something is added after this long: other nodes and other doors add too.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// While somebody waits for space it is looked for this often.
pub(super) const LOOK_FOR_SPACE: Duration = Duration::from_secs(1);

/// What a room knows about the size of its task. Reads nothing itself.
#[derive(Debug)]
pub(super) struct Space {
    limit: u64,
    /// Bytes of all files when they were last read, and when that was.
    known: Option<(u64, Instant)>,
    /// Bytes that were accepted since.
    grown: u64,
    /// Bytes that had been accepted when the reading under way began.
    reading: Option<u64>,
    /// Least bytes that were refused and are still waited for.
    wanted: Option<u64>,
}

impl Space {
    /// Nothing is known yet of a task that may have `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, known: None, grown: 0, reading: None, wanted: None }
    }

    /// The bound, if commits must be checked against it.
    pub(super) fn to_check(&self) -> Option<u64> {
        let is_near = self.free().is_none_or(|free| free < NEAR_BYTES);
        is_near.then_some(self.limit)
    }

    /// Bytes that are free, as far as known.
    fn free(&self) -> Option<u64> {
        self.known.map(|(used, _)| self.limit.saturating_sub(used + self.grown))
    }

    /// Whether `bytes` more are known to be too many.
    pub(super) fn lacks(&self, bytes: u64) -> bool {
        bytes > 0 && self.free().is_some_and(|free| free < bytes)
    }

    /// The same; then they are waited for.
    pub(super) fn refuses(&mut self, bytes: u64) -> bool {
        let refuses = self.lacks(bytes);
        if refuses {
            self.wait_for(bytes);
        }
        refuses
    }

    /// These were refused.
    pub(super) fn wait_for(&mut self, bytes: u64) {
        self.wanted = Some(self.wanted.map_or(bytes, |wanted| wanted.min(bytes)));
    }

    /// Who waited has gone.
    pub(super) fn stop_waiting(&mut self) {
        self.wanted = None;
    }

    /// Whether somebody waits for space.
    pub(super) fn is_waited_for(&self) -> bool {
        self.wanted.is_some()
    }

    /// These are on their way to the tables.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.grown += bytes;
    }

    /// Whether what is known is too old to add to.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.known.is_none_or(|(_, at)| now.duration_since(at) >= KNOWN_FOR)
    }

    /// Whether anything is known.
    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// A reading begins, unless one is under way.
    pub(super) fn begin(&mut self) -> bool {
        let begins = self.reading.is_none();
        if begins {
            self.reading = Some(self.grown);
        }
        begins
    }

    /// The reading has ended. Gives whether those who were refused should try again.
    pub(super) fn read(&mut self, used: Option<u64>, now: Instant) -> bool {
        let before = self.reading.take().unwrap_or_default();
        let Some(used) = used else { return false };
        self.known = Some((used, now));
        self.grown -= before.min(self.grown);
        let free = self.free().unwrap_or_default();
        self.wanted.take_if(|wanted| *wanted <= free).is_some()
    }

    /// A commit found how much is used.
    pub(super) fn found(&mut self, used: u64, now: Instant) {
        self.known = Some((used, now));
        self.grown = 0;
    }

    /// What is said to who wants `bytes` more.
    pub(super) fn refusal(&self, bytes: u64) -> WireError {
        too_large(self.limit, self.free().unwrap_or_default(), bytes)
    }

    /// What members are told.
    pub(super) fn notice(&self) -> String {
        let (limit, free) = (in_words(self.limit), in_words(self.free().unwrap_or_default()));
        format!("All files of a task may have {limit} together; {free} are free. Delete something to go on.")
    }
}

/// Bytes of all files of a task.
pub(super) const USED: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE task_id = $1";

/// Puts the sizes of these documents right (file, epoch, edit, bytes) and adds up all files of a task.
pub(super) async fn measure(
    tables: &Tables,
    task: TaskId,
    exact: Vec<(FileId, u64, u64, u64)>,
) -> Result<u64, TablesError> {
    for (file, epoch, seq, bytes) in exact {
        compact::store_size(tables, file, epoch, seq, bytes).await;
    }
    let row = tables.query_opt(USED, values![task.to_string()]).await?;
    row.map_or(Ok(0), |row| row.uint(0))
}

/// The refusal of `wanted` bytes where `free` are left of `limit`.
pub(crate) fn too_large(limit: u64, free: u64, wanted: u64) -> WireError {
    let (limit, free, wanted) = (in_words(limit), in_words(free), in_words(wanted));
    WireError::new(
        ErrorCode::TaskTooLarge,
        format!(
            "All files of a task may have {limit} together; {free} are free and this needs {wanted}. Delete files first, or bring less."
        ),
    )
}

/// A size for people, exact as well: `2 MiB (2097152 bytes)`.
pub(crate) fn in_words(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, size)| bytes >= *size) {
        None => format!("{bytes} bytes"),
        Some((unit, size)) if bytes.is_multiple_of(size) => format!("{} {unit} ({bytes} bytes)", bytes / size),
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
        Some((unit, size)) => format!("{:.1} {unit} ({bytes} bytes)", bytes as f64 / size as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_checked_until_much_is_known_to_be_free() {
        let now = Instant::now();
        let mut space = Space::new(1 << 30);
        assert_eq!(space.to_check(), Some(1 << 30), "nothing is known yet");
        assert!(space.is_old(now) && space.begin() && !space.begin(), "one reading at a time");
        space.grow(10);
        space.read(Some(1_000), now);
        assert_eq!(space.to_check(), None);
        assert!(!space.is_old(now));
        assert!(space.is_old(now + KNOWN_FOR));
        space.grow((1 << 30) - NEAR_BYTES);
        assert_eq!(space.to_check(), Some(1 << 30));
    }

    #[test]
    fn who_was_refused_is_asked_again_when_it_fits_and_not_before() {
        let now = Instant::now();
        let mut space = Space::new(100);
        space.read(Some(90), now);
        assert!(!space.refuses(10) && space.refuses(11) && space.refuses(30));
        assert!(space.refusal(11).message.contains("10 bytes are free"));
        assert!(!space.read(Some(90), now));
        assert!(!space.read(None, now), "a reading that failed says nothing");
        assert!(space.read(Some(89), now));
        assert!(!space.is_waited_for());
    }

    #[test]
    fn sizes_are_exact_and_readable() {
        assert_eq!(in_words(12), "12 bytes");
        assert_eq!(in_words(2 << 20), "2 MiB (2097152 bytes)");
        assert_eq!(in_words((1 << 20) + (1 << 19)), "1.5 MiB (1572864 bytes)");
    }
}
