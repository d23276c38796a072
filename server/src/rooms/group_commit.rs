//! The group commit: one for all rooms of the node. As soon as one transaction has ended, the next starts with all that
//! has gathered, one row per file. Nothing is acknowledged or shown before its transaction is durable.

mod store_rows;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use coderoom_backing::{
    clock::Clock,
    fault_point::fault_point,
    tables::{Tables, TablesError},
};
use coderoom_protocol::ids::{FileId, TaskId, UserId};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::mailbox::{Letter, Mailbox};

/// Accepted edits of one document, to be stored as one row.
pub(super) struct Edits {
    /// Which task.
    pub(super) task: TaskId,
    /// Which file.
    pub(super) file: FileId,
    /// Its document's epoch.
    pub(super) epoch: u64,
    /// Which life of the document in the room's memory: edits of an earlier one are not waited for any more.
    pub(super) generation: u64,
    /// How many edits.
    pub(super) count: u64,
    /// See [`super::log_row`].
    pub(super) data: Vec<u8>,
    /// Bytes of text in them: an upper bound of how much the file grows.
    pub(super) inserted_bytes: u64,
    /// Bytes by which the task grows at most: what is checked against `limit`.
    pub(super) growth: i64,
    /// Client ids that were nobody's before, and whose they are with these edits.
    pub(super) clients: Vec<(u64, UserId)>,
    /// Bytes that all files of the task may have together, if this is to be checked in the transaction.
    pub(super) limit: Option<u64>,
    /// The last edit that was known to be stored when these were handed over: theirs are later.
    pub(super) after: u64,
    /// Who wants to know.
    pub(super) room: Arc<Mailbox>,
}

/// What became of edits.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) file: FileId,
    pub(super) generation: u64,
    /// How many edits, counted from the oldest one that the room has no answer for.
    pub(super) count: u64,
    /// Number of the last of them, or why they will never be stored.
    pub(super) result: Result<u64, Rejected>,
}

/// Why edits cannot be stored, now or later. All later edits of the same generation are rejected too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// The file (or this epoch of it) is gone.
    Gone,
    /// The tables refuse this row.
    Refused,
    /// All files of the task would be larger than they may be together.
    Full {
        /// What they have.
        used: u64,
    },
}

/// Handle to the group commit.
pub(super) struct GroupCommit {
    tables: Tables,
    clock: Clock,
    gather: Duration,
    retry: (Duration, Duration),
    /// Also held by rooms while they put in.
    gathering: Mutex<Gathering>,
    wake: Notify,
}

#[derive(Default)]
struct Gathering {
    edits: Vec<Edits>,
    /// Index in `edits`: one row per file and commit.
    by_file: HashMap<FileId, usize>,
    /// Of another generation than what has gathered for the same file: for the next commit.
    next: Vec<Edits>,
    /// Documents whose edits were rejected: what comes of the same generation is too, since it rests on what is missing.
    rejected: HashMap<FileId, (u64, Rejected)>,
}

impl GroupCommit {
    /// Nothing gathered. Run [`Self::run`] in a task.
    pub(super) fn new(tables: Tables, clock: Clock, gather: Duration, retry: (Duration, Duration)) -> Self {
        Self { tables, clock, gather, retry, gathering: Mutex::default(), wake: Notify::new() }
    }

