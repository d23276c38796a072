//! A person (or program) at a server: plain HTTP calls with a token.

use std::time::Duration;

use coderoom_protocol::ids::{RunId, TaskId};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{ADMIN_TOKEN, Server},
    wait::{PATIENCE, until_within},
};

/// An HTTP client; it needs a TLS provider even for plain HTTP.
#[must_use]
pub fn http_client() -> reqwest::Client {
    coderoom_protocol::client::install_crypto_provider();
    reqwest::Client::new()
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Person {
    /// Where the server is.
    pub url: String,
    /// An API token.
    pub token: String,
    http: reqwest::Client,
}

impl Person {
    /// The administrator of a test server.
    #[must_use]
    pub fn admin(server: &Server) -> Self {
        Self { url: server.url(), token: ADMIN_TOKEN.into(), http: http_client() }
    }

    /// The same person at the server with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// The same person at another node.
    #[must_use]
    pub fn at(&self, server: &Server) -> Self {
        Self { url: server.url(), ..self.clone() }
    }

    /// A new user with a token of their own; called by an administrator.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn another(&self, name: &str) -> (Self, String) {
        let user = self
            .json(Method::POST, "/api/v1/users", &json!({ "name": name, "password": "a long enough password" }))
            .await;
        let id = user["id"].as_str().expect("the new user's id").to_owned();
        let made = self.json(Method::POST, "/api/v1/tokens", &json!({ "name": "test", "user": id })).await;
        (self.with_token(made["token"].as_str().expect("the new token")), id)
    }

    /// A request without a body; gives whatever comes back.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, method: Method, path: &str) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.expect("an answer")
    }

    /// A request with a body of bytes.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send_bytes(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.body(body).send().await.expect("an answer")
    }

    /// A request with a JSON body that must succeed; gives the JSON that comes back (null when there is none).
    ///
    /// # Panics
    /// When the server refuses; the message has its words.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, value) = self.try_json(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {value}");
        value
    }

    /// A request with a JSON body; gives status and JSON.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_json(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = if body.is_null() { request.send().await } else { request.json(body).send().await };
        let answer = answer.expect("an answer");
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap_or_default();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Makes a task.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn create_task(&self, name: &str, language: &str) -> TaskId {
        let task = self.json(Method::POST, "/api/v1/tasks", &json!({ "name": name, "language": language })).await;
        task["id"].as_str().and_then(|id| id.parse().ok()).expect("the new task's id")
    }

    /// Makes the file's text equal to `text`.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn write(&self, task: TaskId, path: &str, text: &str) {
        let answer = self.send_bytes(Method::PUT, &format!("/api/v1/tasks/{task}/files/{path}"), text.to_owned()).await;
        let status = answer.status();
        assert!(status.is_success(), "write {path}: {status} {}", answer.text().await.unwrap_or_default());
    }

    /// Reads a file's content.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn read(&self, task: TaskId, path: &str) -> String {
        let answer = self.send(Method::GET, &format!("/api/v1/tasks/{task}/files/{path}")).await;
        assert!(answer.status().is_success(), "read {path}: {}", answer.status());
        answer.text().await.expect("the text")
    }

    /// Submits and gives the run's id.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn submit(&self, task: TaskId, command: Option<&str>) -> RunId {
        let body = command.map_or_else(|| json!({}), |command| json!({ "command": command }));
        let submitted = self.json(Method::POST, &format!("/api/v1/tasks/{task}/runs"), &body).await;
        submitted["run"]["id"].as_str().and_then(|id| id.parse().ok()).expect("the run's id")
    }

    /// The run as it is now.
    pub async fn run(&self, run: RunId) -> Value {
        self.json(Method::GET, &format!("/api/v1/runs/{run}"), &Value::Null).await
    }

    /// Waits until the run has reached one of the states and gives it.
    pub async fn wait_for_state(&self, run: RunId, states: &[u64]) -> Value {
        self.wait_for_state_within(PATIENCE, run, states).await
    }

    /// Waits until a run that has lost its worker has ended and gives it. A worker's lease lasts half a minute.
    pub async fn wait_for_adopted_end(&self, run: RunId) -> Value {
        self.wait_for_state_within(3 * PATIENCE, run, &[3, 4, 5]).await
    }

    async fn wait_for_state_within(&self, patience: Duration, run: RunId, states: &[u64]) -> Value {
        until_within(patience, async || {
            let now = self.run(run).await;
            if now["state"].as_u64().is_some_and(|state| states.contains(&state)) {
                Ok(now)
            } else {
                Err(format!("run {run} is in state {} ({}), not in {states:?}", now["state"], now["phase"]))
            }
        })
        .await
    }

    /// Waits until the run has ended and gives it.
    pub async fn wait_for_end(&self, run: RunId) -> Value {
        self.wait_for_state(run, &[3, 4, 5]).await
    }

    /// The whole log as it is now.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn log(&self, run: RunId) -> Vec<u8> {
        let answer = self.send(Method::GET, &format!("/api/v1/runs/{run}/log")).await;
        assert!(answer.status().is_success(), "log: {}", answer.status());
        answer.bytes().await.expect("the log").to_vec()
    }
}
