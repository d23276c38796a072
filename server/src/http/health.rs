//! Whether the process lives, whether it is ready, and what stands behind it. Servers and workers answer alike.
//!
//! Every answer comes within a bound, also while a service hangs, and many who ask at once cause one look.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use coderoom_backing::{bus::Bus, objects::Objects, queue::Queue, tables::Tables};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{app::Sandbox, assemble::Services};

/// A backing service that is silent for so long counts as gone.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// A look is good for so long: whoever asks more often gets the answer of before.
const LOOK_LIFETIME: Duration = Duration::from_millis(500);

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Health {
    tables: Tables,
    objects: Objects,
    bus: Bus,
    queue: Queue,
    sandbox: Arc<Sandbox>,
    draining: CancellationToken,
    /// The newest look. Held while looking, so that all who ask meanwhile wait for the one look: at most its time-out.
    look: Arc<Mutex<Option<(Instant, Look)>>>,
}

/// What one look found: a name, whether it is well, and what to show.
type Look = Arc<[(&'static str, bool, Value)]>;

/// `?needs=tables,objects`: the services that decide about the status; the others are only shown.
#[derive(Debug, Default, Deserialize)]
struct Needs {
    needs: Option<String>,
}

impl Health {
    /// Asks these services. `draining` is cancelled when the process is being stopped.
    #[must_use]
    pub fn new(services: Services, sandbox: Arc<Sandbox>, draining: CancellationToken) -> Self {
        let Services { tables, objects, bus, queue } = services;
        Self { tables, objects, bus, queue, sandbox, draining, look: Arc::default() }
    }

    async fn look(&self) -> Look {
        let mut newest = self.look.lock().await;
        if let Some((at, look)) = &*newest
            && at.elapsed() < LOOK_LIFETIME
        {
            return look.clone();
        }
        let tables = async { self.tables.query("SELECT 1", Vec::new()).await.map(|_| ()).map_err(|e| e.to_string()) };
        let objects = async { self.objects.ping().await.map_err(|e| e.to_string()) };
        let bus = async { self.bus.check().await.map_err(|e| e.to_string()) };
        let queue = async { self.queue.check().await.map_err(|e| e.to_string()) };
        let (tables, objects) = (check("tables", tables), check("objects", objects));
        let look: [_; 4] = tokio::join!(tables, objects, check("bus", bus), check("queue", queue)).into();
        let look: Look = Arc::new(look);
        *newest = Some((Instant::now(), look.clone()));
        look
    }
}

/// The routes, for whatever router.
pub fn routes<S: Clone + Send + Sync + 'static>(health: Health) -> Router<S> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health", get(summary))
        .with_state(health)
}

/// The process serves.
async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work: every backing service answers (or those that are asked for), and it is not being stopped.
async fn ready(State(health): State<Health>, Query(needs): Query<Needs>) -> impl IntoResponse {
    let look = health.look().await;
    let draining = health.draining.is_cancelled();
    let is_needed = |name: &str| needs.needs.as_ref().is_none_or(|list| list.split(',').any(|need| need == name));
    let ready = !draining && look.iter().all(|(name, well, _)| *well || !is_needed(name));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body =
        json!({ "ready": ready, "draining": draining, "services": shown(&look), "sandbox": health.sandbox.level });
    (status, Json(body))
}

/// All of it in one answer for people.
async fn summary(State(health): State<Health>) -> impl IntoResponse {
    let look = health.look().await;
    let all_well = look.iter().all(|(_, well, _)| *well);
    let sandbox = &health.sandbox;
    let body = json!({
        "name": "coderoom",
        "version": env!("CARGO_PKG_VERSION"),
        "well": all_well && sandbox.sufficient,
        "draining": health.draining.is_cancelled(),
        "services": shown(&look),
        "sandbox": {
            "level": sandbox.level,
            "minimum": sandbox.minimum,
            "sufficient": sandbox.sufficient,
            "notes": sandbox.notes,
        },
    });
    let status = if all_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body))
}

fn shown(look: &Look) -> Map<String, Value> {
    look.iter().map(|(name, _, shown)| ((*name).to_owned(), shown.clone())).collect()
}

async fn check(name: &'static str, ask: impl Future<Output = Result<(), String>>) -> (&'static str, bool, Value) {
    let began = Instant::now();
    let answer = timeout(CHECK_TIMEOUT, ask).await;
    let latency_ms = began.elapsed().as_micros() as f64 / 1000.0;
    let why = match answer {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            // Addresses and names of services stay in the log.
            tracing::warn!(service = name, %error, "a backing service is not well");
            Some("it answers with an error")
        }
        Err(_) => {
            tracing::warn!(service = name, "a backing service does not answer");
            Some("it does not answer")
        }
    };
    metrics::gauge!("coderoom_service_well", "service" => name).set(if why.is_none() { 1.0 } else { 0.0 });
    metrics::histogram!("coderoom_service_seconds", "service" => name).record(latency_ms / 1000.0);
    let shown = match why {
        None => json!({ "well": true, "latency_ms": latency_ms }),
        Some(why) => json!({ "well": false, "latency_ms": latency_ms, "why": why }),
    };
    (name, why.is_none(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hangs_does_not_hang_the_answer() {
        let began = Instant::now();
        let (_, well, shown) = check("bus", std::future::pending()).await;
        assert!(!well && began.elapsed() == CHECK_TIMEOUT, "{shown}");
        assert_eq!(shown["why"], "it does not answer");
        let (_, well, shown) = check("bus", async { Err("redis://:p4ss@10.0.0.1".to_owned()) }).await;
        assert!(!well && !shown.to_string().contains("p4ss"), "{shown}");
        assert!(check("bus", async { Ok(()) }).await.1);
    }
}
