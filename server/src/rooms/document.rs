//! One document of a room: (file, epoch), who is attached to it, its replica while it is in memory, and the edits on their
//! way to the tables. Owned by the room's task; nothing here waits.
//!
//! Edits are *received* (here), *stored* (by the group commit) and then *shown*: the accepted vector runs ahead of the
//! shown one by what is in flight.

pub(super) mod catch_up;
pub(super) mod committed;
mod diffs;
pub(super) mod load;
pub(super) mod merge_trial;
pub(super) mod receive;
pub(super) mod rest;
mod tangle;
pub(super) mod write_text;

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use coderoom_protocol::{
    control::{FileWritten, NoticeCode},
    gate::{StateVector, Writers},
    ids::{FileId, TaskId, UserId},
    problem::WireError,
};
use tokio::{sync::oneshot, time::Instant};

use self::{diffs::Cache, merge_trial::Fits, write_text::Job};
use super::{
    Shared,
    event::{RoomEvent, SessionId},
    group_commit::Edits,
    load_document::ClientOwners,
    mailbox::Mailbox,
    members::Members,
    presence::Presence,
    replica::Replica,
    space::Space,
};

/// What documents need of their room.
pub(super) struct Surroundings {
    pub(super) shared: Arc<Shared>,
    pub(super) task: TaskId,
    pub(super) mailbox: Arc<Mailbox>,
    /// When the current batch of letters was taken.
    pub(super) now: Instant,
    /// For the control channel, sent after the batch.
    pub(super) notices: Vec<(NoticeCode, FileId, Cow<'static, str>)>,
    /// How much the task may grow.
    pub(super) space: Space,
    /// Whether the task's size is to be read after the batch.
    pub(super) measure: Measure,
    /// Documents with edits that have not been handed to the group commit.
    pub(super) unsubmitted: Vec<FileId>,
    /// Some document lacks edits that the tables have.
    pub(super) has_gap: bool,
}

/// A reading of what is missing.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Unique in the process.
    number: u64,
    /// Number of the last edit that was told since it began: that may be stored and not be in what it finds.
    heard: u64,
}

/// How exactly the size of the task is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// Not now.
    #[default]
    No,
    /// As the tables have it: an upper bound.
    Stored,
    /// After the sizes of open documents have been put right.
    Exact,
}

impl Surroundings {
    /// Something was accepted that makes the task grow by at most `bytes`.
    pub(super) fn grows(&mut self, bytes: i64) {
        if let Ok(bytes @ 1..) = u64::try_from(bytes) {
            self.space.grow(bytes);
            if self.space.is_old(self.now) {
                self.measure = self.measure.max(Measure::Stored);
            }
        }
    }

    /// Somebody was refused because the task is as large as it may be.
    pub(super) fn task_is_full(&mut self, file: FileId) {
        self.notices.push((NoticeCode::TaskFull, file, self.space.notice().into()));
        self.measure = Measure::Exact;
    }
}

/// A document and who is attached to it. Without a replica it costs a few hundred bytes.
pub(super) struct Document {
    pub(super) file: FileId,
    pub(super) members: Members,
    pub(super) presence: Presence,
    /// Which life in memory: answers of background work for an earlier one are void.
    pub(super) generation: u64,
    /// In memory, or being rebuilt.
    pub(super) live: Option<Box<Live>>,
    /// Set while the replica is being loaded, or what is behind catches up: what waits for it.
    pub(super) waiting: Option<Box<Waiting>>,
    /// The whole document is being read.
    is_loading: bool,
    /// What waited is being done: the document is as the tables had it a moment ago.
    is_fresh: bool,
    /// Which trial the update that waits first is in.
    trial: Option<u64>,
    /// How it ended, while what waited is being done.
    tried: Option<Fits>,
    /// What members had when the replica left memory, and the number of its last edit.
    rested: Option<Box<(u64, StateVector)>>,
    /// Last edit, joiner or reader.
    pub(super) used_at: Instant,
}

/// Events that need the replica, in order.
#[derive(Default)]
pub(super) struct Waiting {
    held: VecDeque<Held>,
    /// Number of the last edit that other nodes said is stored.
    heard: u64,
    bytes: usize,
}

enum Held {
    Event(RoomEvent),
    Ticket(Ticket),
}

