//! Whether the server lives, whether it is ready, and what stands behind it.

use std::{future::Future, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::app::App;

/// A backing service that is silent for so long counts as gone.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// An object that need not exist: asking for its size asks the store.
const PROBE_KEY: &str = "health/probe";

/// A topic nobody hears.
const PROBE_TOPIC: &str = "health/probe";

pub(super) fn routes() -> Router<App> {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready)).route("/health", get(summary))
}

/// The process serves.
async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work: every backing service answers, and it is not being stopped.
async fn ready(State(app): State<App>) -> impl IntoResponse {
    let (all_well, services) = check_services(&app).await;
    let draining = app.draining.is_cancelled();
    let ready = all_well && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "draining": draining, "services": services, "sandbox": app.sandbox.level });
    (status, Json(body))
}

/// All of it in one answer for people.
async fn summary(State(app): State<App>) -> impl IntoResponse {
    let (all_well, services) = check_services(&app).await;
    let sandbox = &app.sandbox;
    let body = json!({
        "name": "coderoom",
        "version": env!("CARGO_PKG_VERSION"),
        "well": all_well && sandbox.sufficient,
        "draining": app.draining.is_cancelled(),
        "services": services,
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

async fn check_services(app: &App) -> (bool, Value) {
    let tables = check(async { app.tables.query("SELECT 1", Vec::new()).await.map(|_| ()).map_err(|e| e.to_string()) });
    let objects = check(async { app.objects.size(PROBE_KEY).await.map(|_| ()).map_err(|e| e.to_string()) });
    let bus = check(async { app.bus.publish(PROBE_TOPIC, bytes::Bytes::new()).await.map_err(|e| e.to_string()) });
    let ((tables_well, tables), (objects_well, objects), (bus_well, bus)) = tokio::join!(tables, objects, bus);
    (tables_well && objects_well && bus_well, json!({ "tables": tables, "objects": objects, "bus": bus }))
}

async fn check(ask: impl Future<Output = Result<(), String>>) -> (bool, Value) {
    let began = Instant::now();
    let answer = timeout(CHECK_TIMEOUT, ask).await;
    let latency_ms = began.elapsed().as_micros() as f64 / 1000.0;
    match answer {
        Ok(Ok(())) => (true, json!({ "well": true, "latency_ms": latency_ms })),
        Ok(Err(error)) => {
            // Addresses and names of services stay in the log.
            tracing::warn!(%error, "a backing service is not well");
            (false, json!({ "well": false, "latency_ms": latency_ms, "why": "it answers with an error" }))
        }
        Err(_) => (false, json!({ "well": false, "latency_ms": latency_ms, "why": "it does not answer" })),
    }
}
