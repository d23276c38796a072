//! Who may do what in a task.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use coderoom_protocol::{
    ids::TaskId,
    people::{MemberLine, MemberList, RoleChange},
    problem::ErrorCode,
    role::Role,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, caller::Caller, problem::HttpResult};
use crate::{app::App, people::Member};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_members)).routes(routes!(set_member, remove_member))
}

fn task_id(text: &str) -> Result<TaskId, ErrorCode> {
    text.parse().map_err(|_| ErrorCode::NotFound)
}

/// The members of a task, ordered by name.
#[utoipa::path(get, path = "/tasks/{task}/members", tag = "members", params(("task" = String, Path, description = "the task")),
    responses((status = 200, body = MemberList), (status = 404, description = "not_found")))]
async fn list_members(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
) -> HttpResult<Json<MemberList>> {
    let task = task_id(&task)?;
    app.people.require(&identity, task, Role::Viewer).await?;
    let members = app.people.members(task).await?;
    Ok(Json(MemberList { members: members.into_iter().map(line).collect() }))
}

/// Gives somebody a role. Only owners do that; a task keeps at least one.
#[utoipa::path(put, path = "/tasks/{task}/members/{user}", tag = "members", request_body = RoleChange,
    params(("task" = String, Path, description = "the task"), ("user" = String, Path, description = "id or name")),
    responses((status = 200, body = MemberLine), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the task or the user"), (status = 422, description = "invalid: the last owner")))]
async fn set_member(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, user)): Path<(String, String)>,
    Body(body): Body<RoleChange>,
) -> HttpResult<Json<MemberLine>> {
    let member = app.people.set_member(&identity, task_id(&task)?, &user, body.role).await?;
    Ok(Json(line(member)))
}

/// Ends a membership. Owners end everybody's, everybody their own.
#[utoipa::path(delete, path = "/tasks/{task}/members/{user}", tag = "members",
    params(("task" = String, Path, description = "the task"), ("user" = String, Path, description = "id or name")),
    responses((status = 204), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the task or the member"), (status = 422, description = "invalid: the last owner")))]
async fn remove_member(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, user)): Path<(String, String)>,
) -> HttpResult<StatusCode> {
    app.people.remove_member(&identity, task_id(&task)?, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn line(member: Member) -> MemberLine {
    MemberLine { user: member.user, role: member.role }
}
