//! The handle to the runs for everybody who submits, stops, lists or reads a log: HTTP, sockets, the engine.
//! It changes rows and rings bells; it never executes anything.

mod announce_run;
mod forget;
pub(crate) mod line;
mod lookup;
mod ring;
mod stop;
mod submit;
mod words;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, queue::Queue, tables::Tables};
use coderoom_protocol::ids::RunId;
use tokio::sync::{Mutex, MutexGuard};

pub use submit::{Submission, SubmitDraft};

use crate::{limits::RunSettings, log::cache::LogCache};

/// Runs that are announced at the same time; a bus that does not answer holds up no more than those that share a turn.
const TURNS: usize = 64;

/// A cheap handle; clones share everything.
#[derive(Clone, Debug)]
pub struct Runs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tables: Tables,
    objects: Objects,
    bus: Bus,
    queue: Queue,
    clock: Clock,
    settings: RunSettings,
    log_cache: LogCache,
    /// Held from reading a run until that was announced, so that no room hears an older state after a newer one.
    turns: [Mutex<()>; TURNS],
}

impl Runs {
    /// A handle over the backing services. The tables must be migrated.
    #[must_use]
    pub fn new(tables: Tables, objects: Objects, bus: Bus, queue: Queue, clock: Clock, settings: RunSettings) -> Self {
        let log_cache = LogCache::new(settings.log_cache_bytes);
        let turns = std::array::from_fn(|_| Mutex::default());
        Self { inner: Arc::new(Inner { tables, objects, bus, queue, clock, settings, log_cache, turns }) }
    }

    /// The numbers in force.
    #[must_use]
    pub fn settings(&self) -> &RunSettings {
        &self.inner.settings
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.inner.tables
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.inner.objects
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.inner.queue
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Waits for the run's turn to be announced.
    async fn turn(&self, run: RunId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default();
        self.inner.turns[turn].lock().await
    }

    pub(crate) fn log_cache(&self) -> &LogCache {
        &self.inner.log_cache
    }
}
