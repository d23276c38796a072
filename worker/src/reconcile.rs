//! Comparing what is with what should be: bells that were not rung, runs that waited too long, runs whose owner is gone.
//! It takes no orders; it looks, at start and regularly, and mends.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use coderoom_backing::values;
use coderoom_protocol::{ids::RunId, run::Reason};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    claim::take_over,
    engine::{Shared, drive::Begin},
    fault::Result,
    moves,
};

/// A doorbell in the outbox for longer than this is rung here: whoever put it there did not come to it.
const OUTBOX_AGE: Duration = Duration::from_secs(5);

/// A run that waits is rung for again at this interval, in case its bell was lost.
const RING_AGAIN: Duration = Duration::from_secs(300);

/// How many waiting runs are rung for again in one pass.
const RING_AT_MOST: usize = 100;

/// What was seen of a running run that is not ours: silence is measured on our own clock, so that a jump of anybody's
/// wall clock ends no lease.
#[derive(Debug)]
struct Beat {
    owner: Option<String>,
    beat: i64,
    since: Instant,
}

/// What was seen of a waiting run.
#[derive(Debug)]
struct Wait {
    /// Its age when it was seen first, where one clock wrote and reads it; else nothing, for a clock may be wrong by
    /// minutes. A run that waits too long for that reason is ended by the broker's own measure.
    age: Duration,
    since: Instant,
    rung_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    /// To the engine's main loop.
    adopt: mpsc::Sender<Begin>,
    beats: HashMap<RunId, Beat>,
    waits: HashMap<RunId, Wait>,
    /// When a doorbell was first seen in the outbox.
    outbox: HashMap<RunId, Instant>,
}

impl Reconciler {
    pub(crate) fn new(shared: Arc<Shared>, adopt: mpsc::Sender<Begin>) -> Self {
        Self { shared, adopt, beats: HashMap::new(), waits: HashMap::new(), outbox: HashMap::new() }
    }

    /// What an earlier engine left and this one has now. A failure is mended by the next pass.
    pub(crate) async fn first_pass(&mut self) -> Vec<Begin> {
        if (self.shared.settings.sole_worker || self.shared.executor.sweeps_beside_others())
            && let Err(cause) = self.sweep().await
        {
            tracing::warn!(%cause, "leftovers of ended runs could not be looked for; the next start does");
        }
        self.abandoned().await.unwrap_or_else(|cause| {
            tracing::warn!(%cause, "runs of an earlier engine could not be looked for; trying again");
            Vec::new()
        })
    }

    /// Passes until it is dropped.
    pub(crate) async fn work(mut self) {
        // What lies in the outbox at the start was left by somebody who died.
        let mut outbox_age = Duration::ZERO;
        loop {
            match self.pass(outbox_age).await {
                Ok(()) => outbox_age = OUTBOX_AGE,
                Err(cause) => tracing::warn!(%cause, "runs could not be reconciled; trying again"),
            }
            sleep(self.shared.settings.reconcile).await;
        }
    }

    async fn pass(&mut self, outbox_age: Duration) -> Result<()> {
        for begin in self.abandoned().await? {
            if self.adopt.send(begin).await.is_err() {
                return Ok(());
            }
        }
        self.waiting().await?;
        self.ring_outbox(outbox_age).await
    }

    /// Rings what has lain in the outbox for `age`, as this process measures time.
    async fn ring_outbox(&mut self, age: Duration) -> Result<()> {
        let mut seen = HashMap::new();
        for run in self.shared.runs.outbox().await? {
            let since = self.outbox.get(&run).copied().unwrap_or_else(Instant::now);
            seen.insert(run, since);
        }
        self.outbox = seen;
        let due = self.outbox.iter().filter(|(_, since)| since.elapsed() >= age);
        let due: Vec<RunId> = due.map(|(run, _)| *run).collect();
        for run in due {
            self.shared.runs.ring(run).await?;
        }
        Ok(())
    }

