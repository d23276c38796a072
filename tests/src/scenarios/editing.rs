//! People editing together.

use reqwest::Method;
use serde_json::json;

use crate::{
    editor::Editor,
    person::Person,
    server::{Deployment, Server},
    wait::until,
};

/// Two people type into one file and end with the same text, which HTTP reads too.
pub async fn two_people_converge(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("together", "python").await;
    person.write(task, "notes.txt", "").await;
    let mut ana = Editor::open(&person, task, "notes.txt").await;
    let mut bo = Editor::open(&person, task, "notes.txt").await;
    for turn in 0..50 {
        ana.insert(0, &format!("a{turn} ")).await;
        bo.append(&format!(" b{turn} 你😀")).await;
    }
    ana.wait_until_stored().await;
    bo.wait_until_stored().await;
    until(async || {
        let (left, right) = (ana.text(), bo.text());
        let whole = left.matches('a').count() == 50 && left.matches('b').count() == 50;
        if left == right && whole {
            Ok(())
        } else {
            Err(format!("texts differ or are not whole: {left:?} / {right:?}"))
        }
    })
    .await;
    assert_eq!(person.read(task, "notes.txt").await, ana.text(), "HTTP reads what editors see");
}

/// Text written over HTTP reaches an open editor as a small edit, and a rename keeps the document.
pub async fn http_writes_reach_editors(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("both doors", "python").await;
    person.write(task, "说明.txt", "one\r\ntwo\r\n").await;
    let mut ana = Editor::open(&person, task, "说明.txt").await;
    ana.append("three").await;
    ana.wait_until_stored().await;
    person.write(task, "说明.txt", "one\r\n2\r\nthree").await;
    ana.wait_for_text("the editor sees the write", |text| text == "one\r\n2\r\nthree").await;
    let moved = json!({ "from": "说明.txt", "to": "docs/说明.md" });
    person.json(Method::POST, &format!("/api/v1/tasks/{task}/move"), &moved).await;
    ana.append("!").await;
    ana.wait_until_stored().await;
    assert_eq!(person.read(task, "docs/说明.md").await, "one\r\n2\r\nthree!");
}

/// A viewer sees everything and changes nothing; its edits are refused and it knows.
pub async fn viewer_changes_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Person::admin(&server);
    let task = admin.create_task("read only", "python").await;
    let (viewer, id) = admin.another("vera").await;
    let member = format!("/api/v1/tasks/{task}/members/{id}");
    admin.json(Method::PUT, &member, &json!({ "role": "viewer" })).await;
    let before = admin.read(task, "run.py").await;
    let mut vera = Editor::open(&viewer, task, "run.py").await;
    assert!(vera.readonly(), "the server says readonly");
    vera.append("# was here").await;
    until(async || if vera.refused() > 0 { Ok(()) } else { Err("no refusal came") }).await;
    assert_eq!(admin.read(task, "run.py").await, before);
    let (status, problem) = viewer.try_json(Method::POST, &format!("/api/v1/tasks/{task}/runs"), &json!({})).await;
    assert_eq!(status, 403, "{problem}");
    assert_eq!(problem["code"], "not_allowed");
}
