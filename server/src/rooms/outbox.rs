//! A socket's outgoing queue: encoded WebSocket frames, bounded in bytes. The room (and the socket itself) put in,
//! the socket's task takes out and writes; nobody waits here but the followers of logs.
//!
//! Three kinds of frames share it. Edits and presence may be refused and are made good by a fresh diff once the queue
//! has drained. Answers and control messages may not be lost; too many of them close the socket. Pieces of logs wait
//! until there is room, in a lane of their own, so that they never stand before an edit.

use std::{
    borrow::Cow,
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::event::SessionId;

/// What a queued frame costs beside its bytes: its place in the queue and its share of a shared buffer.
const FRAME_OVERHEAD_BYTES: usize = 48;
/// Presence is refused beyond this many queued bytes: the socket is slow, and old presence is of no use to it.
const PRESENCE_BYTES: usize = 64 * 1024;
/// A piece of a log may be put in while fewer bytes than this are queued.
const LOG_ROOM_BYTES: usize = 256 * 1024;
/// One batch for the socket's writer: as many bytes as one write takes well.
const BATCH_BYTES: usize = 64 * 1024;
/// Most frames of one batch (IOV_MAX is 1,024; more brings nothing).
const BATCH_FRAMES: usize = 64;
/// An empty queue keeps room for this many frames.
const IDLE_CAPACITY: usize = 8;

/// The bounds of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Edits are refused when more than this many bytes are queued already. A single push may go above.
    pub edits_bytes: usize,
    /// The socket is closed when frames that must not be lost are pushed and more than this many bytes are queued already.
    pub hard_bytes: usize,
}

impl Default for OutboxLimits {
    /// 1 MiB of edits, 8 MiB of anything.
    fn default() -> Self {
        Self { edits_bytes: 1024 * 1024, hard_bytes: 8 * 1024 * 1024 }
    }
}

/// What became of frames put into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They will be written.
    Queued,
    /// The queue is full: nothing was put in. From now on edits and presence of this session are refused until the queue
    /// has drained; the socket then sends [`super::RoomEvent::Drained`], the room calls [`Outbox::resume`] and answers
    /// with one diff and the whole presence of the place.
    Refused,
    /// The socket is gone.
    Closed,
}

/// What the socket's writer does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Write what was put into the batch.
    Write,
    /// Everything queued has been taken: send this close frame and end.
    Close {
        /// WebSocket close code.
        code: u16,
        /// For people who read the browser's console.
        reason: Cow<'static, str>,
    },
}

/// Bounded queue of one socket. Held by the socket's task, by its sessions in rooms, and by its followers of logs.
#[derive(Debug)]
pub struct Outbox {
    limits: OutboxLimits,
    /// Never held over an await; every critical section is a few pushes or pops.
    state: Mutex<State>,
    /// Whether `state.ended` has something, so that the socket need not lock to know.
    has_ended: AtomicBool,
    /// Wakes followers that wait for room.
    log_room: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    /// Cost of `queue` in bytes.
    queued: usize,
    logs: VecDeque<Bytes>,
    /// Cost of `logs` in bytes.
    queued_logs: usize,
    /// Sessions whose edits or presence were refused, and whether the room has been told that the queue has drained since.
    refused: Vec<(SessionId, bool)>,
    /// Sessions that the room has ended by itself and the socket does not know of yet.
    ended: Vec<SessionId>,
    /// While set, nothing is taken out: how much of the queue stands before what the holder will put in.
    held: Option<usize>,
    /// Set when the writer found nothing to do.
    writer: Option<Waker>,
    closing: Option<(u16, Cow<'static, str>)>,
    /// Nothing is taken in any more.
    closed: bool,
}

impl Outbox {
    /// An empty queue with these bounds.
    #[must_use]
    pub fn new(limits: OutboxLimits) -> Self {
        Self { limits, state: Mutex::default(), has_ended: AtomicBool::new(false), log_room: Notify::new() }
    }

