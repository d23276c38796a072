//! Links that invite into a task. The code of one travels in bodies only, never in an address.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use coderoom_protocol::people::{CreatedShareLink, Invitation, LinkCode, NewShareLink, ShareLinkLine, ShareLinkList};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::task_id,
    body::Body,
    caller::{Account, Caller, ClientAddress},
    problem::HttpResult,
};
use crate::{
    app::App,
    people::{self, ShareLink, SignInError},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_links, create_link))
        .routes(routes!(delete_link))
        .routes(routes!(look_at_link))
        .routes(routes!(accept_link))
}

/// The task's links that have not ended, newest first. For owners.
#[utoipa::path(get, path = "/tasks/{task}/links", tag = "members", params(("task" = String, Path, description = "the task")),
    responses((status = 200, body = ShareLinkList), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn list_links(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
) -> HttpResult<Json<ShareLinkList>> {
    let links = app.people.share_links(&identity, task_id(&task)?).await?;
    Ok(Json(ShareLinkList { links: links.into_iter().map(line).collect() }))
}

/// Makes a link that invites viewers or editors. Its code is in this answer and nowhere else. For owners.
#[utoipa::path(post, path = "/tasks/{task}/links", tag = "members", request_body = NewShareLink,
    params(("task" = String, Path, description = "the task")),
    responses((status = 201, body = CreatedShareLink), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found"), (status = 422, description = "invalid")))]
async fn create_link(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Body(wish): Body<NewShareLink>,
) -> HttpResult<(StatusCode, Json<CreatedShareLink>)> {
    let NewShareLink { role, expires_at, max_uses, keeps, note } = wish;
    let wish = people::NewShareLink { role, expires_at, max_uses, keeps, note };
    let (link, code) = app.people.create_share_link(&identity, task_id(&task)?, wish).await?;
    let url = format!("{}/join#{code}", app.public_url);
    Ok((StatusCode::CREATED, Json(CreatedShareLink { url, code, about: line(link) })))
}

/// Deletes a link. Who came by it and depends on it is no member any more, in open rooms too. For owners.
#[utoipa::path(delete, path = "/tasks/{task}/links/{id}", tag = "members",
    params(("task" = String, Path, description = "the task"), ("id" = String, Path, description = "the link")),
    responses((status = 204), (status = 403, description = "not_allowed"), (status = 404, description = "not_found: the task or the link")))]
async fn delete_link(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, id)): Path<(String, String)>,
) -> HttpResult<StatusCode> {
    // An id that is none is looked for too: what strangers see must not depend on it.
    let id = id.parse().unwrap_or_default();
    app.people.delete_share_link(&identity, task_id(&task)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a link leads, without using it.
#[utoipa::path(post, path = "/links/look", tag = "members", request_body = LinkCode, responses(
    (status = 200, body = Invitation), (status = 403, description = "not_allowed: the token"),
    (status = 404, description = "not_found: used up, ended, never given, its maker is no owner any more, or an owner has decided otherwise since"),
    (status = 429, description = "too_many_requests, with Retry-After")))]
async fn look_at_link(
    State(app): State<App>,
    Account(identity): Account,
    ClientAddress(address): ClientAddress,
    Body(link): Body<LinkCode>,
) -> HttpResult<Json<Invitation>> {
    app.people.count_attempt(address).map_err(SignInError::TooMany)?;
    Ok(Json(app.people.look_at_link(&identity, &link.code).await?))
}

/// Makes the caller a member by a link. Who is one already keeps a role that is as large.
#[utoipa::path(post, path = "/links/accept", tag = "members", request_body = LinkCode, responses(
    (status = 200, body = Invitation), (status = 403, description = "not_allowed: the token"),
    (status = 404, description = "not_found: used up, ended, never given, its maker is no owner any more, or an owner has decided otherwise since"),
    (status = 429, description = "too_many_requests, with Retry-After")))]
async fn accept_link(
    State(app): State<App>,
    Account(identity): Account,
    ClientAddress(address): ClientAddress,
    Body(link): Body<LinkCode>,
) -> HttpResult<Json<Invitation>> {
    app.people.count_attempt(address).map_err(SignInError::TooMany)?;
    Ok(Json(app.people.accept_link(&identity, &link.code).await?))
}

fn line(link: ShareLink) -> ShareLinkLine {
    let ShareLink { id, about, created_by, created_at, uses, invites } = link;
    let people::NewShareLink { role, expires_at, max_uses, keeps, note } = about;
    ShareLinkLine { id: id.to_string(), role, note, keeps, created_by, created_at, expires_at, max_uses, uses, invites }
}
