//! Who may do what in a task.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use coderoom_protocol::{
    people::{MemberLine, MemberList, RoleChange, Transfer},
    role::Role,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{access::task_id, body::Body, caller::Caller, problem::HttpResult};
use crate::{
    app::App,
    people::{Member, Right},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_members))
        .routes(routes!(set_member, remove_member))
        .routes(routes!(leave))
        .routes(routes!(transfer))
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
    app.people.require(&identity, task, Right::Read).await?;
    let members = app.people.members(task).await?;
    Ok(Json(MemberList { members: members.into_iter().map(line).collect() }))
}

/// Gives somebody a role, for good or until a time. Only owners do that; a task keeps at least one. Counts at once, in
/// open rooms too.
#[utoipa::path(put, path = "/tasks/{task}/members/{user}", tag = "members", request_body = RoleChange,
    params(("task" = String, Path, description = "the task"), ("user" = String, Path, description = "id or name")),
    responses((status = 200, body = MemberLine), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the task or the user"), (status = 422, description = "invalid: the last owner, an owner for a time, a time that has passed")))]
async fn set_member(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, user)): Path<(String, String)>,
    Body(body): Body<RoleChange>,
) -> HttpResult<Json<MemberLine>> {
    let member = app.people.set_member(&identity, task_id(&task)?, &user, body.role, body.expires_at).await?;
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

/// Ends the caller's own membership.
#[utoipa::path(post, path = "/tasks/{task}/leave", tag = "members", params(("task" = String, Path, description = "the task")),
    responses((status = 204), (status = 403, description = "not_allowed: the token"), (status = 404, description = "not_found"),
        (status = 422, description = "invalid: the last owner")))]
async fn leave(State(app): State<App>, Caller(identity): Caller, Path(task): Path<String>) -> HttpResult<StatusCode> {
    app.people.remove_member(&identity, task_id(&task)?, &identity.user.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes somebody else owner, and the caller editor or what they wish to stay as, in one step.
#[utoipa::path(post, path = "/tasks/{task}/transfer", tag = "members", request_body = Transfer,
    params(("task" = String, Path, description = "the task")),
    responses((status = 200, body = MemberLine), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the task or the user"), (status = 422, description = "invalid: to oneself")))]
async fn transfer(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Body(wish): Body<Transfer>,
) -> HttpResult<Json<MemberLine>> {
    let stay_as = wish.stay_as.unwrap_or(Role::Editor);
    Ok(Json(line(app.people.transfer(&identity, task_id(&task)?, &wish.to, stay_as).await?)))
}

fn line(member: Member) -> MemberLine {
    let Member { user, role, expires_at, link } = member;
    MemberLine { user, role, expires_at, link }
}
