//! The engine: takes runs from the queue while it has free slots, and drives each from claim to end.

use std::time::Duration;

use crate::{executor::Executor, limits::EngineSettings, runs::Runs};

/// A running engine. Dropping the handle aborts it like a crash would: its runs go on and are adopted by the next engine.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Starts the engine in the background. It first takes up what an earlier engine left.
    #[must_use]
    pub fn start(_runs: Runs, _executor: Executor, _settings: EngineSettings) -> Self {
        Self {}
    }

    /// Takes no more runs, waits up to `patience` for those it has, and leaves the rest running for the next engine.
    /// All their output up to now is stored on return.
    pub async fn shutdown(self, _patience: Duration) {}
}
