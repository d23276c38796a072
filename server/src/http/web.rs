//! The page, from the binary itself. Files with a hash in their name are cached for ever, `index.html` never.
//!
//! Scripts come from the server alone. The editor makes style elements of its own; they carry the nonce that each
//! `index.html` gets in place of `{{csp-nonce}}`.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use coderoom_protocol::problem::ErrorCode;
use rust_embed::{Embed, EmbeddedFile};

use super::{problem::HttpError, sign_in};
use crate::app::App;

#[derive(Embed)]
#[folder = "../web/dist"]
struct Dist;

/// Folder of the files with a hash in their name.
const HASHED: &str = "assets/";

/// What `index.html` has where the nonce belongs.
const NONCE_MARK: &str = "{{csp-nonce}}";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(index))
        .route("/join", get(index))
        .route("/tasks", get(index))
        .route("/tasks/{*rest}", get(index))
        .route("/account", get(index))
        .route("/sign-in", get(sign_in_page).post(sign_in::sign_in_by_form).layer(sign_in::small_bodies()))
        .route("/{*file}", get(file))
}

/// The page for all its addresses: its script looks at the address.
async fn index() -> Response {
    match Dist::get("index.html") {
        Some(file) => page(String::from_utf8_lossy(&file.data).into_owned()),
        None => page(NOT_BUILT.into()),
    }
}

/// The same, but somebody with a link can sign in without it.
async fn sign_in_page(State(_): State<App>, uri: Uri) -> Response {
    if Dist::get("index.html").is_some() {
        return index().await;
    }
    // The form posts, so that a preview of the link by a chat program or mail scanner does not use it up.
    let code = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("code=")));
    match code.filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Some(code) => page(SIGN_IN.replace("{{code}}", code)),
        None => page(NOT_BUILT.into()),
    }
}

async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Dist::get(&path) else { return HttpError::from(ErrorCode::NotFound).into_response() };
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        content(&path, file, &headers)
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(header::ETAG, etag);
    }
    guard(&mut response, "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    response
}

/// The file, or its packed twin where there is one and the client takes it.
fn content(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts =
        |coding: &str| accepted.split(',').any(|part| part.split(';').next().is_some_and(|c| c.trim() == coding));
    let packed = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(coding, _)| accepts(coding))
        .find_map(|(coding, suffix)| Some((coding, Dist::get(&format!("{path}{suffix}"))?)));
    let (coding, data) = match packed {
        Some((coding, packed)) => (Some(coding), packed.data),
        None => (None, file.data),
    };
    let mut response = Body::from(data.into_owned()).into_response();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn page(html: String) -> Response {
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let mut response = axum::response::Html(html.replace(NONCE_MARK, &nonce)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Attributes are left free: the editor colours other people's cursors with them.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    guard(&mut response, &policy);
    response
}

/// Headers that keep other sites and guesses of the browser out.
fn guard(response: &mut Response, policy: &str) {
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses may hold the code of a link.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}

/// Shown when the server was built without the page.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>coderoom</title></head><body>
<h1>coderoom</h1>
<p>The server runs, but it was built without its page. Build it with <code>make web</code>, then build the server again.</p>
<p>Programs can use it as it is: see <a href=\"/api/openapi.json\">the HTTP interface</a>, <a href=\"/health\">its health</a>,
or <code>coderoom run DIR</code>.</p>
</body></html>
";

/// Shown for a one-time link when the server was built without the page.
const SIGN_IN: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>coderoom: sign in</title></head><body>
<h1>coderoom</h1>
<form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"code\" value=\"{{code}}\">
<p>This link signs you in once. <button>Sign in</button></p></form>
</body></html>
";
