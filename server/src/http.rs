//! The HTTP interface: all routes of the server in one place, and what every request passes on its way.

pub mod access;
pub mod admin;
pub mod archives;
pub mod audit;
pub mod body;
pub mod caller;
pub mod disposition;
pub mod docs;
pub mod files;
pub mod guard;
pub mod health;
pub mod logs;
pub mod members;
pub mod metrics;
pub mod problem;
pub mod providers;
pub mod query;
pub mod request;
pub mod runs;
pub mod sessions;
pub mod share_links;
pub mod sign_in;
pub mod tasks;
pub mod tokens;
mod trace;
pub mod users;
pub mod web;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use coderoom_protocol::problem::{ErrorCode, WireError};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{app::App, http::problem::HttpError, sockets};

/// Prefix of the HTTP interface.
pub const API: &str = "/api/v1";

/// All routes under [`API`], with their documentation.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(sign_in::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .merge(providers::routes())
        .merge(admin::routes())
        .merge(audit::routes())
        .merge(sessions::routes())
        .merge(members::routes())
        .merge(share_links::routes())
        .merge(tasks::routes())
        .merge(files::routes())
        .merge(archives::routes())
        .merge(runs::routes())
        .merge(logs::routes())
}

/// The OpenAPI 3.1 description of the HTTP interface.
#[must_use]
pub fn openapi() -> OpenApi {
    docs::finish(described().split_for_parts().1)
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::head()).nest(API, api())
}

/// Every route of the server, ready to answer.
pub fn router(app: App) -> Router {
    let (api, openapi) = described().split_for_parts();
    let guarded = app.clone();
    api.merge(docs::routes(openapi))
        .route("/api/{*rest}", axum::routing::any(no_route))
        .merge(health::routes(app.health.clone()))
        .merge(metrics::routes())
        .merge(web::routes())
        .layer(middleware::from_fn_with_state(app.clone(), sessions::rotate))
        .layer(DefaultBodyLimit::max(app.settings.server.max_body_size.as_usize()))
        .with_state(app.clone())
        .merge(sockets::routes(app))
        .layer(middleware::from_fn_with_state(guarded.clone(), body::in_time))
        .layer(middleware::from_fn(problem::every_error))
        .layer(middleware::from_fn_with_state(guarded, guard::guard))
        .layer(middleware::from_fn(request::observe))
}

async fn no_route() -> HttpError {
    WireError::new(ErrorCode::NotFound, "There is no such route; /api/openapi.json lists them all.").into()
}
