//! The engine's main loop: a free slot, a reason to look, a claim, a driver. A full engine does not consume doorbells.

use std::{sync::Arc, time::Duration};

use coderoom_backing::queue::Delivery;
use coderoom_protocol::{ids::RunId, run::RunState};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Shared, dead_letters,
    drive::{Begin, drive},
    leases, positions,
};
use crate::{claim::claim, fault::Result, reconcile};

/// How long the engine rests when the queue or the tables do not answer.
const REST: Duration = Duration::from_millis(500);

pub(super) async fn work(shared: Arc<Shared>) {
    // 16 runs to be adopted; full means that the reconciler waits for this loop.
    let (adopt, mut adopted) = mpsc::channel(16);
    let mut drivers = JoinSet::new();
    let leases = AbortOnDropHandle::new(tokio::spawn(leases::keep(shared.clone())));
    let positions = AbortOnDropHandle::new(tokio::spawn(positions::announce(shared.clone())));
    // What an earlier engine left takes its slots before anything new does.
    let mut reconciler = reconcile::Reconciler::new(shared.clone(), adopt);
    for begin in reconciler.first_pass().await {
        spawn(&shared, &mut drivers, begin);
    }
    let reconciler = AbortOnDropHandle::new(tokio::spawn(reconciler.work()));
    let dead_letters = AbortOnDropHandle::new(tokio::spawn(dead_letters::bury(shared.clone())));
    let mut look_at = Instant::now();
    // A doorbell that could not be answered yet is kept: given back it would come again at once, and be taken for one
    // that kills whoever hears it.
    let mut delivery: Option<Delivery> = None;
    while !shared.closing.is_cancelled() {
        let free = drivers.len() < shared.settings.slots;
        tokio::select! {
            Some(done) = drivers.join_next() => {
                report(done);
                look_at = Instant::now();
            }
            Some(begin) = adopted.recv() => spawn(&shared, &mut drivers, begin),
            rung = shared.runs.queue().next(), if free && delivery.is_none() => match rung {
                Ok(rung) => {
                    delivery = sensible(rung).await;
                    look_at = Instant::now();
                }
                Err(cause) => {
                    tracing::warn!(%cause, "the queue does not answer; runs are found by looking at the tables");
                    sleep(REST).await;
                }
            },
            () = sleep_until(look_at), if free => look_at = Instant::now(),
            () = shared.closing.cancelled() => break,
        }
        if look_at <= Instant::now() && drivers.len() < shared.settings.slots {
            look_at = Instant::now() + shared.settings.look;
            if let Err(cause) = look(&shared, &mut drivers, &mut delivery).await {
                tracing::warn!(%cause, "the queue of runs could not be read; trying again");
                sleep(REST).await;
            }
        }
    }
    drop((reconciler, positions, dead_letters, delivery));
    // The leases are kept until the last driver is done or has let go.
    while let Some(done) = drivers.join_next().await {
        report(done);
    }
    drop(leases);
}

/// A driver that panicked loses its run to the reconciler, which takes it up again.
fn report(done: std::result::Result<(), JoinError>) {
    if let Err(cause) = done {
        tracing::error!(%cause, "the driver of a run broke; its run is taken up again");
    }
}

/// The doorbell, unless it names no run: that one nobody can ever answer.
async fn sensible(rung: Delivery) -> Option<Delivery> {
    if run_of(rung.message()).is_some() {
        return Some(rung);
    }
    metrics::counter!("coderoom_doorbells_malformed_total").increment(1);
    if let Err(cause) = rung.refuse().await {
        tracing::debug!(%cause, "a malformed doorbell was not refused; it comes again");
    }
    None
}

/// The run that a doorbell names.
pub(super) fn run_of(message: &[u8]) -> Option<RunId> {
    std::str::from_utf8(message).ok()?.parse().ok()
}

/// Claims what there are slots for. The doorbell is acknowledged once its work is handed over, or when there is none;
/// if looking fails it stays in `delivery` for the next look.
async fn look(shared: &Arc<Shared>, drivers: &mut JoinSet<()>, delivery: &mut Option<Delivery>) -> Result<()> {
    while drivers.len() < shared.settings.slots {
        let Some(request) = claim(&shared.runs, &shared.settings.owner).await? else { break };
        let run = request.run;
        spawn(shared, drivers, Begin::Start(request));
        let runs = shared.runs.clone();
        tokio::spawn(async move {
            runs.announce_or_log(run).await;
            runs.announce_line(RunState::Running).await;
        });
    }
    if let Some(delivery) = delivery.take()
        && let Err(cause) = delivery.ack().await
    {
        // It comes again, perhaps to another worker, who finds nothing to do.
        tracing::debug!(%cause, "a doorbell was not acknowledged");
    }
    Ok(())
}

fn spawn(shared: &Arc<Shared>, drivers: &mut JoinSet<()>, begin: Begin) {
    if let Some(held) = shared.driven.hold(begin.run()) {
        drivers.spawn(drive(shared.clone(), held, begin));
    }
}
