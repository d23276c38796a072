//! What no signal from outside can hit: a server that dies between two steps, and machines whose clocks disagree.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cluster::Cluster,
    editor::Editor,
    person::{Person, http_client},
    wait::until,
};

/// Where a server is told to die (see `coderoom_backing::fault_point`), and how.
fn die_at(folder: &Path, point: &str) {
    fs::write(folder.join(point), "").expect("a file");
}

/// Edits are committed and nobody has been told, neither the author nor the other node, when the server dies. The other node
/// finds them by itself, and the author, who sends them again there, does not write them twice.
pub async fn server_killed_between_commit_and_publish_loses_no_edit() {
    let folder = TempDir::with_prefix("coderoom-test-").expect("a folder");
    let cluster = Cluster::new();
    let dying = [("CODEROOM_TEST_DIE_AT", folder.path().to_str().expect("a path"))];
    let (mut left, right) = (cluster.server(&dying).await, cluster.server(&[]).await);
    let (at_left, at_right) = (Person::admin(&left), Person::admin(&right));
    let task = at_left.create_task("between", "python").await;
    at_left.write(task, "notes.txt", "").await;
    let mut ana = Editor::open(&at_left, task, "notes.txt").await;
    let bo = Editor::open(&at_right, task, "notes.txt").await;
    ana.append("before ").await;
    ana.wait_until_stored().await;
    bo.wait_for_text("what was acknowledged arrives", |text| text == "before ").await;

    let acknowledged = ana.stored();
    die_at(folder.path(), "edits-stored");
    ana.append("last ").await;
    until(async || if ana.ended() { Ok(()) } else { Err("the server still lives") }).await;
    assert_eq!(ana.stored(), acknowledged, "nobody was told that the edit is stored");
    bo.wait_for_text("the other node finds it by itself", |text| text == "before last ").await;
    ana.move_to(&at_right).await;
    ana.append("after").await;
    ana.wait_until_stored().await;
    bo.wait_for_text("everything is there once", |text| text == "before last after").await;
    left.kill();
    left.start_again().await;
    for person in [&at_left, &at_right] {
        assert_eq!(person.read(task, "notes.txt").await, "before last after");
    }
}

/// A run and its entry in the outbox are committed, and the server dies before it rings: the run runs.
pub async fn server_killed_between_commit_and_doorbell_loses_no_run() {
    let folder = TempDir::with_prefix("coderoom-test-").expect("a folder");
    let cluster = Cluster::new();
    let settings = [("CODEROOM_TEST_DIE_AT", folder.path().to_str().expect("a path")), ("CODEROOM_RUNS_SLOTS", "0")];
    let (left, right) = (cluster.server(&settings).await, cluster.server(&[]).await);
    let (at_left, at_right) = (Person::admin(&left), Person::admin(&right));
    let task = at_left.create_task("between", "python").await;
    die_at(folder.path(), "run-stored");
    let path = format!("/api/v1/tasks/{task}/runs");
    let submit = http_client().post(format!("{}{path}", at_left.url)).bearer_auth(&at_left.token);
    let answer = submit.json(&json!({ "command": "echo here I am" })).send().await;
    assert!(answer.is_err(), "the server dies before it answers: {answer:?}");
    let runs = at_right.json(Method::GET, &path, &Value::Null).await;
    let run = runs["runs"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("the run is stored");
    let ended = at_right.wait_for_end(run).await;
    assert_eq!(ended["state"], 3, "{ended}");
    assert_eq!(at_right.log(run).await, b"here I am\n");
}

/// One server is five minutes ahead and the worker five behind: people are let in, edits meet, and a run goes its way.
pub async fn clocks_five_minutes_off_change_nothing() {
    let cluster = Cluster::new();
    let clock = |offset| ("CODEROOM_TEST_CLOCK_OFFSET_MS", offset);
    let no_runs = ("CODEROOM_RUNS_SLOTS", "0");
    let (right, ahead) = (cluster.server(&[no_runs]).await, cluster.server(&[no_runs, clock("300000")]).await);
    let behind = cluster.worker(&[clock("-300000")]).await;
    let (admin, admin_ahead) = (Person::admin(&right), Person::admin(&ahead));
    // Made by the clock that is ahead, used by the one that is right, and the other way round.
    let (ana, ana_id) = admin_ahead.another("ana").await;
    let (bo, bo_id) = admin.another("bo").await;
    let (ana, bo) = (ana.at(&right), bo.at(&ahead));
    let task = admin.create_task("clocks", "python").await;
    for id in [ana_id, bo_id] {
        let member = format!("/api/v1/tasks/{task}/members/{id}");
        admin_ahead.json(Method::PUT, &member, &json!({ "role": "editor" })).await;
    }
    ana.write(task, "notes.txt", "").await;
    let mut one = Editor::open(&ana, task, "notes.txt").await;
    let mut other = Editor::open(&bo, task, "notes.txt").await;
    for turn in 0..20 {
        one.append(&format!("<a{turn}>")).await;
        other.append(&format!("<b{turn}>")).await;
    }
    one.wait_until_stored().await;
    other.wait_until_stored().await;
    until(async || {
        let texts = [one.text(), other.text()];
        let whole = texts[0].matches('<').count() == 40;
        if whole && texts[0] == texts[1] { Ok(()) } else { Err(format!("{texts:?}")) }
    })
    .await;
    for person in [&ana, &bo] {
        let run = person.submit(task, Some("echo begun; sleep 1; echo ended")).await;
        let ended = admin.wait_for_end(run).await;
        assert_eq!(ended["state"], 3, "{ended}\n{}", behind.log());
        let times = ["submitted_at", "started_at", "ended_at"].map(|name| ended[name].as_i64().unwrap_or_default());
        assert!(times[1] <= times[2], "it ends after its start, whoever looked at which clock: {times:?}");
        assert_eq!(admin.log(run).await, b"begun\nended\n");
    }
    let run = ana.submit(task, Some("echo begun; exec sleep 300")).await;
    until(async || if bo.log(run).await == b"begun\n" { Ok(()) } else { Err("it has not begun") }).await;
    bo.json(Method::POST, &format!("/api/v1/runs/{run}/stop"), &Value::Null).await;
    assert_eq!(admin.wait_for_end(run).await["reason"], "stopped_by");
}
