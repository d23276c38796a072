//! Users, for administrators.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use coderoom_protocol::{
    people::{NewUser, SignInLink, UserLine, UserPage},
    problem::ErrorCode,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, caller::Admin, problem::HttpResult};
use crate::{
    app::App,
    people::{Action, User},
};

/// Users of one page unless the request says how many.
const PAGE: u32 = 100;

/// Most users of one page.
const MAX_PAGE: u32 = 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(suspend_user))
        .routes(routes!(resume_user))
        .routes(routes!(create_sign_in_link))
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Users whose names come after this one.
    after: Option<String>,
    /// At most so many; default 100, at most 1000.
    limit: Option<u32>,
}

/// The users, ordered by name.
#[utoipa::path(get, path = "/users", tag = "people", params(PageQuery), responses(
    (status = 200, body = UserPage), (status = 403, description = "not_allowed")))]
async fn list_users(State(app): State<App>, _: Admin, Query(page): Query<PageQuery>) -> HttpResult<Json<UserPage>> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let mut users = app.people.users(page.after.as_deref(), limit + 1).await?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    let next = if more { users.last().map(|user| user.name.clone()) } else { None };
    Ok(Json(UserPage { users: users.into_iter().map(line).collect(), next }))
}

/// Makes a user.
#[utoipa::path(post, path = "/users", tag = "people", request_body = NewUser, responses(
    (status = 201, body = UserLine), (status = 403, description = "not_allowed"),
    (status = 409, description = "name_taken"), (status = 422, description = "invalid")))]
async fn create_user(
    State(app): State<App>,
    Admin(by): Admin,
    Body(body): Body<NewUser>,
) -> HttpResult<(StatusCode, Json<UserLine>)> {
    let user = app.people.create_user(&body.name, body.password, body.is_admin).await?;
    app.people.note(by.user, Action::Admin, None, &format!("create {}", user.name)).await;
    Ok((StatusCode::CREATED, Json(line(user))))
}

/// What is said of runs that ended because their user was suspended.
const SUSPENDED: &str = "Whoever submitted it was suspended.";

/// Suspends a user: nothing lets them in any more, their sessions end, and their runs are stopped. Asking again does again what
/// may have failed.
#[utoipa::path(post, path = "/users/{user}/suspend", tag = "people", params(("user" = String, Path, description = "id or name")),
    responses((status = 200, body = UserLine), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn suspend_user(
    State(app): State<App>,
    Admin(by): Admin,
    Path(user): Path<String>,
) -> HttpResult<Json<UserLine>> {
    let user = app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?;
    let user = app.people.set_suspended(&by, user.id, true).await?;
    app.people.note(by.user, Action::Admin, None, &format!("suspend {}", user.name)).await;
    for run in app.runs.stop_all_of(user.id, by.user, SUSPENDED).await? {
        let detail = format!("{}, since {} was suspended", run.id, user.name);
        app.people.note(by.user, Action::Stop, Some(run.task), &detail).await;
    }
    Ok(Json(line(user)))
}

/// Lets a suspended user in again.
#[utoipa::path(post, path = "/users/{user}/resume", tag = "people", params(("user" = String, Path, description = "id or name")),
    responses((status = 200, body = UserLine), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn resume_user(State(app): State<App>, Admin(by): Admin, Path(user): Path<String>) -> HttpResult<Json<UserLine>> {
    let user = app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?;
    let user = app.people.set_suspended(&by, user.id, false).await?;
    app.people.note(by.user, Action::Admin, None, &format!("resume {}", user.name)).await;
    Ok(Json(line(user)))
}

/// Makes a link that signs the user in once: for the first time, or when a password was forgotten.
#[utoipa::path(post, path = "/users/{user}/link", tag = "people", params(("user" = String, Path, description = "id or name")),
    responses((status = 201, body = SignInLink), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn create_sign_in_link(
    State(app): State<App>,
    Admin(by): Admin,
    Path(user): Path<String>,
) -> HttpResult<(StatusCode, Json<SignInLink>)> {
    let user = app.people.user(&user).await?.ok_or(ErrorCode::NotFound)?;
    app.people.note(by.user, Action::Admin, None, &format!("link for {}", user.name)).await;
    let (url, expires_at) = app.sign_in_link(user.id).await?;
    Ok((StatusCode::CREATED, Json(SignInLink { url, expires_at })))
}

fn line(user: User) -> UserLine {
    let User { id, name, is_admin, has_password, created_at, suspended_at } = user;
    UserLine { id, name, is_admin, has_password, created_at, suspended_at }
}
