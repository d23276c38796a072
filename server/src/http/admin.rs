//! For administrators: what users have, what runs, and the end of a node.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use coderoom_protocol::{
    people::{DrainWish, SignInLink, UnfinishedRuns, UserUsage},
    problem::{ErrorCode, WireError},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, caller::Admin, problem::HttpResult, query::Query};
use crate::{app::App, people::Action};

/// Most runs of one answer.
const MAX_RUNS: u32 = 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(user_usage))
        .routes(routes!(reset_user))
        .routes(routes!(unfinished_runs))
        .routes(routes!(drain))
}

/// What a user has and had.
#[utoipa::path(get, path = "/users/{user}/usage", tag = "admin", params(("user" = String, Path, description = "id or name")),
    responses((status = 200, body = UserUsage), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn user_usage(State(app): State<App>, _: Admin, Path(user): Path<String>) -> HttpResult<Json<UserUsage>> {
    let user = app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?;
    Ok(Json(app.people.usage(user.id).await?))
}

/// Takes password, sessions and tokens from a user, and gives a link that signs them in once. Open sockets end.
#[utoipa::path(post, path = "/users/{user}/reset", tag = "admin", params(("user" = String, Path, description = "id or name")),
    responses((status = 201, body = SignInLink), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn reset_user(
    State(app): State<App>,
    Admin(by): Admin,
    Path(user): Path<String>,
) -> HttpResult<(StatusCode, Json<SignInLink>)> {
    let user = app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?;
    app.people.reset(user.id).await?;
    let (url, expires_at) = app.sign_in_link(user.id).await?;
    app.people.note(by.user, Action::Admin, None, &format!("reset {}", user.name)).await;
    Ok((StatusCode::CREATED, Json(SignInLink { url, expires_at })))
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// Most runs.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// Runs that wait or run, of all users, the oldest first. `POST /runs/{run}/stop` ends one.
#[utoipa::path(get, path = "/admin/runs", tag = "admin", params(RunsQuery),
    responses((status = 200, body = UnfinishedRuns), (status = 403, description = "not_allowed"), (status = 422, description = "invalid")))]
async fn unfinished_runs(
    State(app): State<App>,
    _: Admin,
    Query(query): Query<RunsQuery>,
) -> HttpResult<Json<UnfinishedRuns>> {
    let limit = query.limit.unwrap_or(MAX_RUNS).clamp(1, MAX_RUNS);
    Ok(Json(UnfinishedRuns { runs: app.runs.unfinished(limit).await? }))
}

/// Ends the node that gets this in order, as SIGTERM does: no new sockets, edits stored, runs handed over.
#[utoipa::path(post, path = "/admin/drain", tag = "admin", request_body = DrainWish,
    responses((status = 202), (status = 403, description = "not_allowed"), (status = 422, description = "invalid: not this node")))]
async fn drain(State(app): State<App>, Admin(by): Admin, Body(wish): Body<DrainWish>) -> HttpResult<StatusCode> {
    if wish.node != "this" {
        return Err(WireError::new(
            ErrorCode::Invalid,
            "A node drains itself: ask the one that is meant, with `this`.",
        )
        .into());
    }
    app.people.note(by.user, Action::Admin, None, "drain").await;
    let told = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    told.map_err(|error| {
        tracing::error!(%error, "the process could not tell itself to end");
        ErrorCode::Internal
    })?;
    Ok(StatusCode::ACCEPTED)
}
