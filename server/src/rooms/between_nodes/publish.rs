//! Puts a node's messages on the bus, in order for each task, without anybody waiting for it. What cannot be put there
//! shrinks to a note ("there is more in the tables"), which is sent when the bus works again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coderoom_backing::bus::Bus;
use coderoom_protocol::ids::{FileId, TaskId};
use coderoom_worker::announce::task_topic;
use tokio::{
    sync::{Mutex, Notify, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Message, NodeId, encode};

/// Tasks share this many queues, so that one trip to the bus does not hold up all.
const LANES: usize = 4;
/// Messages that wait in one queue. A full one makes notes of edits and drops presence, which comes again.
const WAITING: usize = 1024;
/// A publish that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Notes are tried again after this long.
const PAUSE: Duration = Duration::from_millis(250);
/// Files that notes are kept for. Beyond it they are dropped: a bus that was away that long makes every subscriber read
/// the tables anyway.
const MAX_NOTES: usize = 10_000;

/// The queues of one node.
#[derive(Debug)]
pub(in crate::rooms) struct Publisher {
    node: NodeId,
    lanes: Vec<Arc<Lane>>,
}

#[derive(Debug)]
struct Lane {
    queue: mpsc::Sender<(TaskId, Message)>,
    notes: std::sync::Mutex<HashMap<(TaskId, FileId), u64>>,
    noted: Notify,
    /// Held while something is being published: for [`Publisher::flush`].
    busy: Mutex<()>,
}

impl Publisher {
    /// Starts the queues; they end with `stop`.
    pub(in crate::rooms) fn start(node: NodeId, bus: &Bus, stop: &CancellationToken) -> Self {
        let lanes = (0..LANES).map(|_| {
            let (queue, waiting) = mpsc::channel(WAITING);
            let lane =
                Arc::new(Lane { queue, notes: Default::default(), noted: Notify::new(), busy: Mutex::default() });
            let work = Arc::clone(&lane).run(node, bus.clone(), waiting);
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(work).await });
            lane
        });
        Self { node, lanes: lanes.collect() }
    }

    /// Sends a message to the other nodes. Never waits.
    pub(in crate::rooms) fn publish(&self, task: TaskId, message: Message) {
        let lane = &self.lanes[usize::from(task.as_bytes()[15]) % self.lanes.len()];
        if let Err(error) = lane.queue.try_send((task, message)) {
            let (task, message) = error.into_inner();
            lane.note(task, &message);
        }
    }

    /// Who sends here.
    pub(in crate::rooms) fn node(&self) -> NodeId {
        self.node
    }

    /// Waits until what was handed over has been tried, at most `limit`.
    pub(in crate::rooms) async fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        for lane in &self.lanes {
            while lane.queue.capacity() < WAITING && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let _ = tokio::time::timeout_at(until, lane.busy.lock()).await;
        }
    }
}

impl Lane {
    async fn run(self: Arc<Self>, node: NodeId, bus: Bus, mut waiting: mpsc::Receiver<(TaskId, Message)>) {
        loop {
            tokio::select! {
                biased;
                next = waiting.recv() => {
                    let Some((task, message)) = next else { return };
                    let _busy = self.busy.lock().await;
                    if !send(&bus, task, encode(node, &message)).await {
                        self.note(task, &message);
                    }
                }
                () = self.noted.notified() => {
                    while !self.send_notes(node, &bus).await {
                        tokio::time::sleep(PAUSE).await;
                        // What waits meanwhile would fail as well, and is older than what the notes will say.
                        while let Ok((task, message)) = waiting.try_recv() {
                            self.note(task, &message);
                        }
                    }
                }
            }
        }
    }

    /// Remembers that the tables have more than was published.
    fn note(&self, task: TaskId, message: &Message) {
        let (file, seq) = match message {
            Message::Edits(row) => (row.file, row.last()),
            Message::Behind { file, seq } => (*file, *seq),
            // Comes again, or expires.
            Message::Presence { .. } | Message::WhoIsHere { .. } => return,
        };
        metrics::counter!("coderoom_publishes_failed_total").increment(1);
        let mut notes = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if notes.len() < MAX_NOTES || notes.contains_key(&(task, file)) {
            let noted = notes.entry((task, file)).or_default();
            *noted = seq.max(*noted);
        }
        drop(notes);
        self.noted.notify_one();
    }

    /// Whether all notes have been sent.
    async fn send_notes(&self, node: NodeId, bus: &Bus) -> bool {
        let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let mut left = notes.into_iter();
        while let Some(((task, file), seq)) = left.next() {
            let note = Message::Behind { file, seq };
            if !send(bus, task, encode(node, &note)).await {
                self.note(task, &note);
                for ((task, file), seq) in left {
                    self.note(task, &Message::Behind { file, seq });
                }
                return false;
            }
        }
        true
    }
}

async fn send(bus: &Bus, task: TaskId, message: Bytes) -> bool {
    let sent = tokio::time::timeout(PATIENCE, bus.publish(&task_topic(task), message)).await;
    match sent {
        Ok(Ok(())) => {
            metrics::counter!("coderoom_publishes_total").increment(1);
            true
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, task.id = %task, "a message to the other nodes was not published");
            false
        }
        Err(_) => false,
    }
}
