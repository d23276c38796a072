//! The caller's browser sessions: listed, ended; and keys that are replaced while they are used.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use coderoom_protocol::people::{SessionLine, SessionList};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::Account, problem::HttpResult, sign_in::set_cookie};
use crate::{
    app::App,
    people::{Credential, Session},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_sessions, end_other_sessions)).routes(routes!(end_session))
}

/// The caller's sessions, the last used first.
#[utoipa::path(get, path = "/sessions", tag = "people", responses(
    (status = 200, body = SessionList), (status = 403, description = "not_allowed: the token")))]
async fn list_sessions(State(app): State<App>, Account(identity): Account) -> HttpResult<Json<SessionList>> {
    let own = match &identity.grant.credential {
        Credential::Session(id) => Some(id),
        _ => None,
    };
    let sessions = app.people.sessions(identity.user).await?.into_iter().map(|session| {
        let Session { id, created_at, seen_at, expires_at, agent, address } = session;
        let current = own.is_some_and(|own| **own == *id);
        SessionLine { id, created_at, seen_at, expires_at, agent, address, current }
    });
    Ok(Json(SessionList { sessions: sessions.collect() }))
}

/// Ends all sessions of the caller but the one that asks. Their open sockets end too.
#[utoipa::path(delete, path = "/sessions", tag = "people", responses(
    (status = 204), (status = 403, description = "not_allowed: the token")))]
async fn end_other_sessions(State(app): State<App>, Account(identity): Account) -> HttpResult<StatusCode> {
    app.people.end_other_sessions(&identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session of the caller. Its open sockets end too.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "people", params(("id" = String, Path, description = "the session")),
    responses((status = 204), (status = 403, description = "not_allowed: the token"), (status = 404, description = "not_found")))]
async fn end_session(
    State(app): State<App>,
    Account(identity): Account,
    Path(id): Path<String>,
) -> HttpResult<StatusCode> {
    app.people.end_session(identity.user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a browser a new key for its session when the one it came with is old.
pub(super) async fn rotate(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers().contains_key(axum::http::header::COOKIE).then(|| request.headers().clone());
    let mut response = next.run(request).await;
    // An answer that sets the cookie itself (signing in or out) has the last word.
    if let Some(headers) = headers
        && !response.headers().contains_key(axum::http::header::SET_COOKIE)
        && let Some(signed_in) = app.people.rotate(&headers).await
    {
        set_cookie(&app, &mut response, &signed_in.key, signed_in.max_age_s);
    }
    response
}
