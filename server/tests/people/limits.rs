//! Limits and headers.

use coderoom_protocol::{
    client::{ApiClient, RoomClient, RoomMode},
    control::Request,
};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::served::{Served, serve};

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let served = serve(|settings| settings.limits.requests_per_user = 5).await;
    let ada = served.user("ada").await;
    let mut last = None;
    for _ in 0..7 {
        last = Some(served.http.get(served.url("/api/v1/me")).header("authorization", &ada).send().await.unwrap());
    }
    let last = last.unwrap();
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let said: Value = last.json().await.unwrap();
    assert_eq!(said["code"], "too_many_requests");
    assert_eq!(served.me(("authorization", &served.admin_token())).await, StatusCode::OK, "others are served");
}

#[tokio::test]
async fn logs_are_requests_of_their_reader_too() {
    let served = serve(|settings| settings.limits.requests_per_user = 3).await;
    let ada = served.user("ada").await;
    let path = served.url(&format!("/api/v1/runs/{}/log", coderoom_protocol::ids::RunId::new()));
    let in_address = format!("{path}?token={}", ada.trim_start_matches("Bearer "));
    for _ in 0..3 {
        let answer = served.http.get(&path).header("authorization", &ada).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    let answer = served.http.get(in_address).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn methods_that_clients_make_up_are_one_label() {
    let served = serve(|_| {}).await;
    for method in ["BREW", "WHEN", "GET"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        served.http.request(method, served.url("/nothing-here")).send().await.unwrap();
    }
    let metrics = served.http.get(served.url("/metrics")).header("authorization", served.admin_token()).send().await;
    let metrics = metrics.unwrap().text().await.unwrap();
    assert!(metrics.contains("method=\"other\"") && metrics.contains("method=\"GET\""), "{metrics}");
    assert!(!metrics.contains("BREW") && !metrics.contains("WHEN"), "{metrics}");
}

#[tokio::test]
async fn too_many_requests_from_one_address_are_refused_and_health_is_not() {
    let served = serve(|settings| settings.limits.requests_per_address = 5).await;
    let get = async |path: &str| served.http.get(served.url(path)).send().await.unwrap();
    for _ in 0..5 {
        assert_eq!(get("/api/v1/me").await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = get("/api/v1/me").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(get("/health/live").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_user_has_so_many_tasks_and_so_much_in_them() {
    let served = serve(|settings| {
        settings.limits.max_tasks_per_user = 1;
        settings.limits.max_storage_per_user = coderoom_server::config::value::ByteSize(2000);
    })
    .await;
    let ada = served.user("ada").await;
    let new = json!({ "name": "mine", "language": "python" });
    let (status, task) = served.with(Method::POST, "/api/v1/tasks", ("authorization", &ada), new.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{task}");
    let (status, said) = served.with(Method::POST, "/api/v1/tasks", ("authorization", &ada), new).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::CONFLICT, Some("quota_reached")), "{said}");
    let at = |what: &str| format!("/api/v1/tasks/{}/{what}", task["id"].as_str().unwrap());
    let put = async |who: &str, name: &str| {
        let path = served.url(&at(&format!("files/{name}")));
        served.http.put(path).header("authorization", who).body("x".repeat(3000)).send().await.unwrap().status()
    };
    assert!(put(&ada, "a.txt").await.is_success(), "there was room when it began");
    assert_eq!(put(&ada, "b.txt").await, StatusCode::CONFLICT);
    let api = ApiClient::new(&served.url(""), ada.strip_prefix("Bearer ")).unwrap();
    let id = task["id"].as_str().unwrap().parse().unwrap();
    let mut room = RoomClient::connect(&api, id, RoomMode::Text).await.unwrap();
    for request in [
        Request::CreateFile { path: "c.txt".into(), text: Some("x".into()) },
        Request::CreateBlob { path: "d".into(), base64: "/w==".into() },
        Request::WriteFile { path: "e.txt".into(), text: "x".into() },
        Request::WriteFile { path: "a.txt".into(), text: "y".repeat(4000) },
    ] {
        let refused = room.request::<Value>(request).await.expect_err("over the socket neither");
        assert!(refused.to_string().contains("may have 2000 bytes"), "{refused}");
    }
    let bob = served.user("bob").await;
    let role = json!({ "role": "editor" });
    let (status, said) = served.with(Method::PUT, &at("members/bob"), ("authorization", &ada), role).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(put(&bob, "b.txt").await, StatusCode::CONFLICT, "what others bring counts as hers");
}

/// Asks for a room's socket, as a browser or a program does. The socket stays open while the answer is kept.
async fn knock(served: &Served, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = served.http.get(served.url(path)).header("connection", "upgrade").header("upgrade", "websocket");
    request = request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn one_address_has_so_many_sockets() {
    let served = serve(|settings| settings.sockets.max_per_address = 2).await;
    let path = format!("/ws/tasks/{}", served.task().await);
    let mut open = Vec::new();
    for _ in 0..2 {
        let answer = knock(&served, &path, &[]).await;
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        open.push(answer.upgrade().await.unwrap());
    }
    let refused = knock(&served, &path, &[]).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    open.pop();
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while knock(&served, &path, &[]).await.status() != StatusCode::SWITCHING_PROTOCOLS {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a socket that was closed makes room for another");
}

#[tokio::test]
async fn socket_takes_a_cookie_from_its_own_pages_only_and_a_token_in_its_address() {
    let served = serve(|_| {}).await;
    let path = format!("/ws/tasks/{}", served.task().await);
    let (cookie, own) = (served.admin_cookie().await, served.url(""));
    let status = async |path: &str, headers: &[(&str, &str)]| knock(&served, path, headers).await.status();
    let text = ("sec-websocket-protocol", "coderoom.v1");
    assert_eq!(status(&path, &[text]).await, StatusCode::UNAUTHORIZED, "nobody");
    let good = StatusCode::SWITCHING_PROTOCOLS;
    assert_eq!(status(&path, &[text, ("cookie", &cookie), ("origin", &own)]).await, good);
    assert_eq!(status(&path, &[text, ("cookie", &cookie)]).await, good, "programs send no Origin");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", &format!("{own}.evil.example")] {
        let refused = status(&path, &[text, ("cookie", &cookie), ("origin", origin)]).await;
        assert_eq!(refused, StatusCode::FORBIDDEN, "{origin}");
        let second = format!("{}/run.py", path.replace("/ws/tasks/", "/yjs/"));
        let second = status(&second, &[("cookie", &cookie), ("origin", origin)]).await;
        assert_eq!(second, StatusCode::FORBIDDEN, "the second door, {origin}");
    }
    let ada = served.user("ada").await;
    let token = served.admin_token().trim_start_matches("Bearer ").to_owned();
    assert_eq!(status(&format!("{path}?token={token}"), &[text]).await, good);
    // A page of another site may show a token: it has no more than what it shows.
    assert_eq!(status(&format!("{path}?token={token}"), &[text, ("origin", "http://evil.example")]).await, good);
    let hers = ada.trim_start_matches("Bearer ");
    assert_eq!(status(&format!("{path}?token={hers}"), &[text]).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&format!("{path}?token={token}x"), &[text]).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn token_shows_when_it_was_used_last() {
    // Without memory each request counts as use, as it does for requests that are minutes apart.
    let served = serve(|settings| settings.people.cache_time = std::time::Duration::ZERO).await;
    let admin = served.admin_token();
    let list =
        async |who: &str| served.with(Method::GET, "/api/v1/tokens", ("authorization", who), Value::Null).await.1;
    let new = json!({ "name": "watched" });
    let (_, made) = served.with(Method::POST, "/api/v1/tokens", ("authorization", &admin), new).await;
    let used = |listed: &Value| {
        let tokens = listed["tokens"].as_array().unwrap();
        tokens.iter().find(|token| token["name"] == "watched").unwrap()["last_used_at"].as_i64()
    };
    assert_eq!(used(&list(&admin).await), None, "it was only made");
    let watched = format!("Bearer {}", made["token"].as_str().unwrap());
    let began = served.clock.now_ms();
    assert_eq!(served.me(("authorization", &watched)).await, StatusCode::OK);
    let first = used(&list(&admin).await).expect("a use is noted");
    assert!(first >= began, "{first} {began}");
    served.clock.jump(3_600_000);
    assert_eq!(served.me(("authorization", &watched)).await, StatusCode::OK);
    let second = used(&list(&admin).await).unwrap();
    assert!(second >= first + 3_600_000, "{first} {second}");
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_making_more_of_it() {
    let served = serve(|_| {}).await;
    for path in ["/", "/api/v1/me", "/api/docs", "/api/openapi.json", "/nothing-here", "/health"] {
        let answer = served.http.get(served.url(path)).send().await.unwrap();
        let get = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        assert_eq!(get("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(get("referrer-policy"), "no-referrer", "{path}");
        let policy = get("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap_or(policy);
        assert!(!scripts.contains("unsafe-inline") && !scripts.contains("unsafe-eval"), "{path}: {policy}");
    }
    let served = serve(|settings| settings.people.secure_cookies = true).await;
    let answer = served.post("/api/v1/sign-in/code", json!({ "code": served.code() })).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-coderoom_session=") && cookie.contains("; Secure"), "{cookie}");
    assert!(answer.headers().contains_key("strict-transport-security"));
    let plain = cookie.replacen("__Host-", "", 1);
    assert_eq!(served.me(("cookie", plain.split(';').next().unwrap())).await, StatusCode::UNAUTHORIZED);
}

/// Says something by hand and gives what comes until the server closes; longest ten seconds.
async fn by_hand(served: &Served, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut connection = tokio::net::TcpStream::connect(served.server.address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), connection.read_to_end(&mut answer)).await;
    read.expect("the server ends the connection").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn request_with_two_hosts_or_none_is_refused() {
    let served = serve(|_| {}).await;
    for (hosts, version, status) in
        [("", "1.1", 400), ("Host: a\r\nHost: b\r\n", "1.1", 400), ("Host: a\r\n", "1.1", 200), ("", "1.0", 200)]
    {
        let request = format!("GET /health/live HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let answer = by_hand(&served, &request).await;
        assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{hosts:?} {version}: {answer}");
    }
}

/// Every documented route that takes a body, with `task` in it: its method and path.
async fn routes_with_bodies(served: &Served, task: &str) -> Vec<(String, String)> {
    let openapi: Value = served.http.get(served.url("/api/openapi.json")).send().await.unwrap().json().await.unwrap();
    let mut routes = vec![("POST".to_owned(), "/sign-in".to_owned())];
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        let path = path.replace("{task}", task).replace("{path}", "slow.txt").replace("{user}", "admin");
        let with_bodies = methods.as_object().unwrap().iter().filter(|(_, about)| !about["requestBody"].is_null());
        routes.extend(with_bodies.map(|(method, _)| (method.to_uppercase(), path.clone())));
    }
    routes
}

#[tokio::test]
async fn body_that_does_not_come_is_waited_for_by_no_route() {
    let served = serve(|settings| settings.server.body_timeout = std::time::Duration::from_millis(300)).await;
    let (task, admin) = (served.task().await.to_string(), served.admin_token());
    let routes = routes_with_bodies(&served, &task).await;
    assert!(routes.iter().any(|(_, path)| path.ends_with("/runs")) && routes.len() > 10, "{routes:?}");
    let head = format!("Host: a\r\nAuthorization: {admin}\r\nContent-Type: application/json\r\nContent-Length: 1000");
    let ask = async |(method, path): (String, String)| {
        let answer = by_hand(&served, &format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n{{")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {path}: {answer}");
    };
    futures_util::future::join_all(routes.into_iter().map(ask)).await;
}

/// Sends a body of `x` one by one, 50 ms apart, and gives the answer as soon as there is one.
async fn trickle(served: &Served, request: &str, length: usize) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut from, mut to) = tokio::net::TcpStream::connect(served.server.address).await.unwrap().into_split();
    let send = async {
        let head = format!("{request}Host: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        to.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..length {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if to.write_all(b"x").await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 4096];
    tokio::select! {
        () = send => unreachable!("it waits for the answer"),
        read = from.read(&mut answer) => String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned(),
    }
}

#[tokio::test]
async fn only_uploads_may_take_long_while_something_comes() {
    let served = serve(|settings| settings.server.body_timeout = std::time::Duration::from_millis(400)).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let answer = trickle(&served, "POST /sign-in HTTP/1.1\r\n", 200).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("too slowly"), "{answer}");
    let task = format!("/api/v1/tasks/{task}");
    let of_admin = format!("HTTP/1.1\r\nAuthorization: {admin}\r\n");
    let answer = trickle(&served, &format!("PUT {task}/files/slow.txt {of_admin}"), 20).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "a second is more than it has without bytes: {answer}");
    let answer = trickle(&served, &format!("POST {task}/import {of_admin}"), 20).await;
    assert!(answer.starts_with("HTTP/1.1 422 ") && answer.contains("bad_archive"), "it was read whole: {answer}");
}

#[tokio::test]
async fn bodies_of_people_who_sign_in_are_small() {
    let served = serve(|_| {}).await;
    let long = "x".repeat(65 << 10);
    for path in ["/sign-in", "/api/v1/sign-in", "/api/v1/sign-in/code"] {
        let answer = served.post(path, json!({ "name": long, "password": "x", "code": "x" })).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn body_that_comes_too_slowly_is_refused() {
    let served = serve(|settings| settings.server.body_timeout = std::time::Duration::from_millis(300)).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let head = "Host: a\r\nContent-Type: application/json\r\nContent-Length: 1000";
    let answer = by_hand(&served, &format!("POST /api/v1/sign-in HTTP/1.1\r\n{head}\r\n\r\n{{")).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("too slowly"), "{answer}");
    let put = format!("PUT /api/v1/tasks/{task}/files/slow.txt HTTP/1.1\r\nAuthorization: {admin}\r\n{head}\r\n\r\nx");
    let answer = by_hand(&served, &put).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let path = format!("/api/v1/tasks/{task}/files/slow.txt");
    let (status, _) = served.with(Method::GET, &path, ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing of it is stored");
}

#[tokio::test]
async fn client_that_takes_nothing_is_let_go() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve(|settings| settings.server.write_timeout = std::time::Duration::from_millis(300)).await;
    let mut idle = tokio::net::TcpStream::connect(served.server.address).await.unwrap();
    let ask = b"GET /api/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n";
    // More than the buffers on the way hold: from then on nothing can be written, in either direction, until it ends.
    let ended =
        tokio::time::timeout(std::time::Duration::from_secs(20), async { while idle.write_all(ask).await.is_ok() {} });
    ended.await.expect("a connection whose answers nobody takes ends");
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest).await;
    assert!(rest.starts_with(b"HTTP/1.1 200") || rest.is_empty(), "what was sent before may be read");
    assert_eq!(served.me(("authorization", &served.admin_token())).await, StatusCode::OK, "others are served");
}

#[tokio::test]
async fn token_in_the_cookie_is_no_session() {
    let served = serve(|settings| settings.people.cache_time = std::time::Duration::from_secs(60)).await;
    let admin = served.admin_token();
    assert_eq!(served.me(("authorization", &admin)).await, StatusCode::OK, "now it is remembered");
    let cookie = format!("coderoom_session={}", admin.trim_start_matches("Bearer "));
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::UNAUTHORIZED);
    let session = served.admin_cookie().await;
    assert_eq!(served.me(("cookie", &session)).await, StatusCode::OK, "now it is remembered");
    let token = session.replace("coderoom_session=", "Bearer ");
    assert_eq!(served.me(("authorization", &token)).await, StatusCode::UNAUTHORIZED, "and no key a token");
}

#[tokio::test]
async fn answers_of_the_interface_are_not_kept_by_browsers() {
    let served = serve(|_| {}).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let cached = async |path: &str| {
        let answer = served.http.get(served.url(path)).header("authorization", &admin).send().await.unwrap();
        answer.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
    };
    for path in ["/api/v1/me", "/api/v1/tasks", "/api/v1/nowhere", &format!("/api/v1/tasks/{task}/tree")] {
        assert_eq!(cached(path).await, "no-store", "{path}");
    }
    let file = format!("/api/v1/tasks/{task}/files/run.py");
    assert_eq!(cached(&file).await, "private, no-cache", "has a tag, and is asked for again each time");
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve(|settings| settings.server.max_connections_per_address = 3).await;
    let connect = async || {
        let mut connection = tokio::net::TcpStream::connect(served.server.address).await.unwrap();
        let sent = connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut answer = [0; 64];
        // One that is closed with something unread is reset.
        let read = if sent.is_ok() { connection.read(&mut answer).await.unwrap_or(0) } else { 0 };
        (read > 0).then_some(connection)
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(connect().await.expect("it is served"));
    }
    assert!(connect().await.is_none(), "a fourth is closed without an answer");
    open.pop();
    let again = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while connect().await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    again.await.expect("one that was closed makes room for another");
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_counted_for_it() {
    let served = serve(|settings| {
        settings.server.max_connections_per_address = 1;
        settings.server.trusted_proxies = vec!["127.0.0.1".into()];
    })
    .await;
    let idle = tokio::net::TcpStream::connect(served.server.address).await.unwrap();
    assert_eq!(served.me(("authorization", &served.admin_token())).await, StatusCode::OK);
    drop(idle);
}
