//! People through the front door of a real server in this process: links, sessions, tokens, roles, drain.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::Duration;

use coderoom_backing::{clock::Clock, values};
use coderoom_protocol::role::Role;
use coderoom_server::assemble::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

mod audit;
mod elsewhere;
mod guessing;
mod late;
mod limits;
mod provider;
mod served;
mod sharing;
mod tls;

use served::{DAY_MS, cookie, serve, settings};

#[tokio::test]
async fn first_start_link_signs_in_once() {
    let served = serve(|_| {}).await;
    let page = served.http.get(served.url(&format!("/sign-in?code={}", served.code()))).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "looking at the link does not use it up");
    let cookie = served.admin_cookie().await;
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::OK);
    let again = served.post("/api/v1/sign-in/code", json!({ "code": served.code() })).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn links_sessions_and_tokens_expire_by_the_clock() {
    let served = serve(|_| {}).await;
    let people = &served.server.app.people;
    let admin = people.ensure_admin().await.unwrap();
    let late = people.create_link(admin.user, Duration::from_secs(3600)).await.unwrap();
    let until = served.clock.now_ms() + DAY_MS;
    let token = people.create_token(admin.user, "short", Some(until)).await.unwrap().secret;
    let token = format!("Bearer {token}");
    let cookie = served.admin_cookie().await;
    assert_eq!(served.me(("authorization", &token)).await, StatusCode::OK);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::OK);
    served.clock.jump(2 * DAY_MS);
    assert_eq!(served.me(("authorization", &token)).await, StatusCode::UNAUTHORIZED, "tokens end at their time");
    let answer = served.post("/api/v1/sign-in/code", json!({ "code": late })).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "links end after their time");
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::OK, "a session in use goes on");
    served.clock.jump(15 * DAY_MS);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::UNAUTHORIZED, "an idle session ends after 14 days");
}

