//! Starts the run engine in this process.

use std::time::Duration;

use coderoom_worker::{engine::Engine, executor::Executor, limits::EngineSettings, runs::Runs};
use uuid::Uuid;

use crate::config::{
    Settings,
    topics::{BusKind, QueueKind, RunsAtStop, TablesKind},
};

/// Starts it. Where the tables belong to one process alone, whatever an earlier engine left is taken up at once.
pub(super) fn start(settings: &Settings, runs: Runs, executor: Executor) -> Engine {
    let mut engine = EngineSettings::new(format!("engine-{}", Uuid::now_v7()));
    // Without a shared bus and queue nobody else is let onto the tables: see `nodes`.
    let deployment = &settings.deployment;
    engine.sole_worker = deployment.tables == TablesKind::Sqlite
        || deployment.bus == BusKind::Local
        || deployment.queue == QueueKind::Local;
    if let Some(slots) = settings.runs.slots {
        engine.slots = slots;
    }
    Engine::start(runs, executor, engine)
}

/// How long a drain waits for running programs to end by themselves.
pub(super) fn patience(settings: &Settings) -> Duration {
    match settings.runs.at_stop {
        RunsAtStop::Leave => Duration::ZERO,
        RunsAtStop::Wait => settings.server.drain_timeout,
    }
}
