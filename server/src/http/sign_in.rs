//! Signing in and out of a browser, and who one is.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use coderoom_protocol::people::{Me, PasswordChange, SignIn, SignInByCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::{Account, Caller, ClientAddress},
    problem::{HttpError, HttpResult},
};
use crate::{
    app::App,
    people::{Identity, SignInError, SignedIn},
};

/// Largest body of a request to sign in, in bytes: whoever sends it is nobody yet.
const MAX_SIGN_IN_BYTES: usize = 64 << 10;

/// For routes that take bodies from everybody.
pub(super) fn small_bodies() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_SIGN_IN_BYTES)
}

/// The routes under the prefix of the interface.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(sign_in_by_code))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(change_password))
        .layer(small_bodies())
}

impl From<SignInError> for HttpError {
    fn from(error: SignInError) -> Self {
        let retry_after_s = error.retry_after_s();
        Self { error: error.into_wire(), retry_after_s }
    }
}

/// Signs in with name and password; the answer sets the session's cookie.
#[utoipa::path(post, path = "/sign-in", tag = "people", request_body = SignIn, responses(
    (status = 200, body = Me), (status = 401, description = "wrong_password"), (status = 413, description = "body_too_large"),
    (status = 429, description = "too_many_requests, with Retry-After")))]
async fn sign_in(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(body): Body<SignIn>,
) -> HttpResult<Response> {
    app.people.check_origin(&headers)?;
    let signed_in = app.people.sign_in(&body.name, body.password, address, &headers).await?;
    Ok(with_cookie(&app, &signed_in, Json(about(&signed_in.identity))))
}

/// Signs in with the code of a one-time link.
#[utoipa::path(post, path = "/sign-in/code", tag = "people", request_body = SignInByCode, responses(
    (status = 200, body = Me), (status = 401, description = "wrong_password: used before, expired or never given"),
    (status = 413, description = "body_too_large"), (status = 429, description = "too_many_requests, with Retry-After")))]
async fn sign_in_by_code(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(body): Body<SignInByCode>,
) -> HttpResult<Response> {
    app.people.check_origin(&headers)?;
    let signed_in = app.people.sign_in_by_link(&body.code, address, &headers).await?;
    Ok(with_cookie(&app, &signed_in, Json(about(&signed_in.identity))))
}

/// The same for the plain form that is shown while the page is not built.
pub(super) async fn sign_in_by_form(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response> {
    app.people.check_origin(&headers)?;
    // A code is letters and digits, so nothing of the form is escaped.
    let form = std::str::from_utf8(&body).unwrap_or_default();
    let code = form.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap_or_default();
    let signed_in = app.people.sign_in_by_link(code, address, &headers).await?;
    Ok(with_cookie(&app, &signed_in, Redirect::to("/")))
}

/// Ends the session of the cookie.
#[utoipa::path(post, path = "/sign-out", tag = "people", responses((status = 204)))]
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> HttpResult<Response> {
    app.people.sign_out(&headers).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &mut response, "", 0);
    Ok(response)
}

/// Whom the server takes the client for.
#[utoipa::path(get, path = "/me", tag = "people", responses(
    (status = 200, body = Me), (status = 401, description = "sign_in_required")))]
async fn me(Caller(identity): Caller) -> Json<Me> {
    Json(about(&identity))
}

/// Changes the own password and ends all other sessions.
#[utoipa::path(post, path = "/me/password", tag = "people", request_body = PasswordChange, responses(
    (status = 204), (status = 401, description = "wrong_password"), (status = 403, description = "not_allowed: the token"), (status = 422, description = "invalid")))]
async fn change_password(
    State(app): State<App>,
    Account(identity): Account,
    Body(body): Body<PasswordChange>,
) -> HttpResult<StatusCode> {
    app.people.change_password(&identity, body.current, body.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn about(identity: &Identity) -> Me {
    Me { id: identity.user, name: identity.name.clone(), is_admin: identity.is_admin }
}

fn with_cookie(app: &App, signed_in: &SignedIn, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    set_cookie(app, &mut response, &signed_in.key, signed_in.max_age_s);
    response
}

/// The session's cookie: not for scripts, and not sent along by pages of other sites but for plain links.
pub(super) fn set_cookie(app: &App, response: &mut Response, key: &str, max_age_s: u64) {
    let secure = if app.people.has_secure_cookies() { "; Secure" } else { "" };
    let name = app.people.cookie_name();
    let cookie = format!("{name}={key}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
