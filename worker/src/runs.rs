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

use std::sync::Arc;

use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, queue::Queue, tables::Tables};

pub use submit::{Submission, SubmitDraft};

use crate::{limits::RunSettings, log::cache::LogCache};

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
}

impl Runs {
    /// A handle over the backing services. The tables must be migrated.
    #[must_use]
    pub fn new(tables: Tables, objects: Objects, bus: Bus, queue: Queue, clock: Clock, settings: RunSettings) -> Self {
        let log_cache = LogCache::new(settings.log_cache_bytes);
        Self { inner: Arc::new(Inner { tables, objects, bus, queue, clock, settings, log_cache }) }
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

    pub(crate) fn log_cache(&self) -> &LogCache {
        &self.inner.log_cache
    }
}
