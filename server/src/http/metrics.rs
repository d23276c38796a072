//! `/metrics` in the text form of Prometheus: counts and durations, nothing about anybody.

use axum::{Router, http::header, response::IntoResponse, routing::get};

use crate::{app::App, telemetry};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(render))
}

async fn render() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::metrics().render())
}
