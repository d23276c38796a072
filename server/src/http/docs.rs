//! The description of the HTTP interface, generated from the handlers, and a page to try it. The page loads nothing from
//! other hosts.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use coderoom_protocol::problem::Problem;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Content, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Response as ApiResponse,
        path::{Operation, PathItem},
        schema::Ref,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{app::App, people::SESSION_COOKIE};

/// The description before the routes are known.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("coderoom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Errors are `application/problem+json` with a `code` for programs and a `detail` for people. \
             Programs send `Authorization: Bearer crt_…`; browsers that are signed in send their cookie. \
             Who may not see something is told that it is not there (404). \
             Live editing goes over the WebSocket `/ws/tasks/{task}`, which is not described here.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .security(Some([
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build()
}

/// Completes a description: what holds for every route is said once, here.
pub(super) fn finish(mut openapi: OpenApi) -> OpenApi {
    let components = openapi.components.get_or_insert_default();
    components.schemas.insert("Problem".into(), Problem::schema());
    let mut inner = Vec::new();
    Problem::schemas(&mut inner);
    components.schemas.extend(inner);
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE)));
    components.security_schemes.extend([("token".into(), RefOr::T(token)), ("session".into(), RefOr::T(session))]);
    let paths = std::mem::take(&mut openapi.paths.paths);
    for (path, mut item) in paths {
        operations(&mut item).for_each(name_the_error);
        // The router's sign for "the rest of the path"; a description has none.
        openapi.paths.paths.insert(path.replace("{*", "{"), item);
    }
    openapi
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// What every route may answer whether it lists it or not.
const EVERYWHERE: [(&str, &str); 5] = [
    ("400", "bad_request"),
    ("401", "sign_in_required"),
    ("422", "invalid"),
    ("429", "too_many_requests, with Retry-After"),
    ("503", "unavailable, with nothing done"),
];

/// Every error has the same body, and some can come from everywhere.
fn name_the_error(operation: &mut Operation) {
    let problem = || RefOr::T(Content::new(Some(Ref::from_schema_name("Problem"))));
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response) {
            response.content.insert("application/problem+json".into(), problem());
        }
    }
    let too_large = operation.request_body.is_some().then_some(("413", "body_too_large"));
    for (status, about) in EVERYWHERE.into_iter().chain(too_large) {
        let mut other = ApiResponse::new(about);
        other.content.insert("application/problem+json".into(), problem());
        operation.responses.responses.entry(status.into()).or_insert(RefOr::T(other));
    }
}

/// The description and the page.
pub(super) fn routes(openapi: OpenApi) -> Router<App> {
    // Written once: it is large, and anybody may ask for it.
    let openapi = Bytes::from(serde_json::to_vec(&finish(openapi)).unwrap_or_else(|error| {
        tracing::error!(%error, "the description of the interface has no JSON form");
        b"{}".to_vec()
    }));
    Router::new()
        .route("/api/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], openapi)))
        .route("/api/docs", get(async || page("text/html; charset=utf-8", include_str!("docs/page.html"))))
        .route("/api/docs.js", get(async || page("text/javascript; charset=utf-8", include_str!("docs/page.js"))))
        .route("/api/docs.css", get(async || page("text/css; charset=utf-8", include_str!("docs/page.css"))))
}

fn page(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    );
    response
}
