//! Edits that this server makes: a text becomes another by the smallest edit, computed on a scratch replica with a client id
//! of its own, off the runtime's threads; then it goes the way of everybody's edits. One at a time for a document, so that
//! two that come at once do not both insert what is the same in them.

use bytes::Bytes;
use coderoom_protocol::{
    control::FileWritten,
    gate::{self, StateVector},
    problem::{ErrorCode, WireError},
};
use tokio::sync::oneshot;

use super::{Document, InFlight, Measure, Surroundings, Ticket, tangle::TANGLED};
use crate::rooms::{
    mailbox::Letter,
    replica::{Replica, ReplicaError},
    text_diff,
};

/// What waits for its turn.
pub(in crate::rooms) enum Job {
    /// A whole new text. `measured`: near the bound of the task, its size was read just before.
    Write { text: String, reply: oneshot::Sender<Result<FileWritten, WireError>>, measured: bool },
    /// A barrier behind the writes before it.
    Ticket(Ticket),
}

/// The update that makes the text what it should be, and by how many bytes it grows; `None`: it is already.
pub(in crate::rooms) type Computed = Result<Option<(Vec<u8>, i64)>, ReplicaError>;

impl Document {
    /// Makes the text equal to `text`.
    pub(in crate::rooms) fn write_text(
        &mut self,
        around: &mut Surroundings,
        text: String,
        reply: oneshot::Sender<Result<FileWritten, WireError>>,
    ) {
        let limit = around.shared.settings.max_text_bytes;
        if text.len() as u64 > limit {
            let message = format!("A text file may have at most {limit} bytes; this text has {}.", text.len());
            let _ = reply.send(Err(WireError::new(ErrorCode::FileTooLarge, message)));
            return;
        }
        let Some(live) = &mut self.live else { return };
        if live.is_tangled(0, &around.shared.settings) {
            let _ = reply.send(Err(WireError::new(ErrorCode::FileTooLarge, TANGLED)));
            return;
        }
        if live.is_read_only || live.is_failing {
            let _ = reply.send(Err(WireError::plain(ErrorCode::NotStored)));
            return;
        }
        live.writes.push_back(Job::Write { text, reply, measured: false });
        self.write_next(around);
    }

    /// Begins the next write, if none is being computed.
    pub(in crate::rooms) fn write_next(&mut self, around: &mut Surroundings) {
        let Some(live) = &mut self.live else { return };
        if live.writing.is_some() || live.replica.is_none() {
            return;
        }
        self.used_at = around.now;
        while let Some(job) = live.writes.pop_front() {
            let (text, reply) = match job {
                Job::Write { text, reply, measured: false } if around.space.to_check().is_some() => {
                    // It replaces as much as it brings, perhaps: goes on when the size is known exactly.
                    live.writes.push_front(Job::Write { text, reply, measured: true });
                    around.measure = Measure::Exact;
                    return;
                }
                Job::Write { text, reply, .. } => (text, reply),
                Job::Ticket(ticket) => {
                    if !live.in_flight.is_empty() {
                        live.in_flight.push_back(InFlight::Ticket(ticket));
                    }
                    continue;
                }
            };
            let state = match live.diff(&StateVector::default()) {
                Ok(state) => state,
                Err(error) => {
                    live.writes.push_front(Job::Write { text, reply, measured: true });
                    return self.rebuild(around, &error);
                }
            };
            let in_flight: Vec<Bytes> = live.in_flight.iter().filter_map(InFlight::update).cloned().collect();
            let client = free_client(&live.accepted);
            live.writing = Some(reply);
            let (file, generation, mailbox) = (self.file, self.generation, around.mailbox.clone());
            around.shared.tracker.spawn_blocking(move || {
                let computed = compute(client, &state, &in_flight, &text);
                mailbox.post(Letter::Computed(Box::new((file, generation, computed))));
            });
            return;
        }
    }

    /// The edit for the oldest write is ready.
    pub(in crate::rooms) fn computed(&mut self, around: &mut Surroundings, generation: u64, computed: Computed) {
        // After a roll-back it was answered already.
        if generation != self.generation {
            return;
        }
        let Some(live) = &mut self.live else { return };
        let Some(reply) = live.writing.take() else { return };
        let update = match computed {
            Ok(Some((_, growth))) if around.space.lacks(u64::try_from(growth).unwrap_or_default()) => {
                let _ = reply.send(Err(around.space.refusal(growth.unsigned_abs())));
                return self.write_next(around);
            }
            Ok(update) => update.map(|(update, growth)| (Bytes::from(update), growth)),
            Err(error) => {
                tracing::error!(error = %error, file.id = %self.file, "an edit could not be computed");
                let _ = reply.send(Err(WireError::plain(ErrorCode::Internal)));
                return self.write_next(around);
            }
        };
        let facts = update.as_ref().map(|(update, _)| gate::check(update, |client| live.accepted.get(client)));
        match (update, facts) {
            (Some((update, growth)), Some(Ok(facts))) => {
                if live.gathered.count == 0 {
                    around.unsubmitted.push(self.file);
                }
                live.accept(None, update, facts, growth);
                live.in_flight.push_back(InFlight::Written { reply, changed: true, growth });
                around.grows(growth);
            }
            (Some(_), Some(Err(refusal))) => {
                tracing::error!(error = %refusal, file.id = %self.file, "an edit of this server did not pass the gate");
                let _ = reply.send(Err(WireError::plain(ErrorCode::Internal)));
            }
            _ if live.in_flight.is_empty() => {
                let _ = reply.send(Ok(FileWritten { file: self.file, seq: live.seq, changed: false }));
            }
            _ => live.in_flight.push_back(InFlight::Written { reply, changed: false, growth: 0 }),
        }
        self.write_next(around);
    }
}

fn compute(client: u64, state: &[u8], in_flight: &[Bytes], text: &str) -> Computed {
    let scratch = Replica::new(client);
    scratch.apply([state])?;
    scratch.apply(in_flight.iter().map(Bytes::as_ref))?;
    let old = scratch.text()?;
    let pieces = text_diff::pieces(&old, text);
    let growth = text.len().cast_signed() as i64 - old.len().cast_signed() as i64;
    if pieces.is_empty() { Ok(None) } else { scratch.edit(pieces).map(|update| Some((update, growth))) }
}

/// A random 32-bit id (as Yjs clients have) that nobody has used in the document.
fn free_client(taken: &StateVector) -> u64 {
    loop {
        let client = u64::from(rand::random::<u32>());
        if client > u64::from(u16::MAX) && taken.get(client) == 0 {
            return client;
        }
    }
}
