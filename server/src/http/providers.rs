//! Signing in with other providers: the list, the way there and the way back.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{
    people::SignInProviders,
    problem::{ErrorCode, WireError},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{API, caller::ClientAddress, problem::HttpResult, query::Query, sign_in};
use crate::{
    app::App,
    people::{PENDING_COOKIE, PENDING_LIFETIME},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_providers)).routes(routes!(depart)).routes(routes!(arrive))
}

/// The providers that one can sign in with.
#[utoipa::path(get, path = "/sign-in/providers", tag = "people", responses((status = 200, body = SignInProviders)))]
async fn list_providers(State(app): State<App>) -> Json<SignInProviders> {
    Json(SignInProviders { providers: app.people.providers() })
}

/// Where to go afterwards.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DepartQuery {
    /// A path of this server.
    #[serde(default)]
    return_to: String,
}

/// Sends the browser to a provider to sign in there.
#[utoipa::path(get, path = "/sign-in/with/{provider}", tag = "people",
    params(("provider" = String, Path, description = "its name"), DepartQuery),
    responses((status = 303, description = "to the provider"), (status = 404, description = "not_found"),
        (status = 429, description = "too_many_requests, with Retry-After"), (status = 503, description = "unavailable: the provider")))]
async fn depart(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Path(provider): Path<String>,
    Query(query): Query<DepartQuery>,
) -> HttpResult<Response> {
    let departure = app.people.depart(&provider, &back(&app, &provider), &query.return_to, address).await?;
    let mut response = go(&departure.url);
    pending_cookie(&app, &mut response, &departure.state, PENDING_LIFETIME.as_secs());
    Ok(response)
}

/// What the provider says.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ArriveQuery {
    /// What was sent along.
    #[serde(default)]
    state: String,
    /// What the provider gives for its token.
    #[serde(default)]
    code: String,
    /// Why there is no code.
    error: Option<String>,
}

/// The browser is back from a provider: signs it in and sends it where it wanted to go.
#[utoipa::path(get, path = "/sign-in/back/{provider}", tag = "people",
    params(("provider" = String, Path, description = "its name"), ArriveQuery),
    responses((status = 303, description = "to the page, signed in"), (status = 401, description = "wrong_password: begin again"),
        (status = 404, description = "not_found"), (status = 429, description = "too_many_requests, with Retry-After"),
        (status = 503, description = "unavailable: the provider")))]
async fn arrive(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Path(provider): Path<String>,
    Query(query): Query<ArriveQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    if query.error.is_some() {
        return Err(WireError::new(ErrorCode::WrongPassword, "The provider did not sign you in.").into());
    }
    let said = (query.state.as_str(), query.code.as_str());
    let (signed_in, return_to) = app.people.arrive(&provider, &back(&app, &provider), said, address, &headers).await?;
    let mut response = go(&return_to);
    sign_in::set_cookie(&app, &mut response, &signed_in.key, signed_in.max_age_s);
    pending_cookie(&app, &mut response, "", 0);
    Ok(response)
}

/// Where a provider sends the browser back to; this address must be registered there.
fn back(app: &App, provider: &str) -> String {
    format!("{}{API}/sign-in/back/{provider}", app.public_url)
}

fn go(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lax: the provider's answer is a plain link back to us.
fn pending_cookie(app: &App, response: &mut Response, state: &str, max_age_s: u64) {
    let secure = if app.people.has_secure_cookies() { "; Secure" } else { "" };
    let cookie =
        format!("{PENDING_COOKIE}={state}; HttpOnly; SameSite=Lax; Path={API}/sign-in; Max-Age={max_age_s}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