#[tokio::test]
async fn changed_password_ends_links_that_were_made_before() {
    let served = serve(|_| {}).await;
    let people = &served.server.app.people;
    let admin = people.ensure_admin().await.unwrap();
    let link = people.create_link(admin.user, Duration::from_secs(3600)).await.unwrap();
    let cookie = served.admin_cookie().await;
    let new = json!({ "new": "a long enough password" });
    let (status, said) = served.with(Method::POST, "/api/v1/me/password", ("cookie", &cookie), new).await;
    assert!(status.is_success(), "{status} {said}");
    let answer = served.post("/api/v1/sign-in/code", json!({ "code": link })).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_age_however_busy_it_is() {
    // Without memory each request counts as use, as it does for requests that are days apart.
    let served = serve(|settings| settings.people.cache_time = Duration::ZERO).await;
    let cookie = served.admin_cookie().await;
    for _ in 0..9 {
        served.clock.jump(10 * DAY_MS - 60_000);
        let known = served.me(("cookie", &cookie)).await;
        assert_eq!(known, StatusCode::OK);
    }
    served.clock.jump(DAY_MS);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn passwords_sign_in_and_signing_out_ends_the_session() {
    let served = serve(|_| {}).await;
    served.server.app.people.create_user("Ada", Some("correct horse".into()), false).await.unwrap();
    let sign_in = |name: &'static str, password: &'static str| {
        served.post("/api/v1/sign-in", json!({ "name": name, "password": password }))
    };
    let cookie = cookie(&sign_in("aDA", "correct horse").await);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::OK);
    assert_eq!(sign_in("ada", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in("nobody", "correct horse").await.status(), StatusCode::UNAUTHORIZED);
    let (status, _) = served.with(Method::POST, "/api/v1/sign-out", ("cookie", &cookie), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guessing_is_held_back_with_a_time_to_come_again() {
    let served = serve(|settings| settings.people.attempts_per_name = 3).await;
    let mut last = None;
    for _ in 0..5 {
        last = Some(served.post("/api/v1/sign-in", json!({ "name": "admin", "password": "guess" })).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test]
async fn names_longer_than_any_are_nobodys_and_not_counted() {
    let served = serve(|settings| settings.people.attempts_per_name = 3).await;
    // Each of its characters folds into 18.
    let name = "\u{fdfa}".repeat(10_000);
    for _ in 0..5 {
        let answer = served.post("/api/v1/sign-in", json!({ "name": name, "password": "guess" })).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "no key of it is kept");
    }
    let path = format!("/api/v1/tasks/{}/transfer", served.task().await);
    let admin = served.admin_token();
    let (status, said) = served.with(Method::POST, &path, ("authorization", &admin), json!({ "to": name })).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{said}");
    assert!(said["detail"].as_str().unwrap().chars().count() < 200, "{said}");
}

#[tokio::test]
async fn cookies_from_pages_of_other_sites_are_refused() {
    let served = serve(|_| {}).await;
    let cookie = served.admin_cookie().await;
    let from = |origin: String| {
        served.http.get(served.url("/api/v1/me")).header("cookie", &cookie).header("origin", origin).send()
    };
    assert_eq!(from("http://evil.example".into()).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(from(served.url("")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_task_keeps_an_owner_and_strangers_cannot_see_it() {
    let served = serve(|_| {}).await;
    let task = served.task().await;
    let admin = served.admin_token();
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let members = format!("/api/v1/tasks/{task}/members");
    let of = |name: &str| format!("{members}/{name}");
    let put = async |who: &str, name: &str, role: &str| {
        served.with(Method::PUT, &of(name), ("authorization", who), json!({ "role": role })).await.0
    };
    let list = async |who: &str| served.with(Method::GET, &members, ("authorization", who), Value::Null).await;
    assert_eq!(list(&bob).await.0, StatusCode::NOT_FOUND);
    assert_eq!(put(&bob, "bob", "owner").await, StatusCode::NOT_FOUND);
    assert_eq!(put(&admin, "ada", "viewer").await, StatusCode::OK);
    let (status, listed) = list(&ada).await;
    assert_eq!((status, listed["members"].as_array().map(Vec::len)), (StatusCode::OK, Some(2)), "{listed}");
    assert_eq!(put(&ada, "bob", "viewer").await, StatusCode::FORBIDDEN, "viewers bring nobody");
    assert_eq!(put(&admin, "ada", "owner").await, StatusCode::OK);
    assert_eq!(put(&ada, "admin", "viewer").await, StatusCode::OK);
    assert_eq!(put(&ada, "ada", "editor").await, StatusCode::UNPROCESSABLE_ENTITY, "the last owner stays owner");
    let (status, _) = served.with(Method::DELETE, &of("ada"), ("authorization", &ada), Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "the last owner cannot leave");
}

#[tokio::test]
async fn changes_of_roles_count_at_once_and_are_announced() {
    let served = serve(|settings| settings.people.cache_time = Duration::from_secs(60)).await;
    let task = served.task().await;
    let app = &served.server.app;
    let admin = app.people.ensure_admin().await.unwrap();
    served.user("ada").await;
    let ada = app.people.user("ada").await.unwrap().unwrap();
    let mut heard = app.bus.subscribe(&coderoom_worker::announce::task_topic(task)).await.unwrap();
    for role in [Role::Viewer, Role::Editor] {
        app.people.set_member(&admin, task, "ada", role, None).await.unwrap();
        assert_eq!(app.people.read_role(task, ada.id).await.unwrap(), Some(role));
        let event = tokio::time::timeout(Duration::from_secs(5), heard.next()).await.expect("the change is announced");
        assert!(format!("{event:?}").contains(&ada.id.to_string()), "{event:?}");
    }
    app.people.set_suspended(&admin, ada.id, true).await.unwrap();
    assert_eq!(app.people.read_role(task, ada.id).await.unwrap(), None, "a suspended user has no role");
}

#[tokio::test]
async fn a_suspended_user_has_no_way_in() {
    let served = serve(|_| {}).await;
    let (admin, ada) = (served.admin_token(), served.user("ada").await);
    assert_eq!(served.me(("authorization", &ada)).await, StatusCode::OK);
    let suspend = "/api/v1/users/ada/suspend";
    assert_eq!(served.with(Method::POST, suspend, ("authorization", &ada), Value::Null).await.0, StatusCode::FORBIDDEN);
    assert_eq!(served.with(Method::POST, suspend, ("authorization", &admin), Value::Null).await.0, StatusCode::OK);
    assert_eq!(served.me(("authorization", &ada)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn secrets_are_stored_as_hashes_only() {
    let served = serve(|_| {}).await;
    let token = served.admin_token().trim_start_matches("Bearer ").to_owned();
    let cookie = served.admin_cookie().await;
    let key = cookie.split_once('=').unwrap().1.to_owned();
    let rows = [
        served.server.app.tables.query("SELECT hash, name FROM tokens", values![]).await.unwrap(),
        served.server.app.tables.query("SELECT hash FROM sessions", values![]).await.unwrap(),
    ];
    let stored = format!("{rows:?}");
    assert!(!stored.contains(&token) && !stored.contains(&key), "a secret is stored as it is");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(served.data.path().join("data/cli-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn an_admin_token_of_the_settings_works_for_automation() {
    let token = "an-admin-token-for-tests";
    let served = serve(|settings| {
        settings.deployment.admin_token = Some(coderoom_server::config::value::Secret(token.into()));
    })
    .await;
    assert_eq!(served.me(("authorization", &format!("Bearer {token}"))).await, StatusCode::OK);
    assert_eq!(served.me(("authorization", "Bearer an-admin-token-for-testz")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_tells_of_every_service_and_of_a_drain() {
    let served = serve(|_| {}).await;
    assert_eq!(served.http.get(served.url("/health/live")).send().await.unwrap().status(), StatusCode::OK);
    let ready: Value = served.http.get(served.url("/health/ready")).send().await.unwrap().json().await.unwrap();
    for service in ["tables", "objects", "bus"] {
        assert_eq!(ready["services"][service]["well"], true, "{ready}");
        assert!(ready["services"][service]["latency_ms"].is_number(), "{ready}");
    }
    let health: Value = served.http.get(served.url("/health")).send().await.unwrap().json().await.unwrap();
    assert!(health["sandbox"]["level"].is_string() && health["sandbox"]["minimum"] == "namespaces", "{health}");
    let url = served.url("/health/live");
    assert!(served.server.drain().await, "a server without work drains in time");
    assert!(served.http.get(url).send().await.is_err(), "nobody listens after a drain");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let served = serve(|_| {}).await;
    let second = Server::start(settings(&served.data), Clock::default()).await;
    let why = format!("{:#}", second.expect_err("two servers cannot share one SQLite file"));
    assert!(why.contains("data"), "{why}");
}

#[tokio::test]
async fn without_a_supervisor_the_server_starts_and_refuses_to_run_code() {
    let served = serve(|settings| settings.sandbox.supervisor = Some("/nowhere/supervisor".into())).await;
    let task = served.task().await;
    let admin = served.admin_token();
    let path = format!("/api/v1/tasks/{task}/runs");
    let (status, problem) = served.with(Method::POST, &path, ("authorization", &admin), json!({})).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("sandbox_unavailable")),
        "{problem}"
    );
    let health: Value = served.http.get(served.url("/health")).send().await.unwrap().json().await.unwrap();
    assert!(health["sandbox"]["notes"][0].as_str().is_some_and(|note| note.contains("supervisor")), "{health}");
}

#[tokio::test]
async fn slow_headers_end_the_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve(|settings| settings.server.header_timeout = Duration::from_millis(200)).await;
    let mut slow = tokio::net::TcpStream::connect(served.server.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the server waits for ever for a request's headers");
}
