//! An update of many pieces is merged with a copy of the document before it is accepted: what is stored must be merged whenever
//! the file is read, so what takes too long must not be stored. What else comes for the document waits meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use coderoom_protocol::{
    gate::{Facts, StateVector},
    split,
};

use super::{Document, InFlight, Surroundings};
use crate::rooms::{
    event::{RoomEvent, SessionId},
    mailbox::Letter,
    merge_cost::Meter,
    replica::{Replica, ReplicaError, SERVER_CLIENT},
};

/// Blocks and deletions from which on an update is tried. Fewer cost milliseconds at worst, and people make fewer at once.
const TRIED_FROM: u32 = 32;
/// The trial looks at the clock after steps of this many bytes …
const STEP_BYTES: usize = 512;
/// … or deletions.
const STEP_RANGES: usize = 64;

/// The outcome for the update that waits first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rooms) enum Fits {
    Yes,
    No,
}

impl Document {
    /// Whether this update must be tried before it may be accepted.
    pub(super) fn must_be_tried(facts: &Facts) -> bool {
        facts.blocks.saturating_add(facts.delete_ranges) >= TRIED_FROM
    }

    /// Keeps an update, and all after it, until it has been tried. Its end comes as [`Letter::Tried`].
    pub(super) fn try_first(&mut self, around: &mut Surroundings, session: SessionId, update: Bytes, is_step2: bool) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.waiting.get_or_insert_default();
        self.hold(around, RoomEvent::Update { session, update: update.clone(), is_step2 });
        let Some(live) = &mut self.live else { return };
        let state = match live.diff(&StateVector::default()) {
            Ok(state) => state,
            Err(error) => return self.rebuild(around, &error),
        };
        let in_flight: Vec<Bytes> = live.in_flight.iter().filter_map(InFlight::update).cloned().collect();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.trial = Some(number);
        let (file, mailbox, shared) = (self.file, around.mailbox.clone(), around.shared.clone());
        let limit = Duration::from_millis(shared.settings.merge_ms / 4);
        around.shared.tracker.spawn(async move {
            let _turn = Arc::clone(&shared.trials).acquire_owned().await;
            let work = move || try_merge(&state, &in_flight, &update, limit);
            let fits = tokio::task::spawn_blocking(work).await.unwrap_or(Err(ReplicaError::Panicked));
            mailbox.post(Letter::Tried(file, number, fits.unwrap_or(Fits::No)));
        });
    }

    /// The update that waits first has been tried.
    pub(in crate::rooms) fn tried(&mut self, around: &mut Surroundings, number: u64, fits: Fits) {
        if self.trial.take_if(|trial| *trial == number).is_none() || self.is_loading {
            return;
        }
        self.tried = Some(fits);
        self.go_on(around);
        self.tried = None;
    }
}

fn try_merge(state: &[u8], in_flight: &[Bytes], update: &[u8], limit: Duration) -> Result<Fits, ReplicaError> {
    let Some(steps) = split::steps(update, STEP_BYTES, STEP_RANGES) else { return Ok(Fits::No) };
    let scratch = Replica::new(SERVER_CLIENT);
    scratch.apply([state])?;
    scratch.apply(in_flight.iter().map(Bytes::as_ref))?;
    let meter = Meter::start();
    for step in steps {
        scratch.apply([step.as_ref()])?;
        if meter.excess(1, update.len() as u64) > limit {
            metrics::counter!("coderoom_updates_refused_total", "reason" => "merge").increment(1);
            return Ok(Fits::No);
        }
    }
    Ok(Fits::Yes)
}
