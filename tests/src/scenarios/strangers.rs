//! What strangers and hostile clients get.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    editor::Editor,
    person::Person,
    server::{Deployment, Server},
};

/// A stranger gets 404 for what is not theirs, the same as for what is not there; nobody without a token gets anything.
pub async fn strangers_get_404(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Person::admin(&server);
    let task = admin.create_task("private", "python").await;
    let run = admin.submit(task, None).await;
    admin.wait_for_end(run).await;
    let (stranger, _) = admin.another("stan").await;
    let nowhere = coderoom_protocol::ids::TaskId::new();
    for path in ["", "/tree", "/files/run.py", "/archive", "/runs", "/members"] {
        let (theirs, problem) =
            stranger.try_json(Method::GET, &format!("/api/v1/tasks/{task}{path}"), &Value::Null).await;
        let (missing, same) =
            stranger.try_json(Method::GET, &format!("/api/v1/tasks/{nowhere}{path}"), &Value::Null).await;
        assert_eq!((theirs.as_u16(), missing.as_u16()), (404, 404), "{path}: {problem}");
        assert_eq!(problem, same, "{path}: the answers do not differ");
        let (nobody, _) = stranger
            .with_token("crt_wrong")
            .try_json(Method::GET, &format!("/api/v1/tasks/{task}{path}"), &Value::Null)
            .await;
        assert_eq!(nobody, 401, "{path}");
    }
    for path in ["", "/log", "/snapshot", "/manifest"] {
        let (status, problem) =
            stranger.try_json(Method::GET, &format!("/api/v1/runs/{run}{path}"), &Value::Null).await;
        assert_eq!(status, 404, "{path}: {problem}");
    }
    let listed = stranger.json(Method::GET, "/api/v1/tasks", &Value::Null).await;
    assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(0), "{listed}");
}

/// PostgreSQL has no U+0000 in texts: whoever sends one hears that it is not there, or cannot be, and nothing fails.
pub async fn texts_with_nul_fail_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Person::admin(&server);
    let task = admin.create_task("nul", "python").await;
    let at = |rest: &str| format!("/api/v1/tasks/{task}{rest}");
    for (method, path, body) in [
        (Method::POST, "/api/v1/sign-in".into(), json!({ "name": "a\0b", "password": "x" })),
        (Method::POST, "/api/v1/tokens".into(), json!({ "name": "a", "user": "\0" })),
        (Method::GET, "/api/v1/users?after=%00".into(), Value::Null),
        (Method::GET, "/api/v1/users/%00/usage".into(), Value::Null),
        (Method::DELETE, "/api/v1/sessions/%00".into(), Value::Null),
        (Method::GET, "/api/v1/tasks?search=%00".into(), Value::Null),
        (Method::PUT, at("/members/a%00b"), json!({ "role": "viewer" })),
        (Method::DELETE, at("/members/%00"), Value::Null),
        (Method::POST, at("/transfer"), json!({ "to": "\0" })),
        (Method::DELETE, at("/links/%00"), Value::Null),
        (Method::PATCH, at(""), json!({ "remarks": "a\0" })),
        (Method::POST, at("/links"), json!({ "role": "viewer", "note": "\0" })),
        (Method::POST, at("/runs"), json!({ "command": "a\0" })),
        (Method::POST, at("/runs"), json!({ "command": "a", "remarks": "\0" })),
    ] {
        let (status, said) = admin.try_json(method.clone(), &path, &body).await;
        assert!(status.as_u16() < 500, "{method} {path} {body}: {status} {said}");
    }
}

/// Hostile updates are refused; the same document goes on for everybody else, and the server lives.
pub async fn hostile_updates_harm_nobody(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("hostile", "python").await;
    person.write(task, "notes.txt", "calm").await;
    let mut ana = Editor::open(&person, task, "notes.txt").await;
    let mut mallory = Editor::open(&person, task, "notes.txt").await;
    let nested = {
        // An `Any` of arrays in arrays: 200,000 levels.
        let mut update = vec![1, 1, 9, 0, 8, 1, 6];
        update.extend(b"source");
        update.push(1);
        for _ in 0..200_000 {
            update.extend([117, 1]);
        }
        update.push(127);
        update.push(0);
        update
    };
    let many_clients = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
    let wrapping = vec![1, 2, 9, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let late_clock =
        vec![1, 1, 9, 0xfa, 0xff, 0xff, 0xff, 0x0f, 4, 1, 6, b's', b'o', b'u', b'r', b'c', b'e', 1, b'x', 0];
    let hostile = [nested, many_clients, wrapping, late_clock, vec![], vec![0], vec![0xff; 1000]];
    for update in &hostile {
        mallory.send_update(update).await;
    }
    // A state vector that declares 400 million entries.
    let address = "/notes.txt";
    let vector = [0x80, 0xa8, 0xd6, 0xb9, 0x07];
    let step1 = coderoom_protocol::frame::SyncMessage::Step1(&vector);
    mallory.send_frame(coderoom_protocol::frame::as_client::sync(address, step1)).await;
    ana.append(" and safe").await;
    ana.wait_until_stored().await;
    crate::wait::until(async || {
        let answered = mallory.refused();
        // A late clock looks like a hole, which is answered with a step 1 and a refusal too.
        if answered >= hostile.len() { Ok(()) } else { Err(format!("{answered} of {} refused", hostile.len())) }
    })
    .await;
    assert_eq!(person.read(task, "notes.txt").await, "calm and safe");
    let memory = crate::process::resident_bytes(server.pid());
    assert!(memory < 300 << 20, "the server uses {} MiB", memory >> 20);
}
