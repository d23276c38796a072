//! What is sent to each route of HTTP, so that only who asks decides about the answer.

use reqwest::{Method, Response, header::HeaderMap};
use serde_json::{Value, json};

use super::{
    cast::{Cast, Knocker, PASSWORD},
    method_and_path,
    table::Cell,
};
use coderoom_protocol::ids::TaskId;

/// A request, ready to be sent by anybody.
#[derive(Clone, Debug)]
pub(super) struct Knock {
    method: Method,
    pub(super) url: String,
    body: Body,
    http: reqwest::Client,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Json(Value),
    Bytes(Vec<u8>),
}

impl Knock {
    /// Sends it to an address.
    pub(super) async fn send_to(&self, url: &str, who: &Knocker) -> Response {
        let request = self.http.request(self.method.clone(), url);
        let request = if let Some(token) = &who.token { request.bearer_auth(token) } else { request };
        let request = match &self.body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Bytes(bytes) => request.body(bytes.clone()),
        };
        request.send().await.expect("an answer")
    }
}

/// The headers of an answer in order, but for those that are another for every answer, whatever it says.
pub(super) fn telling_headers(headers: &HeaderMap) -> Vec<String> {
    let own = |name: &str| matches!(name, "date" | "x-trace-id");
    let telling = headers.iter().filter(|(name, _)| !own(name.as_str()));
    let mut telling: Vec<_> = telling.map(|header| format!("{header:?}")).collect();
    telling.sort();
    telling
}

/// Knocks; the error says what the table says and what came.
pub(super) async fn knock(cast: &Cast, door: &str, who: &str, person: &Knocker, cell: Cell) -> Result<(), String> {
    let knock = request(cast, door, person, cell == Cell::Allowed).await;
    let answer = knock.send_to(&knock.url, person).await;
    let status = answer.status().as_u16();
    let words = answer.text().await.unwrap_or_default();
    let holds = match cell {
        Cell::Refused(expected) => status == expected,
        // Which files and providers there are does not matter here.
        Cell::Allowed if door == "GET /{*file}" || door.ends_with("/{provider}") => matches!(status, 200..400 | 404),
        Cell::Allowed => !matches!(status, 401 | 403..=405 | 500..),
    };
    if holds {
        return Ok(());
    }
    let words: String = words.chars().take(160).collect();
    Err(format!("{door} as {who} ({}): {status}, not {cell:?}: {words}", person.what))
}

/// The request for a door. What would spoil the common task goes to a fresh one when it is expected to be done.
///
/// # Panics
/// When the door has no request here: add one.
pub(super) async fn request(cast: &Cast, door: &str, who: &Knocker, is_allowed: bool) -> Knock {
    let (method, path) = method_and_path(door);
    let changes = method != Method::GET;
    let task = if is_allowed && changes && path.contains("{task}") { cast.fresh_task().await } else { cast.task };
    let (url, body) = filled(cast, &method, path, who, is_allowed, task).await;
    Knock { method, url: format!("{}{url}", cast.url), body, http: cast.http.clone() }
}

