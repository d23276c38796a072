//! From a request to its answer: who asks, may they, and which part of the API answers.

use std::sync::Arc;

use axum::body::Body;
use hyper::{Request, body::Incoming};
use serde_json::{Value, json};

use super::{
    access, changes,
    cluster::{Cluster, User},
    control, list, pod_log,
    resources::{PODS, Query, SERVICE_ACCOUNTS, Target, parse_path},
    server::Answer,
    status::Failure,
    watch,
};

/// Largest request body in bytes, as in the real server.
const LONGEST_BODY: usize = 3 << 20;

/// Answers one request.
pub(super) async fn answer(cluster: &Arc<Cluster>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let Ok(body) = axum::body::to_bytes(Body::new(body), LONGEST_BODY).await else {
        return Failure::too_large().into();
    };
    if let Some(rest) = path.strip_prefix("/simulator/") {
        return control::answer(cluster, rest, &body);
    }
    if let Some(delay) = cluster.faults.read(|faults| faults.delay) {
        tokio::time::sleep(delay).await;
    }
    let whole = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if let Some(failure) = failing(cluster, &method, &whole) {
        return failure.into();
    }
    let token = parts
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("Bearer "));
    let Some(user) = token.and_then(|token| cluster.user(token)) else { return Failure::unauthorized().into() };
    let body = serde_json::from_slice::<Value>(&body).ok();
    dispatch(cluster, &user, &method, &path, &query, body).await.unwrap_or_else(Answer::from)
}

fn failing(cluster: &Cluster, method: &str, path: &str) -> Option<Failure> {
    cluster.faults.read(|faults| {
        let hit = faults.failing.iter_mut().find(|failing| {
            failing.times > 0 && (failing.method.is_empty() || failing.method == method) && path.contains(&failing.path)
        })?;
        hit.times -= 1;
        let (reason, message) = match hit.code {
            429 => ("TooManyRequests", "too many requests, please try again later"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "the request timed out"),
            _ => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
        };
        let mut failure = Failure::new(hit.code, reason, message);
        failure.retry_after = (hit.code == 429).then_some(1);
        Some(failure)
    })
}

async fn dispatch(
    cluster: &Arc<Cluster>,
    user: &User,
    method: &str,
    path: &str,
    query: &Query,
    body: Option<Value>,
) -> Result<Answer, Failure> {
    match path {
        "/version" => return Ok(Answer::json(200, &version())),
        "/readyz" | "/livez" | "/healthz" => return Ok(Answer::text(200, "ok".to_owned())),
        "/api" => return Ok(Answer::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]}))),
        "/apis" => return Ok(Answer::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}))),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" if method == "POST" => {
            return Ok(Answer::json(201, &access::review(cluster, user, &body.unwrap_or_default())));
        }
        _ => {}
    }
    let target = parse_path(path).ok_or_else(Failure::unknown_path)?;
    let watching = query.is_true("watch");
    let verb = verb(method, &target, watching);
    access::check(cluster, user, verb, &target)?;
    if target.resource == &PODS && target.subresource == "log" && method == "GET" {
        return pod_log::answer(cluster, &target.namespace, &target.name, query);
    }
    if target.resource == &SERVICE_ACCOUNTS && target.subresource == "token" && method == "POST" {
        let token = format!("{}.{}", target.name, super::store::new_uid());
        cluster.add_token(token.clone(), User::ServiceAccount { namespace: target.namespace, name: target.name });
        return Ok(Answer::json(
            201,
            &json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": {"token": token}}),
        ));
    }
    match (verb, target.subresource.as_str()) {
        ("watch", "") => watch::answer(cluster, &target, query),
        ("list", "") => list::answer(cluster, &target, query).await,
        ("get", "" | "status") => {
            let found = cluster.get(target.resource, &target.namespace, &target.name);
            found
                .map(|object| Answer::json(200, &object))
                .ok_or_else(|| Failure::not_found(target.resource, &target.name))
        }
        ("create", "") => changes::create(cluster, &target, query, body),
        ("patch" | "update", "") => changes::change(cluster, &target, method == "PUT", body),
        ("delete", "") => changes::delete(cluster, &target, query, body.unwrap_or_default()),
        ("deletecollection", "") => changes::delete_collection(cluster, &target, query, &body.unwrap_or_default()),
        _ => Err(Failure::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

fn verb(method: &str, target: &Target, watching: bool) -> &'static str {
    match (method, target.name.is_empty()) {
        ("GET", true) if watching => "watch",
        ("GET", true) => "list",
        ("GET", false) if watching => "watch",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "unknown",
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.2", "gitCommit": "simulator", "gitTreeState": "clean",
        "buildDate": "2026-11-22T06:00:00Z", "goVersion": "go1.26.6", "compiler": "gc", "platform": "linux/amd64",
    })
}
