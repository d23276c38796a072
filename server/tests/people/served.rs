//! A real server in this process, and calls to it.

use std::time::Duration;

use coderoom_backing::clock::Clock;
use coderoom_protocol::ids::TaskId;
use coderoom_server::{assemble::Server, config::Settings};
use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    pub(crate) http: Client,
    pub(crate) data: TempDir,
}

pub(crate) fn settings(data: &TempDir) -> Settings {
    let mut settings = Settings::default();
    settings.deployment.listen = "127.0.0.1:0".parse().unwrap();
    settings.deployment.data = data.path().join("data");
    settings.people.cache_time = Duration::from_millis(200);
    settings.server.drain_timeout = Duration::from_secs(5);
    settings
}

pub(crate) async fn serve(change: impl FnOnce(&mut Settings)) -> Served {
    coderoom_protocol::client::install_crypto_provider();
    let data = tempfile::tempdir().unwrap();
    let mut settings = settings(&data);
    change(&mut settings);
    let clock = Clock::default();
    let server = Server::start(settings, clock.clone()).await.unwrap();
    Served { server, clock, http: Client::new(), data }
}

impl Served {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.http.post(self.url(path)).json(&body).send().await.unwrap()
    }

    /// A request with some `authorization` or `cookie` header.
    pub(crate) async fn with(
        &self,
        method: Method,
        path: &str,
        who: (&'static str, &str),
        body: Value,
    ) -> (StatusCode, Value) {
        let request = self.http.request(method, self.url(path)).header(who.0, who.1);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub(crate) fn code(&self) -> String {
        let link = self.server.sign_in_link.clone().expect("a first start prints a link");
        link.split_once("code=").unwrap().1.to_owned()
    }

    /// Signs in by the printed link; the cookie.
    pub(crate) async fn admin_cookie(&self) -> String {
        cookie(&self.post("/api/v1/sign-in/code", json!({ "code": self.code() })).await)
    }

    /// The token that the server keeps for this machine's commands.
    pub(crate) fn admin_token(&self) -> String {
        let token = std::fs::read_to_string(self.data.path().join("data/cli-token")).unwrap();
        format!("Bearer {}", token.trim())
    }

    /// A new user with a token.
    pub(crate) async fn user(&self, name: &str) -> String {
        let user = self.server.app.people.create_user(name, None, false).await.unwrap();
        let made = self.server.app.people.create_token(user.id, "test", None).await.unwrap();
        format!("Bearer {}", made.secret)
    }

    pub(crate) async fn task(&self) -> TaskId {
        let admin = self.admin_token();
        let new = json!({ "name": "shared", "language": "python" });
        let (status, task) = self.with(Method::POST, "/api/v1/tasks", ("authorization", &admin), new).await;
        assert_eq!(status, StatusCode::CREATED, "{task}");
        task["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn me(&self, who: (&'static str, &str)) -> StatusCode {
        self.with(Method::GET, "/api/v1/me", who, Value::Null).await.0
    }
}

pub(crate) fn cookie(answer: &Response) -> String {
    assert_eq!(answer.status(), StatusCode::OK);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}