async fn filled(
    cast: &Cast,
    method: &Method,
    path: &str,
    who: &Knocker,
    is_allowed: bool,
    task: TaskId,
) -> (String, Body) {
    let at = path.replace("{task}", &task.to_string()).replace("{run}", &cast.run.to_string());
    let json = |value: Value| Body::Json(value);
    let unique = TaskId::new().to_string();
    match (method.as_str(), path.strip_prefix("/api/v1").unwrap_or(path)) {
        // The form of the page.
        ("POST", _) if path == "/sign-in" => (at, Body::Bytes(format!("code={}", sign_in_code(cast).await).into())),
        ("POST", "/sign-in") => (at, json(json!({ "name": "spare", "password": PASSWORD }))),
        ("POST", "/sign-in/code") => (at, json(json!({ "code": sign_in_code(cast).await }))),
        ("POST", "/me/password") => (at, json(json!({ "current": PASSWORD, "new": PASSWORD }))),
        ("POST", "/tokens") => (at, json(json!({ "name": "made" }))),
        ("DELETE", "/tokens/{id}") => (at.replace("{id}", &own_token(cast, who, is_allowed).await), Body::None),
        ("DELETE", "/sessions/{id}") => (at.replace("{id}", &own_session(cast, who, is_allowed).await), Body::None),
        ("POST", "/users") => (at, json(json!({ "name": format!("u-{unique}"), "password": PASSWORD }))),
        ("POST", "/users/{user}/suspend" | "/users/{user}/reset") => {
            (at.replace("{user}", &spare_user(cast, is_allowed).await), Body::None)
        }
        ("POST", _) if path.contains("/users/{user}/") => (at.replace("{user}", &cast.spare), Body::None),
        ("GET", _) if path.contains("/users/{user}/") => (at.replace("{user}", &cast.spare), Body::None),
        // There is no such provider, whoever asks.
        ("GET", "/sign-in/with/{provider}" | "/sign-in/back/{provider}") => {
            (at.replace("{provider}", "nowhere"), Body::None)
        }
        ("POST", "/admin/drain") => (at, json(json!({ "node": "another" }))),
        ("PUT", "/tasks/{task}/members/{user}") => {
            (at.replace("{user}", &cast.spare), json(json!({ "role": "viewer" })))
        }
        ("DELETE", "/tasks/{task}/members/{user}") => {
            // Everybody may end their own membership.
            let is_viewer = cast.people("viewer")[0].token == who.token;
            (at.replace("{user}", if is_viewer { "editor" } else { "viewer" }), Body::None)
        }
        ("POST", "/tasks/{task}/transfer") => (at, json(json!({ "to": cast.spare }))),
        ("POST", "/tasks/{task}/links") => (at, json(json!({ "role": "viewer" }))),
        ("DELETE", "/tasks/{task}/links/{id}") => {
            let link = share_link(cast, task).await;
            (at.replace("{id}", link["about"]["id"].as_str().expect("the link's id")), Body::None)
        }
        ("POST", "/links/look" | "/links/accept") => {
            let link = share_link(cast, cast.fresh_task().await).await;
            (at, json(json!({ "code": link["code"] })))
        }
        ("POST", "/tasks") => (at, json(json!({ "name": "another", "language": "python" }))),
        ("PATCH", "/tasks/{task}") => (at, json(json!({ "remarks": "changed" }))),
        ("POST", "/tasks/{task}/move") => (at, json(json!({ "from": "extra.txt", "to": format!("{unique}.txt") }))),
        ("POST", "/tasks/{task}/main") => (at, json(json!({ "path": "extra.txt" }))),
        ("GET" | "DELETE", "/tasks/{task}/files/{path}") => (at.replace("{path}", "extra.txt"), Body::None),
        ("GET", "/runs/{run}/files/{path}") => (at.replace("{path}", "run.sh"), Body::None),
        ("PUT", "/tasks/{task}/files/{path}") => (at.replace("{path}", "put.txt"), Body::Bytes(b"text".to_vec())),
        ("POST", "/tasks/{task}/import") => (at, Body::Bytes(archive())),
        ("POST", "/tasks/{task}/runs") => (at, json(json!({ "command": "true" }))),
        ("GET", "/{*file}") => ("/favicon.svg".into(), Body::None),
        ("GET", "/tasks/{*rest}") => ("/tasks/anything".into(), Body::None),
        // Nothing to fill in but the task and the run.
        ("GET" | "POST" | "DELETE", _) if !at.contains('{') => (at, Body::None),
        (method, path) => panic!("{method} {path} is new: say in {} what is sent to it", file!()),
    }
}

/// A link into a task.
async fn share_link(cast: &Cast, task: TaskId) -> Value {
    cast.owner.json(Method::POST, &format!("/api/v1/tasks/{task}/links"), &json!({ "role": "viewer" })).await
}

/// A code that signs the spare user in.
async fn sign_in_code(cast: &Cast) -> String {
    let link = cast.admin.json(Method::POST, &format!("/api/v1/users/{}/link", cast.spare), &Value::Null).await;
    link["url"].as_str().and_then(|url| url.split_once("code=")).expect("a code").1.to_owned()
}

/// A token of the caller, when they may delete it.
async fn own_token(cast: &Cast, who: &Knocker, is_allowed: bool) -> String {
    let (true, Some(token)) = (is_allowed, &who.token) else { return TaskId::new().to_string() };
    let made = cast.admin.with_token(token).json(Method::POST, "/api/v1/tokens", &json!({ "name": "short" })).await;
    made["about"]["id"].as_str().expect("the token's id").to_owned()
}

/// A session of the caller, when they may end it.
async fn own_session(cast: &Cast, who: &Knocker, is_allowed: bool) -> String {
    let (true, Some(token)) = (is_allowed, &who.token) else { return "none".into() };
    let person = cast.admin.with_token(token);
    let me = person.json(Method::GET, "/api/v1/me", &Value::Null).await;
    let name = me["id"].as_str().expect("who it is");
    let link = cast.admin.json(Method::POST, &format!("/api/v1/users/{name}/link"), &Value::Null).await;
    let code = link["url"].as_str().and_then(|url| url.split_once("code=")).expect("a code").1;
    person.json(Method::POST, "/api/v1/sign-in/code", &json!({ "code": code })).await;
    let sessions = person.json(Method::GET, "/api/v1/sessions", &Value::Null).await;
    sessions["sessions"][0]["id"].as_str().expect("a session").to_owned()
}

/// A user who may be suspended.
async fn spare_user(cast: &Cast, is_allowed: bool) -> String {
    if !is_allowed {
        return cast.spare.clone();
    }
    cast.admin.another(&format!("u-{}", TaskId::new())).await.1
}

/// A zip with one file.
fn archive() -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("imported.txt", zip::write::SimpleFileOptions::default()).expect("a file in the zip");
    zip.write_all(b"imported").expect("its content");
    zip.finish().expect("the zip").into_inner()
}
