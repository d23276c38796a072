//! Who did what: the audit log, for owners about their task and for administrators about everything.

use axum::{
    Json,
    extract::{Path, State},
};
use coderoom_protocol::{people::AuditPage, problem::ErrorCode};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::{Entered, enter},
    caller::{Admin, Caller},
    problem::HttpResult,
    query::Query,
};
use crate::{
    app::App,
    people::{AuditFilter, Right},
};

/// Lines of a page when nothing is said.
const PAGE: u32 = 100;
/// Most lines of a page.
const MAX_PAGE: u32 = 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(audit_of_task)).routes(routes!(audit))
}

/// Which lines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// `next` of the page before.
    before: Option<String>,
    /// Only what this user did, by id or name.
    user: Option<String>,
    /// Most lines of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// What was done to the task, newest first. For owners.
#[utoipa::path(get, path = "/tasks/{task}/audit", tag = "members",
    params(("task" = String, Path, description = "the task"), AuditQuery),
    responses((status = 200, body = AuditPage), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found"), (status = 422, description = "invalid")))]
async fn audit_of_task(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Query(query): Query<AuditQuery>,
) -> HttpResult<Json<AuditPage>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Own).await?;
    page(&app, query, Some(task)).await
}

/// What was done, newest first. For administrators.
#[utoipa::path(get, path = "/audit", tag = "admin", params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the user"), (status = 422, description = "invalid")))]
async fn audit(State(app): State<App>, _: Admin, Query(query): Query<AuditQuery>) -> HttpResult<Json<AuditPage>> {
    page(&app, query, None).await
}

async fn page(
    app: &App,
    query: AuditQuery,
    task: Option<coderoom_protocol::ids::TaskId>,
) -> HttpResult<Json<AuditPage>> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let before = query.before.map(|id| id.parse().map_err(|_| ErrorCode::Invalid)).transpose()?;
    let user = match query.user {
        Some(user) => Some(app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?.id),
        None => None,
    };
    let filter = AuditFilter { task, user, before, limit: limit + 1 };
    let mut lines = app.people.audit(&filter).await?;
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(AuditPage { lines, next }))
}
