//! A worker: the run engine alone, beside servers that share its tables, and a small listener that says how it is.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use coderoom_backing::clock::Clock;
use coderoom_worker::{engine::Engine, runs::Runs};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Services, connections, engine, executor, identity, nodes, parts, services};
use crate::{
    config::{
        Settings,
        topics::{BusKind, QueueKind, TablesKind},
    },
    http::{health, metrics},
};

/// A worker that works.
#[derive(Debug)]
pub struct Worker {
    /// The address of `/health` and `/metrics`.
    pub address: SocketAddr,
    settings: Settings,
    engine: Engine,
    nodes: nodes::Nodes,
    draining: CancellationToken,
    stop_listening: CancellationToken,
    tracker: TaskTracker,
    listener: JoinHandle<()>,
    _data: std::fs::File,
}

/// Why these settings cannot be a worker's; `None` when they can.
fn unfit(settings: &Settings) -> Option<&'static str> {
    let deployment = &settings.deployment;
    if deployment.tables == TablesKind::Sqlite {
        return Some(
            "a worker cannot run on tables = \"sqlite\": they belong to one process, and `coderoom serve` runs its programs itself. \
             Workers need tables that several processes share: tables = \"postgres\"",
        );
    }
    if deployment.bus == BusKind::Local {
        return Some("a worker needs bus = \"redis\": else nobody would see what its runs print before they end");
    }
    if deployment.queue == QueueKind::Local {
        return Some("a worker needs queue = \"rabbitmq\": else it would not hear of runs that servers submit");
    }
    if settings.runs.slots == Some(0) {
        return Some("a worker with runs.slots = 0 would do nothing");
    }
    None
}

impl Worker {
    /// Whether these settings can be a worker's; the error is a sentence.
    pub fn check(settings: &Settings) -> Result<(), &'static str> {
        unfit(settings).map_or(Ok(()), Err)
    }

    /// Opens everything and starts to work. A worker whose executor cannot be opened does not start.
    pub async fn start(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        crate::telemetry::metrics();
        let services = Services::open(&settings).await?;
        let data = services::lock_data(&settings.deployment.data)?;
        identity::check(&services.tables, &services.objects).await?;
        let nodes = nodes::Nodes::join(&services.tables, nodes::Me::new("worker", &settings)).await?;
        let listener = connections::listen(settings.deployment.listen)
            .with_context(|| format!("listen on {}", settings.deployment.listen))?;
        let address = listener.local_addr().context("read the address of the listener")?;
        let for_health = services.clone();
        let Services { tables, objects, bus, queue } = services;
        let (executor, sandbox) = executor::open(&settings, &objects).await;
        let executor = executor.with_context(|| format!("open the executor: {}", sandbox.notes.join(" ")))?;
        let scratch = parts::make_scratch(&settings).await?;
        let run_settings = parts::run_settings(&settings, scratch);
        let draining = CancellationToken::new();
        let health = health::Health::new(for_health, Arc::new(sandbox), draining.clone());
        let runs = Runs::new(tables, objects, bus, queue, clock, run_settings);
        let engine = engine::start(&settings, runs, executor);
        let router = health::routes(health).merge(metrics::private_routes(settings.server.metrics_token.clone()));
        let (stop_listening, tracker) = (CancellationToken::new(), TaskTracker::new());
        let limits = connections::Limits::new(&settings, &draining, &tracker);
        let listener = tokio::spawn(connections::serve(listener, router, limits, stop_listening.clone()));
        Ok(Self { address, settings, engine, nodes, draining, stop_listening, tracker, listener, _data: data })
    }

    /// Cancelled when this process must end, because another one took its place while it was silent.
    #[must_use]
    pub fn displaced(&self) -> CancellationToken {
        self.nodes.displaced()
    }

    /// Takes no more runs, ends those it has or hands them over (as `runs.at_stop` says), and leaves.
    pub async fn drain(self) {
        let Self { settings, engine, nodes, draining, stop_listening, tracker, listener, .. } = self;
        tracing::info!(deadline_ms = settings.server.drain_timeout.as_millis(), "draining");
        draining.cancel();
        let began = tokio::time::Instant::now();
        engine.shutdown(engine::patience(&settings)).await;
        stop_listening.cancel();
        // The listener ends when it is told to; a panic in it must not stop the drain.
        let _ = listener.await;
        tracker.close();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), tracker.wait()).await;
        nodes.leave().await;
        tracing::info!(duration_ms = began.elapsed().as_millis(), "drained");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_a_workers_are_refused_in_a_sentence() {
        let mut settings = Settings::default();
        assert!(Worker::check(&settings).unwrap_err().contains("sqlite"));
        settings.deployment.tables = TablesKind::Postgres;
        assert!(Worker::check(&settings).unwrap_err().contains("redis"));
        settings.deployment.bus = BusKind::Redis;
        assert!(Worker::check(&settings).unwrap_err().contains("rabbitmq"));
        settings.deployment.queue = QueueKind::RabbitMq;
        assert!(Worker::check(&settings).is_ok());
        settings.runs.slots = Some(0);
        assert!(Worker::check(&settings).is_err());
    }
}
