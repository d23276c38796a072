//! Sharing through the front door: links, roles and credentials that change under open sockets.

use std::time::{Duration, Instant};

use coderoom_backing::values;
use coderoom_protocol::{
    client::{ApiClient, RoomClient, RoomEvent, RoomMode},
    control::{Request, ServerMessage},
    ids::TaskId,
    role::Role,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{DAY_MS, Served, serve};

/// What the design allows between a change and what an open socket hears of it.
const WITHIN: Duration = Duration::from_secs(1);

impl Served {
    /// A request with a token that must end in this status.
    async fn call(&self, method: Method, path: &str, who: &str, body: Value, expected: StatusCode) -> Value {
        let (status, answer) = self.with(method, path, ("authorization", who), body).await;
        assert_eq!(status, expected, "{path}: {answer}");
        answer
    }

    async fn link(&self, task: TaskId, body: Value) -> Value {
        let path = format!("/api/v1/tasks/{task}/links");
        self.call(Method::POST, &path, &self.admin_token(), body, StatusCode::CREATED).await
    }

    async fn accept(&self, who: &str, link: &Value, expected: StatusCode) -> Value {
        self.call(Method::POST, "/api/v1/links/accept", who, json!({ "code": link["code"] }), expected).await
    }

    async fn room(&self, task: TaskId, who: &str) -> RoomClient {
        let token = who.trim_start_matches("Bearer ");
        let api = ApiClient::new(&self.url(""), Some(token)).unwrap();
        let mut room = RoomClient::connect(&api, task, RoomMode::Text).await.unwrap();
        let first = room.next().await.unwrap();
        let welcomed = matches!(&first, Some(RoomEvent::Message(m)) if matches!(**m, ServerMessage::Welcome(_)));
        assert!(welcomed, "{first:?}");
        room
    }
}

/// Reads until the server closes the socket; how long that took.
async fn closed(room: &mut RoomClient) -> Duration {
    let began = Instant::now();
    let end = async { while let Ok(Some(_)) = room.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("the socket is closed");
    began.elapsed()
}

/// Reads until the socket is told a role; which, and how long that took.
async fn told_role(room: &mut RoomClient) -> (Role, Duration) {
    let began = Instant::now();
    let told = async {
        loop {
            if let RoomEvent::Message(message) = room.next().await.unwrap().expect("the socket stays open")
                && let ServerMessage::Role { role } = *message
            {
                return role;
            }
        }
    };
    (tokio::time::timeout(Duration::from_secs(10), told).await.expect("a role is told"), began.elapsed())
}

#[tokio::test]
async fn link_makes_members_until_it_is_deleted() {
    let served = serve(|_| {}).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let link = served.link(task, json!({ "role": "editor", "max_uses": 1, "note": "for Ada" })).await;
    assert!(link["url"].as_str().unwrap().contains("/join#"), "the code is behind the #: {link}");
    let seen =
        served.call(Method::POST, "/api/v1/links/look", &ada, json!({ "code": link["code"] }), StatusCode::OK).await;
    assert_eq!((seen["name"].as_str(), seen["role"].as_str()), (Some("shared"), Some("editor")));
    served.call(Method::GET, &format!("/api/v1/tasks/{task}"), &ada, Value::Null, StatusCode::NOT_FOUND).await;
    let accepted = served.accept(&ada, &link, StatusCode::OK).await;
    assert_eq!(accepted["task"], json!(task.to_string()));
    served.accept(&ada, &link, StatusCode::OK).await;
    served.accept(&bob, &link, StatusCode::NOT_FOUND).await;
    let links = format!("/api/v1/tasks/{task}/links");
    served.call(Method::GET, &links, &ada, Value::Null, StatusCode::FORBIDDEN).await;
    let listed = served.call(Method::GET, &links, &admin, Value::Null, StatusCode::OK).await;
    assert_eq!((&listed["links"][0]["uses"], &listed["links"][0]["invites"]), (&json!(1), &json!(false)), "{listed}");
    assert!(!listed.to_string().contains(link["code"].as_str().unwrap()), "the code is shown once");
    let mut room = served.room(task, &ada).await;
    let id = link["about"]["id"].as_str().unwrap();
    served.call(Method::DELETE, &format!("{links}/{id}"), &admin, Value::Null, StatusCode::NO_CONTENT).await;
    let took = closed(&mut room).await;
    assert!(took < WITHIN, "{took:?}");
    served.call(Method::GET, &format!("/api/v1/tasks/{task}"), &ada, Value::Null, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn used_up_link_raises_no_member() {
    let served = serve(|_| {}).await;
    let task = served.task().await;
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let link = served.link(task, json!({ "role": "editor", "max_uses": 1 })).await;
    served.accept(&ada, &link, StatusCode::OK).await;
    let member = format!("/api/v1/tasks/{task}/members/bob");
    served.call(Method::PUT, &member, &served.admin_token(), json!({ "role": "viewer" }), StatusCode::OK).await;
    served.accept(&bob, &link, StatusCode::NOT_FOUND).await;
    let write = Request::WriteFile { path: "a.txt".into(), text: "x".into() };
    assert!(served.room(task, &bob).await.request::<Value>(write).await.is_err(), "who was a viewer still is");
    served.accept(&ada, &link, StatusCode::OK).await;
}

#[tokio::test]
async fn link_invites_only_while_its_maker_is_an_owner() {
    let served = serve(|_| {}).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    let make = async |role: &str| {
        served.call(Method::PUT, &member, &admin, json!({ "role": role }), StatusCode::OK).await;
    };
    make("owner").await;
    let path = format!("/api/v1/tasks/{task}/links");
    let link = served.call(Method::POST, &path, &ada, json!({ "role": "editor" }), StatusCode::CREATED).await;
    // What the link says to who opens it, and what the owners' list says of it.
    let look = async |expected: StatusCode| {
        served.call(Method::POST, "/api/v1/links/look", &bob, json!({ "code": link["code"] }), expected).await;
        let listed = served.call(Method::GET, &path, &admin, Value::Null, StatusCode::OK).await;
        assert_eq!(listed["links"][0]["invites"], expected == StatusCode::OK, "{listed}");
    };
    look(StatusCode::OK).await;
    make("editor").await;
    look(StatusCode::NOT_FOUND).await;
    served.accept(&bob, &link, StatusCode::NOT_FOUND).await;
    make("owner").await;
    look(StatusCode::OK).await;
    served.call(Method::POST, "/api/v1/users/ada/suspend", &admin, Value::Null, StatusCode::OK).await;
    look(StatusCode::NOT_FOUND).await;
    served.call(Method::POST, "/api/v1/users/ada/resume", &admin, Value::Null, StatusCode::OK).await;
    served.call(Method::DELETE, &member, &admin, Value::Null, StatusCode::NO_CONTENT).await;
    served.accept(&bob, &link, StatusCode::NOT_FOUND).await;
    served.accept(&ada, &link, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn link_undoes_nothing_that_an_owner_decided_after_it() {
    let served = serve(|_| {}).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    let old = served.link(task, json!({ "role": "editor" })).await;
    served.accept(&ada, &old, StatusCode::OK).await;
    served.call(Method::DELETE, &member, &admin, Value::Null, StatusCode::NO_CONTENT).await;
    let said = served.accept(&ada, &old, StatusCode::NOT_FOUND).await;
    assert!(said["detail"].as_str().unwrap().contains("an owner has removed you"), "{said}");
    let new = served.link(task, json!({ "role": "editor" })).await;
    served.accept(&ada, &new, StatusCode::OK).await;
    served.call(Method::PUT, &member, &admin, json!({ "role": "viewer" }), StatusCode::OK).await;
    served.accept(&ada, &new, StatusCode::NOT_FOUND).await;
    let task_of = format!("/api/v1/tasks/{task}");
    let seen = served.call(Method::GET, &task_of, &ada, Value::Null, StatusCode::OK).await;
    assert_eq!(seen["role"], "viewer", "{seen}");
    // Who left by themselves comes back as they like.
    served.accept(&bob, &old, StatusCode::OK).await;
    served.call(Method::POST, &format!("{task_of}/leave"), &bob, Value::Null, StatusCode::NO_CONTENT).await;
    served.accept(&bob, &old, StatusCode::OK).await;
}

#[tokio::test]
async fn expired_link_ends_memberships_under_open_sockets() {
    let served = serve(|_| {}).await;
    let task = served.task().await;
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let until = served.clock.now_ms() + DAY_MS;
    let link = served.link(task, json!({ "role": "viewer", "expires_at": until })).await;
    let kept = served.link(task, json!({ "role": "viewer", "expires_at": until, "keeps": true })).await;
    served.accept(&ada, &link, StatusCode::OK).await;
    served.accept(&bob, &kept, StatusCode::OK).await;
    let (mut adas, mut bobs) = (served.room(task, &ada).await, served.room(task, &bob).await);
    served.clock.jump(DAY_MS);
    let took = closed(&mut adas).await;
    assert!(took < WITHIN, "{took:?}");
    let pong: Value = bobs.request(Request::Ping {}).await.expect("who came by a link that keeps stays");
    assert_eq!(pong, json!({}));
    served.accept(&ada, &link, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn lasting_role_comes_back_when_a_link_is_over() {
    let served = serve(|_| {}).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let members = format!("/api/v1/tasks/{task}/members");
    let by_name = json!({ "role": "viewer" });
    served.call(Method::PUT, &format!("{members}/ada"), &admin, by_name, StatusCode::OK).await;
    let is_viewer = async || {
        let listed = served.call(Method::GET, &members, &ada, Value::Null, StatusCode::OK).await;
        let own = listed["members"].as_array().unwrap().iter().find(|member| member["user"]["name"] == "ada").unwrap();
        assert_eq!((&own["role"], &own["expires_at"], &own["link"]), (&json!("viewer"), &Value::Null, &Value::Null));
        let tasks = served.call(Method::GET, "/api/v1/tasks", &ada, Value::Null, StatusCode::OK).await;
        assert_eq!(tasks["tasks"][0]["role"], "viewer", "{tasks}");
    };
    let write = || Request::WriteFile { path: "a.txt".into(), text: "x".into() };
    // A link that ends by the clock, under an open socket.
    let until = served.clock.now_ms() + DAY_MS;
    let link = served.link(task, json!({ "role": "editor", "expires_at": until })).await;
    served.accept(&ada, &link, StatusCode::OK).await;
    let mut room = served.room(task, &ada).await;
    room.request::<Value>(write()).await.expect("the link makes an editor");
    served.clock.jump(DAY_MS);
    let (role, took) = told_role(&mut room).await;
    assert!(role == Role::Viewer && took < WITHIN, "{role:?} {took:?}");
    is_viewer().await;
    served.server.app.people.sweep().await.unwrap();
    is_viewer().await;
    room.request::<Value>(write()).await.expect_err("viewers do not write");
    // Two links one over the other, and the last is deleted.
    for _ in 0..2 {
        let until = served.clock.now_ms() + DAY_MS;
        let link = served.link(task, json!({ "role": "editor", "expires_at": until })).await;
        served.accept(&ada, &link, StatusCode::OK).await;
        assert_eq!(told_role(&mut room).await.0, Role::Editor);
        let path = format!("/api/v1/tasks/{task}/links/{}", link["about"]["id"].as_str().unwrap());
        served.call(Method::DELETE, &path, &admin, Value::Null, StatusCode::NO_CONTENT).await;
        assert_eq!(told_role(&mut room).await.0, Role::Viewer);
        is_viewer().await;
    }
    // A role by name replaces both; removal removes both.
    let link = served.link(task, json!({ "role": "editor" })).await;
    served.accept(&ada, &link, StatusCode::OK).await;
    served.call(Method::DELETE, &format!("{members}/ada"), &admin, Value::Null, StatusCode::NO_CONTENT).await;
    served.call(Method::GET, &members, &ada, Value::Null, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn roles_change_in_place_and_removal_closes() {
    let served = serve(|_| {}).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    let put = async |role: &str| {
        served.call(Method::PUT, &member, &admin, json!({ "role": role }), StatusCode::OK).await;
    };
    put("editor").await;
    let mut room = served.room(task, &ada).await;
    let write = || Request::WriteFile { path: "a.txt".into(), text: "x".into() };
    room.request::<Value>(write()).await.expect("editors write");
    put("viewer").await;
    let (role, took) = told_role(&mut room).await;
    assert!(role == Role::Viewer && took < WITHIN, "{role:?} {took:?}");
    let refused = room.request::<Value>(write()).await.expect_err("viewers do not");
    assert!(refused.to_string().contains("viewer"), "{refused}");
    put("editor").await;
    assert_eq!(told_role(&mut room).await.0, Role::Editor);
    served.call(Method::DELETE, &member, &admin, Value::Null, StatusCode::NO_CONTENT).await;
    let took = closed(&mut room).await;
    assert!(took < WITHIN, "{took:?}");
}

#[tokio::test]
async fn tokens_and_sessions_that_end_close_their_sockets() {
    let served = serve(|_| {}).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let made = async |body: Value| served.call(Method::POST, "/api/v1/tokens", &admin, body, StatusCode::CREATED).await;
    let (deleted, expiring) =
        (made(json!({ "name": "a" })).await, made(json!({ "name": "b", "expires_days": 1 })).await);
    let mut one = served.room(task, deleted["token"].as_str().unwrap()).await;
    let mut two = served.room(task, expiring["token"].as_str().unwrap()).await;
    let mut three = served.room(task, &admin).await;
    let path = format!("/api/v1/tokens/{}", deleted["about"]["id"].as_str().unwrap());
    served.call(Method::DELETE, &path, &admin, Value::Null, StatusCode::NO_CONTENT).await;
    let took = closed(&mut one).await;
    assert!(took < WITHIN, "{took:?}");
    served.clock.jump(DAY_MS);
    let took = closed(&mut two).await;
    assert!(took < WITHIN, "{took:?}");
    three.request::<Value>(Request::Ping {}).await.expect("other tokens of the same user go on");
}

#[tokio::test]
async fn changes_made_elsewhere_are_heard_or_found() {
    let served = serve(|settings| settings.people.recheck = Duration::from_millis(700)).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    served.call(Method::PUT, &member, &admin, json!({ "role": "editor" }), StatusCode::OK).await;
    let mut room = served.room(task, &ada).await;
    let app = &served.server.app;
    let id = app.people.user("ada").await.unwrap().unwrap().id.to_string();
    // What another node would have stored; its announcement is lost.
    let sql = "UPDATE members SET role = 'viewer' WHERE user_id = $1";
    app.tables.execute(sql, values![id.as_str()]).await.unwrap();
    assert_eq!(told_role(&mut room).await.0, Role::Viewer, "found without an announcement");
    app.tables.execute("DELETE FROM members WHERE user_id = $1", values![id.as_str()]).await.unwrap();
    let announcement = json!({ "user": id, "task": task.to_string() }).to_string();
    app.bus.publish("people/access", announcement.into_bytes().into()).await.unwrap();
    let took = closed(&mut room).await;
    assert!(took < Duration::from_millis(600), "heard, not only found: {took:?}");
}

#[tokio::test]
async fn token_has_each_scope_once_and_no_more_than_there_are() {
    let served = serve(|_| {}).await;
    let admin = served.admin_token();
    let make = async |scopes: Value| {
        let wish = json!({ "name": "t", "scopes": scopes });
        served.with(Method::POST, "/api/v1/tokens", ("authorization", &admin), wish).await
    };
    let (status, made) = make(json!(["edit", "read", "edit", "read"])).await;
    assert_eq!((status, &made["about"]["scopes"]), (StatusCode::CREATED, &json!(["read", "edit"])), "{made}");
    for scopes in [json!([]), json!(vec!["read"; 100_000])] {
        let (status, said) = make(scopes).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(said["detail"].as_str().unwrap().contains("1 to 4 scopes"), "{said}");
    }
    let (_, page) = served.with(Method::GET, "/api/v1/audit?limit=1", ("authorization", &admin), Value::Null).await;
    assert!(page["lines"][0]["detail"].as_str().unwrap().ends_with(" read edit"), "{page}");
}

#[tokio::test]
async fn tokens_that_a_token_makes_end_with_it() {
    let served = serve(|_| {}).await;
    let admin = served.admin_token();
    let make =
        async |by: &str, body: Value| served.call(Method::POST, "/api/v1/tokens", by, body, StatusCode::CREATED).await;
    let short = make(&admin, json!({ "name": "short", "expires_days": 2 })).await;
    let end = short["about"]["expires_at"].as_i64().expect("it ends");
    let by = format!("Bearer {}", short["token"].as_str().unwrap());
    for (wish, expected) in [(json!({ "name": "a" }), end), (json!({ "name": "b", "expires_days": 9 }), end)] {
        assert_eq!(make(&by, wish).await["about"]["expires_at"], expected);
    }
    let sooner = make(&by, json!({ "name": "c", "expires_days": 1 })).await;
    assert!(sooner["about"]["expires_at"].as_i64().unwrap() < end);
}

#[tokio::test]
async fn narrow_tokens_do_no_more_than_they_say() {
    let served = serve(|_| {}).await;
    let (task, other, admin) = (served.task().await, served.task().await, served.admin_token());
    let token = async |body: Value| {
        let made = served.call(Method::POST, "/api/v1/tokens", &admin, body, StatusCode::CREATED).await;
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let file = format!("/api/v1/tasks/{task}/files/a.txt");
    let status = async |method: Method, path: &str, who: &str| {
        served.with(method, path, ("authorization", who), Value::Null).await.0
    };
    let read = token(json!({ "name": "r", "scopes": ["read"] })).await;
    assert_eq!(status(Method::GET, &format!("/api/v1/tasks/{task}"), &read).await, StatusCode::OK);
    assert_eq!(status(Method::PUT, &file, &read).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::POST, &format!("/api/v1/tasks/{task}/runs"), &read).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::GET, "/api/v1/tokens", &read).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::GET, "/api/v1/users", &read).await, StatusCode::FORBIDDEN);
    let edit = token(json!({ "name": "e", "scopes": ["edit"] })).await;
    assert!(status(Method::PUT, &file, &edit).await.is_success());
    assert_eq!(status(Method::DELETE, &format!("/api/v1/tasks/{task}"), &edit).await, StatusCode::FORBIDDEN);
    let named = token(json!({ "name": "n", "tasks": [task] })).await;
    assert!(status(Method::PUT, &file, &named).await.is_success());
    assert_eq!(status(Method::GET, &format!("/api/v1/tasks/{other}"), &named).await, StatusCode::NOT_FOUND);
    assert_eq!(status(Method::GET, "/api/v1/users", &named).await, StatusCode::FORBIDDEN);
    let (_, listed) = served.with(Method::GET, "/api/v1/tasks", ("authorization", &named), Value::Null).await;
    assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(1), "{listed}");
    let mut room = served.room(task, &read).await;
    let write = Request::WriteFile { path: "a.txt".into(), text: "x".into() };
    assert!(room.request::<Value>(write).await.is_err(), "a token that reads does not write in the room");
}

#[tokio::test]
async fn owners_leave_and_transfer_and_one_remains() {
    let served = serve(|_| {}).await;
    let (ada, bob) = (served.user("ada").await, served.user("bob").await);
    let new = json!({ "name": "adas", "language": "python" });
    let task = served.call(Method::POST, "/api/v1/tasks", &ada, new, StatusCode::CREATED).await;
    let at = |what: &str| format!("/api/v1/tasks/{}/{what}", task["id"].as_str().unwrap());
    served.call(Method::POST, &at("leave"), &ada, Value::Null, StatusCode::UNPROCESSABLE_ENTITY).await;
    served.call(Method::POST, &at("transfer"), &bob, json!({ "to": "bob" }), StatusCode::NOT_FOUND).await;
    served.call(Method::POST, &at("transfer"), &ada, json!({ "to": "bob" }), StatusCode::OK).await;
    served.call(Method::GET, &at("links"), &ada, Value::Null, StatusCode::FORBIDDEN).await;
    let listed = served.call(Method::GET, &at("members"), &bob, Value::Null, StatusCode::OK).await;
    let roles: Vec<_> = listed["members"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["editor", "owner"], "{listed}");
    served.call(Method::POST, &at("leave"), &ada, Value::Null, StatusCode::NO_CONTENT).await;
    served.call(Method::POST, &at("leave"), &ada, Value::Null, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn sessions_are_listed_ended_and_get_new_keys() {
    let served = serve(|settings| settings.people.session_rotation = Duration::from_secs(3600)).await;
    served.server.app.people.create_user("ada", Some("correct horse".into()), false).await.unwrap();
    let sign_in = async || {
        let answer = served.post("/api/v1/sign-in", json!({ "name": "ada", "password": "correct horse" })).await;
        crate::served::cookie(&answer)
    };
    let (first, second) = (sign_in().await, sign_in().await);
    let (_, listed) = served.with(Method::GET, "/api/v1/sessions", ("cookie", &first), Value::Null).await;
    let sessions = listed["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2, "{listed}");
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/v1/sessions/{}", other["id"].as_str().unwrap());
    let (status, _) = served.with(Method::DELETE, &path, ("cookie", &first), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(served.me(("cookie", &second)).await, StatusCode::UNAUTHORIZED);
    served.clock.jump(3_600_000);
    let answer = served.http.get(served.url("/api/v1/me")).header("cookie", &first).send().await.unwrap();
    let newer = crate::served::cookie(&answer);
    assert_ne!(first, newer, "an old key is replaced when it is used");
    let set = answer.headers()[reqwest::header::SET_COOKIE].to_str().unwrap();
    let max_age = set.split("Max-Age=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let lifetime = served.server.app.settings.people.session_lifetime.as_secs() - 3600;
    let max_age: u64 = max_age.trim().parse().unwrap();
    assert!(
        max_age <= lifetime && lifetime - max_age < 60,
        "until the session ends, not until it would be idle: {set}"
    );
    let third = sign_in().await;
    let (status, _) = served.with(Method::DELETE, "/api/v1/sessions", ("cookie", &first), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(served.me(("cookie", &third)).await, StatusCode::UNAUTHORIZED, "the others end");
    assert_eq!(served.me(("cookie", &newer)).await, StatusCode::OK);
    assert_eq!(served.me(("cookie", &first)).await, StatusCode::OK, "requests on their way still count");
    served.clock.jump(180_000);
    assert_eq!(served.me(("cookie", &first)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(served.me(("cookie", &newer)).await, StatusCode::OK);
}
