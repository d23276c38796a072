//! API tokens of the caller, and for administrators those of others.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use coderoom_protocol::{
    people::{CreatedToken, NewToken, TokenLine, TokenList},
    problem::{ErrorCode, WireError},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, caller::Account, problem::HttpResult};
use crate::{
    app::App,
    people::{Token, TokenWish, no_such_user},
};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_tokens, create_token)).routes(routes!(delete_token))
}

/// The caller's tokens, newest first.
#[utoipa::path(get, path = "/tokens", tag = "people", responses((status = 200, body = TokenList),
    (status = 403, description = "not_allowed: the token")))]
async fn list_tokens(State(app): State<App>, Account(identity): Account) -> HttpResult<Json<TokenList>> {
    let tokens = app.people.tokens(identity.user).await?;
    Ok(Json(TokenList { tokens: tokens.into_iter().map(line).collect() }))
}

/// Makes a token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/tokens", tag = "people", request_body = NewToken, responses(
    (status = 201, body = CreatedToken), (status = 403, description = "not_allowed: for others only as administrator"),
    (status = 404, description = "not_found: the user"),
    (status = 422, description = "invalid")))]
async fn create_token(
    State(app): State<App>,
    Account(identity): Account,
    Body(body): Body<NewToken>,
) -> HttpResult<(StatusCode, Json<CreatedToken>)> {
    let user = match &body.user {
        None => identity.user,
        Some(_) if !identity.is_admin => {
            return Err(WireError::new(ErrorCode::NotAllowed, "Only administrators make tokens for others.").into());
        }
        Some(user) => app.people.user(user).await?.ok_or_else(|| no_such_user(user))?.id,
    };
    let days = |days| app.clock.now_ms().saturating_add(i64::from(days) * DAY_MS);
    let expires_at = body.expires_at.or_else(|| body.expires_days.map(days));
    let NewToken { name, scopes, tasks, .. } = body;
    let wish = TokenWish { name, expires_at, scopes, tasks };
    let made = app.people.create_scoped_token(&identity, user, wish).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { token: made.secret, about: line(made.token) })))
}

/// Deletes a token of the caller; it stops working at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "people", params(("id" = String, Path, description = "the token")),
    responses((status = 204), (status = 403, description = "not_allowed: the token"), (status = 404, description = "not_found")))]
async fn delete_token(
    State(app): State<App>,
    Account(identity): Account,
    Path(id): Path<String>,
) -> HttpResult<StatusCode> {
    let id = id.parse().map_err(|_| ErrorCode::NotFound)?;
    app.people.delete_token(identity.user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn line(token: Token) -> TokenLine {
    let Token { id, name, created_at, expires_at, last_used_at, scopes, tasks } = token;
    TokenLine { id: id.to_string(), name, created_at, expires_at, last_used_at, scopes, tasks }
}
