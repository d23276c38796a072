//! `coderoom tail`, `coderoom task import` and `coderoom admin …`, as somebody at a terminal has them; and what only they and
//! the routes behind them do.

use std::process::{Command, Output};

use futures_util::{StreamExt as _, stream};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    person::Person,
    server::{ADMIN_TOKEN, Deployment, Server, binaries},
};

/// Runs `coderoom` with these words at a server, as its administrator.
async fn coderoom(server: &Server, words: &[&str]) -> Output {
    let mut command = Command::new(binaries().join("coderoom"));
    command.args(words).args(["--server", &server.url(), "--token", ADMIN_TOKEN]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the command ends");
    output.expect("the command starts")
}

/// What it prints, which must succeed.
async fn printed(server: &Server, words: &[&str]) -> String {
    let output = coderoom(server, words).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// One JSON value a line.
async fn lines(server: &Server, words: &[&str]) -> Vec<Value> {
    printed(server, words).await.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// `coderoom tail` prints a run's log from its beginning to its end, while it runs and afterwards, and ends as the run did.
pub async fn tail_prints_a_run_to_its_end(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("tail", "python").await;
    let program = "echo first; echo wrong >&2; sleep 1; echo 最后; exit 3";
    let run = person.submit(task, Some(program)).await.to_string();
    for when in ["while it runs", "afterwards"] {
        let output = coderoom(&server, &["tail", &run]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "first\n最后\n", "{when}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("wrong"), "{when}: standard error apart");
        assert_eq!(output.status.code(), Some(3), "{when}");
    }
    let nothing = coderoom(&server, &["tail", &coderoom_protocol::ids::RunId::new().to_string()]).await;
    assert_eq!(nothing.status.code(), Some(125), "a failure of our own");
}

/// On a terminal `coderoom tail` shows what a terminal would obey, but for colours; with `--raw`, and into a pipe, it is as the
/// program wrote it.
pub async fn tail_keeps_escapes_from_a_terminal(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("escapes", "python").await;
    let program = r"printf '\033]0;title\007\033[31mred\033[0m \033[2J'; printf '\033['; sleep 0.3; printf '6n.\n'";
    let run = person.submit(task, Some(program)).await;
    person.wait_for_end(run).await;
    let written = "\x1b]0;title\x07\x1b[31mred\x1b[0m \x1b[2J\x1b[6n.\n";
    let at_terminal = async |flags: &str| {
        let coderoom = binaries().join("coderoom");
        let line = format!("{} tail {run} {flags} --server {} --token {ADMIN_TOKEN}", coderoom.display(), server.url());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the command ends");
        String::from_utf8(output.expect("script starts").stdout).expect("text").replace("\r\n", "\n")
    };
    let shown = at_terminal("").await;
    assert!(shown.contains("^[]0;title^G\x1b[31mred\x1b[0m ^[[2J^[[6n.\n"), "{shown:?}");
    let raw = at_terminal("--raw").await;
    assert!(raw.contains(written), "{raw:?}");
    assert_eq!(printed(&server, &["tail", &run.to_string()]).await, written);
}

/// `coderoom task import` makes a task of a folder, with its files, name and language, and prints the task's id.
pub async fn task_import_makes_a_task_of_a_folder(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("lib")).expect("a folder");
    std::fs::write(at("run.R"), "cat('hello\\n')\n").expect("written");
    std::fs::write(at("run.sh"), "exec Rscript run.R\n").expect("written");
    std::fs::write(at("lib/数据.bin"), [0xff, 0, 1]).expect("written");
    let path = folder.path().to_str().expect("a path of text").to_owned();
    let id = printed(&server, &["task", "import", &path, "--name", "a name of its own"]).await;
    let person = Person::admin(&server);
    let task = person.json(Method::GET, &format!("/api/v1/tasks/{}", id.trim()), &Value::Null).await;
    assert_eq!((&task["name"], &task["language"]), (&json!("a name of its own"), &json!("r")), "{task}");
    let read = async |path: &str| {
        let answer = person.send(Method::GET, &format!("/api/v1/tasks/{}/files/{path}", id.trim())).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.expect("the content").to_vec()
    };
    assert_eq!(read("run.R").await, b"cat('hello\\n')\n");
    assert_eq!(read("lib/数据.bin").await, [0xff, 0, 1]);
    let missing = coderoom(&server, &["task", "import", "/no/such/folder"]).await;
    assert_eq!(missing.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such/folder is not a folder"));
}

/// More users than the server gives at once.
const MANY: usize = 1_010;

/// `coderoom admin users` shows all users, however many, and those whose names have spaces and letters of any kind can be
/// worked on by name; a name that would lead elsewhere does not.
pub async fn administrators_reach_every_user_by_name(deployment: Deployment) {
    let server = Server::start_with(deployment, &[("CODEROOM_LIMITS_REQUESTS_PER_USER", "100000")]).await;
    let admin = Person::admin(&server);
    let made = lines(&server, &["admin", "create-user", "Zoë B & 王"]).await;
    assert!(made[0]["url"].as_str().is_some_and(|url| url.contains("code=")), "{made:?}");
    stream::iter(0..MANY)
        .for_each_concurrent(8, |number| {
            let admin = &admin;
            async move {
                admin.json(Method::POST, "/api/v1/users", &json!({ "name": format!("user & {number}") })).await;
            }
        })
        .await;
    let users = lines(&server, &["admin", "users"]).await;
    let mut names: Vec<_> = users.iter().filter_map(|user| user["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    // Those, Zoë, and the administrator who was there before.
    assert_eq!((users.len(), names.len()), (MANY + 2, MANY + 2), "each once");
    let usage = lines(&server, &["admin", "usage", "Zoë B & 王"]).await;
    assert_eq!(usage[0]["tasks"], 0, "{usage:?}");
    let suspended = lines(&server, &["admin", "suspend", "zoë b & 王"]).await;
    assert!(suspended[0]["suspended_at"].is_number(), "{suspended:?}");
    printed(&server, &["admin", "resume", "Zoë B & 王"]).await;
    for elsewhere in ["../admin/runs?", "user & 1/../user & 2", "..", "user & 1#", "%2e%2e"] {
        let output = coderoom(&server, &["admin", "suspend", elsewhere]).await;
        assert_eq!(output.status.code(), Some(125), "{elsewhere} is nobody");
    }
    let users = lines(&server, &["admin", "users"]).await;
    assert!(users.iter().all(|user| user["suspended_at"].is_null()), "nobody else was suspended");
}

/// `coderoom admin runs` shows what runs, `stop` ends it, `audit` tells of it, and `drain` ends the node in order.
pub async fn administrators_see_stop_and_drain(deployment: Deployment) {
    let mut server = Server::start(deployment).await;
    let (owner, _) = Person::admin(&server).another("owner").await;
    let task = owner.create_task("long", "python").await;
    assert!(lines(&server, &["admin", "runs"]).await.is_empty(), "nothing runs yet");
    let run = owner.submit(task, Some("sleep 100")).await;
    owner.wait_for_state(run, &[2]).await;
    let runs = lines(&server, &["admin", "runs"]).await;
    assert_eq!((runs.len(), &runs[0]["id"]), (1, &json!(run)), "{runs:?}");
    let usage = lines(&server, &["admin", "usage", "owner"]).await;
    assert_eq!((&usage[0]["unfinished_runs"], &usage[0]["tasks"]), (&json!(1), &json!(1)), "{usage:?}");
    printed(&server, &["admin", "stop", &run.to_string()]).await;
    assert_eq!(owner.wait_for_end(run).await["state"], 5);
    let audit = lines(&server, &["admin", "audit", "--task", &task.to_string()]).await;
    assert_eq!(audit[0]["action"], "stop", "{audit:?}");
    printed(&server, &["admin", "drain"]).await;
    assert_eq!(server.wait_for_end().await, Some(0), "a drained node ends well; log:\n{}", server.log());
    server.start_again().await;
    let refused = owner.send(Method::POST, "/api/v1/admin/drain").await;
    assert_eq!(refused.status(), 403, "administrators only");
    let other = json!({ "node": "another" });
    let (status, said) = Person::admin(&server).try_json(Method::POST, "/api/v1/admin/drain", &other).await;
    assert_eq!(status, 422, "{said}");
    let (status, _) =
        Person::admin(&server).try_json(Method::POST, "/api/v1/admin/drain", &json!({ "node": "this" })).await;
    assert_eq!(status, 202);
    assert_eq!(server.wait_for_end().await, Some(0), "log:\n{}", server.log());
}

/// Who has as many unfinished runs as one may, or whose runs of a day wrote as much as they may, is refused another and told
/// when to come again.
pub async fn refused_runs_say_when_to_come_again(deployment: Deployment) {
    let settings = [("CODEROOM_LIMITS_MAX_LOGS_PER_USER", "10"), ("CODEROOM_RUNS_MAX_UNFINISHED_PER_USER", "1")];
    let server = Server::start_with(deployment, &settings).await;
    let (owner, _) = Person::admin(&server).another("owner").await;
    let (task, other) = (owner.create_task("one", "python").await, owner.create_task("other", "python").await);
    let run = owner.submit(task, Some("printf 0123456789abcdef; sleep 60")).await;
    let refused = async || {
        let answer = owner.send_bytes(Method::POST, &format!("/api/v1/tasks/{other}/runs"), "{}").await;
        let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        let (status, said): (_, Value) = (answer.status(), answer.json().await.expect("a problem"));
        assert_eq!((status.as_u16(), said["code"].as_str()), (429, Some("too_many_runs")), "{said}");
        (wait.expect("when to come again"), said["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (wait, why) = refused().await;
    assert!((1..=60).contains(&wait) && why.contains("unfinished"), "{wait} {why}");
    owner.json(Method::POST, &format!("/api/v1/runs/{run}/stop"), &Value::Null).await;
    owner.wait_for_end(run).await;
    let (wait, why) = refused().await;
    assert!(wait >= 60 && why.contains("16 bytes of logs"), "{wait} {why}");
}