/// A document in memory.
pub(super) struct Live {
    epoch: u64,
    /// Number of the last stored edit up to which none is missing.
    seq: u64,
    /// Rows beyond it that are here already: first and last number.
    beyond: BTreeMap<u64, u64>,
    /// Number of the last edit that is known to be stored, here or by other nodes.
    heard: u64,
    /// Set while what is missing is being read.
    catching_up: Option<Reading>,
    /// `None` while it is being rebuilt.
    replica: Option<Replica>,
    /// Stored while the replica is being rebuilt: to be applied to it, with their numbers.
    unapplied: Vec<(u64, Bytes)>,
    /// What is stored, and therefore shown.
    shown: StateVector,
    /// What has passed the gate.
    accepted: StateVector,
    /// Whose the client ids in it are; of those before this was kept, and of this server, nobody's.
    clients: ClientOwners,
    /// Accepted edits, and what waits for those before it, oldest first.
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// Accepted since the last hand-over to the group commit.
    gathered: Gathered,
    /// Bytes of the text: an upper bound of what is accepted.
    text_bound: u64,
    /// The version at which `text_bound` was computed from the text.
    exact_at: Option<u64>,
    /// Applied commits.
    version: u64,
    /// Blocks of the document: an upper bound of what is accepted. `None`: not counted yet.
    pieces: Option<u64>,
    /// What they were when they were counted last.
    counted_pieces: u64,
    /// What merging has cost beyond what honest edits need, since the document was read.
    merge_excess: Duration,
    /// Edits since the last snapshot …
    loose_edits: u64,
    /// … and their bytes.
    loose_bytes: u64,
    /// A compaction is under way.
    is_compacting: bool,
    /// The edit at which a compaction failed: not tried again until much has changed.
    compaction_failed_at: Option<u64>,
    cache: Cache,
    writes: VecDeque<Job>,
    /// Who waits for the edit that is being computed.
    writing: Option<oneshot::Sender<Result<FileWritten, WireError>>>,
    /// Storing fails and members know it.
    is_failing: bool,
    /// Takes no edits until storing works again, and members know it.
    is_read_only: bool,
}

#[derive(Default)]
struct Gathered {
    data: Vec<u8>,
    count: u64,
    inserted_bytes: u64,
    /// Bytes by which the task grows at most.
    growth: i64,
    /// Client ids that were nobody's before.
    clients: Vec<(u64, UserId)>,
}

/// An accepted edit, or what is due when all before it are stored.
enum InFlight {
    Edit {
        /// `None`: this server.
        author: Option<SessionId>,
        update: Bytes,
        writers: Writers,
        /// Blocks it may add.
        pieces: u64,
    },
    /// An answer to a session whose update needed no commit.
    Answer { session: SessionId, is_stored: bool },
    /// The answer to a `write_text`.
    Written { reply: oneshot::Sender<Result<FileWritten, WireError>>, changed: bool, growth: i64 },
    /// A barrier.
    Ticket(#[expect(dead_code, reason = "held for its drop")] Ticket),
}

impl InFlight {
    fn update(&self) -> Option<&Bytes> {
        if let Self::Edit { update, .. } = self { Some(update) } else { None }
    }

    fn pieces(&self) -> u64 {
        if let Self::Edit { pieces, .. } = self { *pieces } else { 0 }
    }
}

/// A share of a barrier, which is passed when the last share is dropped.
#[derive(Clone)]
pub(super) struct Ticket(#[expect(dead_code, reason = "held for its drop")] Arc<Signal>);

struct Signal(Option<oneshot::Sender<Result<(), WireError>>>);

impl Drop for Signal {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            let _ = reply.send(Ok(()));
        }
    }
}

impl Ticket {
    pub(super) fn new(reply: oneshot::Sender<Result<(), WireError>>) -> Self {
        Self(Arc::new(Signal(Some(reply))))
    }
}

impl Document {
    pub(super) fn new(file: FileId, now: Instant) -> Self {
        Self {
            file,
            members: Members::default(),
            presence: Presence::default(),
            generation: new_generation(),
            live: None,
            waiting: None,
            is_loading: false,
            is_fresh: false,
            trial: None,
            tried: None,
            rested: None,
            used_at: now,
        }
    }

    /// Adds this document's share to a barrier, if anything of it is not stored yet.
    pub(super) fn join_barrier(&mut self, ticket: &Ticket) {
        if let Some(waiting) = &mut self.waiting {
            waiting.held.push_back(Held::Ticket(ticket.clone()));
        } else if let Some(live) = &mut self.live {
            if live.writing.is_some() || !live.writes.is_empty() {
                live.writes.push_back(Job::Ticket(ticket.clone()));
            } else if !live.in_flight.is_empty() {
                live.in_flight.push_back(InFlight::Ticket(ticket.clone()));
            }
        }
    }

    /// Hands what has been accepted to the group commit.
    pub(super) fn submit(&mut self, around: &Surroundings) {
        let Some(live) = &mut self.live else { return };
        let Gathered { data, count, inserted_bytes, growth, clients } = std::mem::take(&mut live.gathered);
        if count > 0 {
            around.shared.commits.submit(Edits {
                task: around.task,
                file: self.file,
                epoch: live.epoch,
                generation: self.generation,
                count,
                data,
                inserted_bytes,
                growth,
                clients,
                limit: around.space.to_check().filter(|_| growth > 0),
                after: live.seq,
                room: Arc::clone(&around.mailbox),
            });
        }
    }
}

/// Unique in the process: a room that was opened again must not take answers meant for the one before.
fn new_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