    /// Puts edits into the next commit. Never waits; rooms bound what they put in.
    pub(super) fn submit(&self, edits: Edits) {
        let mut gathering = self.lock();
        if let Some(&(generation, reason)) = gathering.rejected.get(&edits.file) {
            if generation == edits.generation {
                drop(gathering);
                answer(edits, Err(reason));
                return;
            }
            gathering.rejected.remove(&edits.file);
        }
        let was_empty = gathering.edits.is_empty();
        gathering.put(edits);
        drop(gathering);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Forgets what is remembered of a document that leaves memory.
    pub(super) fn forget(&self, file: FileId) {
        self.lock().rejected.remove(&file);
    }

    /// Stores what gathers, until `stop` is cancelled: when nobody is left to put anything in.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = stop.cancelled() => return,
            }
            if !self.gather.is_zero() {
                tokio::time::sleep(self.gather).await;
            }
            loop {
                let group = self.take();
                if group.is_empty() {
                    break;
                }
                let mut rows: Vec<_> = group.into_iter().map(Prepared::new).collect();
                // In one order on every node: two that store the same files must not wait for each other's rows.
                rows.sort_unstable_by(|a, b| a.file.cmp(&b.file));
                self.store(rows).await;
            }
        }
    }

    fn take(&self) -> Vec<Edits> {
        let mut gathering = self.lock();
        gathering.by_file.clear();
        let group = std::mem::take(&mut gathering.edits);
        for edits in std::mem::take(&mut gathering.next) {
            gathering.put(edits);
        }
        group
    }

    /// Stores a group, however long it takes; every room gets its answer.
    async fn store(&self, mut rows: Vec<Prepared>) {
        let started = Instant::now();
        let mut pause = self.retry.0;
        loop {
            match self.commit(&rows).await {
                Ok(results) => {
                    fault_point("edits-stored");
                    metrics::histogram!("coderoom_commit_seconds").record(started.elapsed().as_secs_f64());
                    for (row, result) in rows.into_iter().zip(results) {
                        self.settle(row.edits, result);
                    }
                    return;
                }
                Err(error) if error.is_permanent() && rows.len() > 1 => {
                    tracing::error!(error = %error, files = rows.len(), "a commit was refused; storing its files one by one");
                    for row in rows {
                        Box::pin(self.store(vec![row])).await;
                    }
                    return;
                }
                Err(error) if error.is_permanent() => {
                    for row in rows {
                        tracing::error!(error = %error, file.id = %row.edits.file, "edits were refused by the tables");
                        self.settle(row.edits, Err(Rejected::Refused));
                    }
                    return;
                }
                Err(error) => {
                    if matches!(error, TablesError::Unknown(_)) {
                        rows.iter_mut().for_each(|row| row.uncertain = true);
                    }
                    metrics::counter!("coderoom_commit_failures_total").increment(1);
                    if rows.iter().any(|row| !row.told) {
                        tracing::error!(error = %error, files = rows.len(), "edits cannot be stored; trying again");
                    }
                    for row in rows.iter_mut().filter(|row| !row.told) {
                        row.told = true;
                        row.edits.room.post(Letter::StoringFails(row.edits.file));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.retry.1);
                    self.tell_waiting();
                }
            }
        }
    }

    /// While a commit is being retried, documents that wait behind it are in the same trouble.
    fn tell_waiting(&self) {
        let gathering = self.lock();
        for edits in &gathering.edits {
            edits.room.post(Letter::StoringFails(edits.file));
        }
    }

    fn settle(&self, edits: Edits, result: Result<u64, Rejected>) {
        if let Err(reason) = result {
            // What has gathered behind them rests on them.
            let behind = {
                let mut gathering = self.lock();
                gathering.rejected.insert(edits.file, (edits.generation, reason));
                gathering.remove(edits.file, edits.generation)
            };
            answer(edits, Err(reason));
            for edits in behind {
                answer(edits, Err(reason));
            }
        } else {
            answer(edits, result);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathering {
    fn put(&mut self, edits: Edits) {
        match self.by_file.get(&edits.file).and_then(|&index| self.edits.get_mut(index)) {
            Some(gathered) if gathered.generation == edits.generation => {
                gathered.count += edits.count;
                gathered.inserted_bytes += edits.inserted_bytes;
                gathered.growth += edits.growth;
                gathered.limit = gathered.limit.or(edits.limit);
                gathered.data.extend_from_slice(&edits.data);
                gathered.clients.extend(edits.clients);
            }
            Some(_) => self.next.push(edits),
            None => {
                self.by_file.insert(edits.file, self.edits.len());
                self.edits.push(edits);
            }
        }
    }

    fn remove(&mut self, file: FileId, generation: u64) -> Vec<Edits> {
        let is_behind = |edits: &mut Edits| edits.file == file && edits.generation == generation;
        let mut behind: Vec<Edits> = self.edits.extract_if(.., is_behind).collect();
        behind.extend(self.next.extract_if(.., is_behind));
        self.by_file = self.edits.iter().enumerate().map(|(index, edits)| (edits.file, index)).collect();
        behind
    }
}

fn answer(edits: Edits, result: Result<u64, Rejected>) {
    let Edits { file, generation, count, room, .. } = edits;
    room.post(Letter::Committed(Outcome { file, generation, count, result }));
}

/// A row in the form the tables take, kept over retries.
struct Prepared {
    edits: Edits,
    file: String,
    epoch: i64,
    count: i64,
    inserted: i64,
    data: Bytes,
    /// Whether the room knows that storing fails.
    told: bool,
    /// It may be stored already: the connection broke during a commit.
    uncertain: bool,
}

impl Prepared {
    fn new(mut edits: Edits) -> Self {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            file: edits.file.to_string(),
            epoch: whole(edits.epoch),
            count: whole(edits.count),
            inserted: whole(edits.inserted_bytes),
            data: std::mem::take(&mut edits.data).into(),
            told: false,
            uncertain: false,
            edits,
        }
    }
}
