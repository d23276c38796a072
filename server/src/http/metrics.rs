//! `/metrics` in the text form of Prometheus: counts and durations, nothing about anybody. It still says how much a
//! deployment is used, so strangers do not get it: it needs the token of `server.metrics_token`, or an administrator. On
//! a listener of its own (`server.metrics_listen`) whoever reaches it may read it, unless a token is set.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use coderoom_protocol::problem::ErrorCode;
use sha2::{Digest as _, Sha256};

use super::problem::HttpError;
use crate::{app::App, config::value::Secret, telemetry};

/// The route on the listener that people use.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(for_scrapers_and_administrators))
}

/// The route on a listener that people do not reach. Without a token it is open to all who do.
pub fn private_routes(token: Option<Secret>) -> Router {
    Router::new().route("/metrics", get(for_those_who_reach_it)).with_state(token.map(Arc::new))
}

async fn for_scrapers_and_administrators(State(app): State<App>, headers: HeaderMap) -> Result<Response, HttpError> {
    if app.settings.server.metrics_token.as_ref().is_some_and(|token| has(&headers, token)) {
        return Ok(render());
    }
    match app.people.by_headers(&headers).await? {
        Some(identity) if identity.is_admin => Ok(render()),
        _ => Err(ErrorCode::NotFound.into()),
    }
}

async fn for_those_who_reach_it(
    State(token): State<Option<Arc<Secret>>>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    match token {
        Some(token) if !has(&headers, &token) => Err(ErrorCode::NotFound.into()),
        _ => Ok(render()),
    }
}

/// Whether the request carries this token. Hashes are compared, so that the time it takes says nothing.
fn has(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    given.is_some_and(|given| Sha256::digest(given.as_bytes()) == Sha256::digest(token.0.as_bytes()))
}

fn render() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::metrics().render())
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, extract::Request, http::StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    async fn status(token: Option<&str>, sent: Option<&str>) -> StatusCode {
        let router = private_routes(token.map(|token| Secret(token.into())));
        let mut request = Request::get("/metrics");
        if let Some(sent) = sent {
            request = request.header(header::AUTHORIZATION, format!("Bearer {sent}"));
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_token_closes_the_private_listener_too() {
        assert_eq!(status(None, None).await, StatusCode::OK);
        assert_eq!(status(Some("sixteen-letters!"), None).await, StatusCode::NOT_FOUND);
        assert_eq!(status(Some("sixteen-letters!"), Some("sixteen-letters?")).await, StatusCode::NOT_FOUND);
        assert_eq!(status(Some("sixteen-letters!"), Some("sixteen-letters!")).await, StatusCode::OK);
    }
}
