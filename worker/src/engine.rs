//! The engine: takes runs from the queue while it has free slots, and drives each from claim to end.
//! Signals (doorbell, bus) make it quick; regular looks at the tables make it right.

mod dead_letters;
mod detach;
pub(crate) mod drive;
pub(crate) mod driven;
mod finish;
mod hole;
mod leases;
mod notes;
mod positions;
mod work;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{engine::driven::Driven, executor::Executor, limits::EngineSettings, runs::Runs};

/// A running engine. Dropping the handle aborts it as a crash would: what runs goes on and is adopted by the next engine.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    /// The engine's main task, which owns all others.
    main: AbortOnDropHandle<()>,
}

/// What the engine's tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) runs: Runs,
    pub(crate) executor: Executor,
    pub(crate) settings: EngineSettings,
    /// The runs in this engine's hands.
    pub(crate) driven: Driven,
    /// Rung when the rows of own runs shall be looked at now.
    pub(crate) check: Notify,
    /// No more runs are taken.
    pub(crate) closing: CancellationToken,
    /// What still runs is left to the next engine.
    pub(crate) leaving: CancellationToken,
}

impl Engine {
    /// Starts the engine in the background. It first takes up what an earlier engine left.
    #[must_use]
    pub fn start(runs: Runs, executor: Executor, settings: EngineSettings) -> Self {
        let shared = Arc::new(Shared {
            runs,
            executor,
            settings,
            driven: Driven::default(),
            check: Notify::new(),
            closing: CancellationToken::new(),
            leaving: CancellationToken::new(),
        });
        let main = AbortOnDropHandle::new(tokio::spawn(work::work(shared.clone())));
        Self { shared, main }
    }

    /// Runs in this engine's hands now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.driven.len()
    }

    /// Takes no more runs, waits up to `patience` for the end of those it has, and leaves the others running for the
    /// next engine, with all their output up to now stored.
    pub async fn shutdown(self, patience: Duration) {
        self.shared.closing.cancel();
        let mut main = self.main;
        if tokio::time::timeout(patience, &mut main).await.is_ok() {
            return;
        }
        self.shared.leaving.cancel();
        if tokio::time::timeout(Duration::from_secs(10), main).await.is_err() {
            tracing::warn!("the engine did not come to rest in 10 s; its runs are adopted at the next start");
        }
    }
}