    /// Puts one or more complete WebSocket frames with edits of a session: updates, answers to its step 1, diffs.
    /// A single push may be of any size, so that every document fits; it is refused when too much is queued before it.
    pub fn push_edits(&self, session: SessionId, frames: Bytes) -> Pushed {
        self.push_refusable(session, frames, self.limits.edits_bytes)
    }

    /// Puts presence for a session. It is refused much earlier than edits: a slow socket gets one whole presence when it
    /// has caught up instead of every movement of a cursor.
    pub fn push_presence(&self, session: SessionId, frames: Bytes) -> Pushed {
        self.push_refusable(session, frames, PRESENCE_BYTES)
    }

    /// Whether presence of a session would be taken now. [`Pushed::Refused`] counts as if it had been pushed, and spares the
    /// room what it costs to encode it.
    pub fn admit_presence(&self, session: SessionId) -> Pushed {
        self.lock().admit(session, PRESENCE_BYTES)
    }

    fn push_refusable(&self, session: SessionId, frames: Bytes, bound: usize) -> Pushed {
        let mut state = self.lock();
        let admitted = state.admit(session, bound);
        if admitted == Pushed::Queued {
            state.put(frames);
            wake(state);
        }
        admitted
    }

    /// Puts frames that must not be lost: acknowledgements, answers, control messages. When more than the hard bound is
    /// queued already, the socket is closed (1013) and the queue is freed, so that memory stays bounded.
    pub fn push(&self, frames: Bytes) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.queued > self.limits.hard_bytes {
            state.shut(1013, Cow::Borrowed("the client reads too slowly"));
            state.queue = VecDeque::new();
            state.queued = 0;
        } else {
            state.put(frames);
        }
        let closed = state.closed;
        wake(state);
        if closed {
            self.log_room.notify_waiters();
        }
    }