    /// Removes what the executor still has of runs that ended or were deleted. Only before anything is started.
    async fn sweep(&self) -> Result<()> {
        let rows = self.shared.runs.tables().query("SELECT id FROM runs WHERE state = 2", values![]).await?;
        let running = rows.iter().map(|row| Ok(row.parse(0)?)).collect::<Result<Vec<RunId>>>()?;
        let swept = self.shared.executor.sweep(&running).await;
        if swept > 0 {
            tracing::info!(swept, "removed what was left of runs that had ended");
        }
        Ok(())
    }

    /// Takes over running runs whose owner is gone.
    async fn abandoned(&mut self) -> Result<Vec<Begin>> {
        let (runs, settings) = (&self.shared.runs, &self.shared.settings);
        let rows =
            runs.tables().query("SELECT id, lease_owner, lease_beat FROM runs WHERE state = 2", values![]).await?;
        let mut taken = Vec::new();
        let mut seen = HashMap::new();
        for row in &rows {
            let (run, owner, beat): (RunId, _, _) = (row.parse(0)?, row.opt_text(1)?, row.int(2)?);
            if self.shared.driven.contains(run) {
                continue;
            }
            let now = Instant::now();
            let since = match self.beats.remove(&run) {
                Some(last) if last.owner.as_deref() == owner && last.beat == beat => last.since,
                _ => now,
            };
            let patience = match owner {
                None => Duration::ZERO,
                // Claimed a moment ago, or its driver panicked.
                Some(owner) if owner == settings.owner => settings.reconcile.min(settings.lease) / 2,
                Some(_) if settings.sole_worker => Duration::ZERO,
                Some(_) => settings.lease,
            };
            if since.elapsed() < patience {
                seen.insert(run, Beat { owner: owner.map(str::to_owned), beat, since });
            } else if let Some(over) = take_over(runs, run, &settings.owner, owner, beat).await? {
                tracing::info!(run.id = %run, attempts = over.attempts, "a run without an owner is taken over");
                taken.push(Begin::Adopt(over));
            }
        }
        self.beats = seen;
        Ok(taken)
    }

    /// Ends what waited too long, and rings again for what still waits.
    async fn waiting(&mut self) -> Result<()> {
        let runs = &self.shared.runs;
        let sql = "SELECT id, submitted_at FROM runs WHERE state = 1 ORDER BY submitted_at, id";
        let (rows, now_ms, now) = (runs.tables().query(sql, values![]).await?, runs.clock().now_ms(), Instant::now());
        let max_wait = Duration::from_millis(runs.settings().max_wait_ms);
        let waiting = rows.iter().map(|row| Ok((row.parse(0)?, row.int(1)?))).collect::<Result<Vec<(RunId, i64)>>>()?;
        let still: HashSet<RunId> = waiting.iter().map(|(run, _)| *run).collect();
        self.waits.retain(|run, _| still.contains(run));
        let (mut rung, mut refused) = (0, None);
        for (run, submitted_at) in waiting {
            let age = match self.shared.settings.sole_worker {
                true => Duration::from_millis(u64::try_from(now_ms.saturating_sub(submitted_at)).unwrap_or(0)),
                false => Duration::ZERO,
            };
            let wait = self.waits.entry(run).or_insert(Wait { age, since: now, rung_at: now });
            if wait.age + wait.since.elapsed() >= max_wait {
                moves::end_waiting(runs, run, Reason::WaitedTooLong, format!("It waited {}.", words(max_wait))).await?;
                continue;
            }
            if wait.rung_at.elapsed() >= RING_AGAIN && rung < RING_AT_MOST && refused.is_none() {
                match runs.ring(run).await {
                    Ok(()) => wait.rung_at = now,
                    Err(cause) => refused = Some(cause),
                }
                rung += 1;
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// A duration for people: `90 minutes`, `20 seconds`.
pub(crate) fn words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