    /// Puts a piece of a log. Wait for [`Self::wait_for_log_room`] first; this call itself refuses nothing.
    pub fn push_log(&self, frames: Bytes) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.queued_logs += frames.len() + FRAME_OVERHEAD_BYTES;
        state.logs.push_back(frames);
        wake(state);
    }

    /// Waits until little enough is queued for another piece of a log. `false`: the socket is gone. Cancel safe.
    pub async fn wait_for_log_room(&self) -> bool {
        loop {
            let room = self.log_room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let state = self.lock();
                if state.closed {
                    return false;
                }
                if state.queued + state.queued_logs < LOG_ROOM_BYTES {
                    return true;
                }
            }
            room.await;
        }
    }

    /// Holds back everything pushed from now on until [`Self::release`], whose frames then come first. For a message that
    /// must precede all events, but is read after the session has begun to get them. Short, and never twice at once.
    pub fn hold(&self) {
        let mut state = self.lock();
        state.held = Some(state.queue.len());
    }

    /// Puts these frames where [`Self::hold`] began to hold back, and lets everything go.
    pub fn release(&self, frames: Option<Bytes>) {
        let mut state = self.lock();
        let place = state.held.take();
        if let (Some(place), Some(frames), false) = (place, frames, state.closed) {
            state.queued += frames.len() + FRAME_OVERHEAD_BYTES;
            let place = place.min(state.queue.len());
            state.queue.insert(place, frames);
        }
        wake(state);
    }

    /// Takes edits and presence of this session again. Called by the room when it answers [`super::RoomEvent::Drained`],
    /// before it pushes the diff; also when the session detaches.
    pub fn resume(&self, session: SessionId) {
        self.lock().refused.retain(|(refused, _)| *refused != session);
    }

    /// Ends one session by the room's own will (file deleted, role gone), where the socket stays: puts the farewell that
    /// the client gets, and tells the socket, which from now on answers what the client says to this address.
    /// The room sends nothing to this session after it.
    pub fn end_session(&self, session: SessionId, farewell: Bytes) {
        {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            state.refused.retain(|(refused, _)| *refused != session);
            state.ended.push(session);
            self.has_ended.store(true, Ordering::Release);
        }
        self.push(farewell);
    }

    /// The sessions that the room has ended since the last call. Asked by the socket before it reads each frame.
    #[must_use]
    pub fn take_ended(&self) -> Vec<SessionId> {
        if !self.has_ended.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.has_ended.store(false, Ordering::Release);
        std::mem::take(&mut self.lock().ended)
    }

    /// Takes nothing in any more; the socket writes what is queued, sends this close code, and ends.
    /// A second call changes nothing.
    pub fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.shut(code, reason.into());
        wake(state);
        self.log_room.notify_waiters();
    }

    /// The socket is gone: frees the queue, wakes who waits.
    pub fn abandon(&self) {
        let mut state = self.lock();
        *state = State { closed: true, ..State::default() };
        drop(state);
        self.log_room.notify_waiters();
    }

    /// Whether nothing put in will be written any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for something to write and moves about one write's worth into `batch`: queued frames in order, then at most
    /// one piece of a log. Only the socket's task calls it. Cancel safe.
    pub async fn next(&self, batch: &mut Vec<Bytes>) -> Next {
        poll_fn(|context| self.poll_next(context, batch)).await
    }

    /// [`Self::next`] as a poll function.
    pub fn poll_next(&self, context: &mut Context<'_>, batch: &mut Vec<Bytes>) -> Poll<Next> {
        let mut state = self.lock();
        if state.held.is_none() && state.take(batch) {
            let has_log_room = state.queued + state.queued_logs < LOG_ROOM_BYTES;
            drop(state);
            if has_log_room {
                self.log_room.notify_waiters();
            }
            return Poll::Ready(Next::Write);
        }
        if state.held.is_none()
            && let Some((code, reason)) = state.closing.take()
        {
            return Poll::Ready(Next::Close { code, reason });
        }
        match &mut state.writer {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// The sessions that were refused and now have room again, each once: the socket sends
    /// [`super::RoomEvent::Drained`] for them. Empty while more than a quarter of the bound for edits is queued
    /// (for refused presence: while any presence would be refused).
    #[must_use]
    pub fn take_drained(&self) -> Vec<SessionId> {
        let mut state = self.lock();
        if state.refused.is_empty() || state.queued > PRESENCE_BYTES.min(self.limits.edits_bytes / 4) {
            return Vec::new();
        }
        let untold = state.refused.iter_mut().filter(|(_, told)| !*told);
        untold
            .map(|(session, told)| {
                *told = true;
                *session
            })
            .collect()
    }

    /// Bytes queued now, with the cost of keeping them: for tests and metrics.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        let state = self.lock();
        state.queued + state.queued_logs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self, session: SessionId, bound: usize) -> Pushed {
        if self.closed {
            return Pushed::Closed;
        }
        // Once refused, always refused until the room resumes: otherwise an edit could overtake the one it rests on.
        if self.refused.iter().any(|(refused, _)| *refused == session) {
            return Pushed::Refused;
        }
        if self.queued > bound {
            self.refused.push((session, false));
            return Pushed::Refused;
        }
        Pushed::Queued
    }

    fn put(&mut self, frames: Bytes) {
        self.queued += frames.len() + FRAME_OVERHEAD_BYTES;
        self.queue.push_back(frames);
    }

    fn shut(&mut self, code: u16, reason: Cow<'static, str>) {
        self.closed = true;
        self.closing = Some((code, reason));
        self.logs = VecDeque::new();
        self.queued_logs = 0;
    }

    /// Moves one batch out; `false` when there was nothing.
    fn take(&mut self, batch: &mut Vec<Bytes>) -> bool {
        let mut bytes = 0;
        let mut frames = 0;
        while bytes < BATCH_BYTES && frames < BATCH_FRAMES {
            let Some(next) = self.queue.pop_front() else { break };
            self.queued -= next.len() + FRAME_OVERHEAD_BYTES;
            bytes += next.len();
            frames += 1;
            batch.push(next);
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(IDLE_CAPACITY);
            if let Some(piece) = self.logs.pop_front() {
                self.queued_logs -= piece.len() + FRAME_OVERHEAD_BYTES;
                frames += 1;
                batch.push(piece);
            }
        }
        frames > 0
    }
}

/// Wakes the writer if it sleeps, after the lock is gone.
fn wake(mut state: MutexGuard<'_, State>) {
    let writer = state.writer.take();
    drop(state);
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests;
