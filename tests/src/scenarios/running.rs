//! Runs seen from outside.

use std::{path::Path, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    person::Person,
    server::{ADMIN_TOKEN, Deployment, Server, binaries},
};

/// A new task of each language runs as it is made.
pub async fn default_tasks_run(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    for (language, interpreter) in [("python", "python3"), ("r", "Rscript"), ("scala", "scalac")] {
        let is_there = Path::new("/usr/bin").join(interpreter).exists();
        assert!(is_there, "{interpreter} is not installed: run `scripts/install test`");
        let task = person.create_task(language, language).await;
        let run = person.submit(task, None).await;
        let ended = person.wait_for_end(run).await;
        let log = String::from_utf8_lossy(&person.log(run).await).into_owned();
        assert_eq!(ended["state"], 3, "{language}: {ended}\n{log}");
        assert!(!log.trim().is_empty(), "{language} prints something");
    }
}

/// Of two submits at once one wins, the other is told that a run is active.
pub async fn two_submits_at_once(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("twice", "python").await;
    let path = format!("/api/v1/tasks/{task}/runs");
    let body = json!({ "command": "sleep 1" });
    let (left, right) =
        tokio::join!(person.try_json(Method::POST, &path, &body), person.try_json(Method::POST, &path, &body),);
    let (won, lost) = if left.0.is_success() { (left, right) } else { (right, left) };
    assert!(won.0.is_success(), "{won:?}");
    assert_eq!(lost.0, 409, "{lost:?}");
    assert_eq!(lost.1["code"], "run_active");
}

/// Stop works on a queued and on a running run, within a second, and may be said twice.
pub async fn stop_in_every_state(deployment: Deployment) {
    let server = Server::start_with(deployment, &[("CODEROOM_RUNS_SLOTS", "1")]).await;
    let admin = Person::admin(&server);
    let (other, id) = admin.another("olga").await;
    let task = admin.create_task("stop", "python").await;
    admin.json(Method::PUT, &format!("/api/v1/tasks/{task}/members/{id}"), &json!({ "role": "editor" })).await;
    let running = admin.submit(task, Some("echo began; sleep 60")).await;
    admin.wait_for_state(running, &[2]).await;
    let queued = other.submit(task, Some("echo never")).await;
    let now = other.run(queued).await;
    assert_eq!((now["state"].as_u64(), now["queue_position"].as_u64()), (Some(1), Some(1)), "{now}");

    let stop = |run| format!("/api/v1/runs/{run}/stop");
    let stopped = other.json(Method::POST, &stop(queued), &json!(null)).await;
    assert_eq!(stopped["state"], 5, "{stopped}");

    crate::wait::until(async || {
        let log = admin.log(running).await;
        if log == b"began\n" { Ok(()) } else { Err(format!("log is {:?}", String::from_utf8_lossy(&log))) }
    })
    .await;
    let began = std::time::Instant::now();
    admin.json(Method::POST, &stop(running), &json!(null)).await;
    let ended = admin.wait_for_end(running).await;
    assert!(began.elapsed().as_millis() < 1_500, "stopping took {:?}", began.elapsed());
    assert_eq!((ended["state"].as_u64(), ended["reason"].as_str()), (Some(5), Some("stopped_by")), "{ended}");
    assert_eq!(admin.log(running).await, b"began\n", "the log is kept");
    let again = admin.json(Method::POST, &stop(running), &json!(null)).await;
    assert_eq!(again["state"], 5, "stopping a finished run changes nothing");
}

/// `coderoom run` makes a task of a folder, prints the program's output and ends with its exit code.
pub async fn command_line_runs_a_folder(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(
        folder.path().join("run.py"),
        "import sys\nprint('out 你好')\nprint('err', file=sys.stderr)\nsys.exit(7)\n",
    )
    .expect("written");
    std::fs::write(folder.path().join("run.sh"), "exec python3 run.py\n").expect("written");
    for _ in 0..2 {
        let url = server.url();
        let folder = folder.path().to_owned();
        let output = tokio::task::spawn_blocking(move || {
            Command::new(binaries().join("coderoom"))
                .args(["run", "--server", &url, "--token", ADMIN_TOKEN])
                .arg(&folder)
                .output()
        })
        .await
        .expect("the command ends")
        .expect("the command starts");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "out 你好\n",
            "stderr: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(String::from_utf8_lossy(&output.stderr).contains("err"), "standard error goes to standard error");
        assert_eq!(output.status.code(), Some(7));
    }
    let tasks = Person::admin(&server).json(Method::GET, "/api/v1/tasks", &json!(null)).await;
    assert_eq!(tasks["tasks"].as_array().map(Vec::len), Some(1), "the second time updates the same task: {tasks}");
}

/// What somebody runs ends within a second when they are suspended, with the reason, and the audit log says so.
pub async fn suspension_ends_what_somebody_runs(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Person::admin(&server);
    let (owner, id) = admin.another("owner").await;
    let task = owner.create_task("long", "python").await;
    let run = owner.submit(task, Some("echo began; sleep 100")).await;
    crate::wait::until(async || match owner.log(run).await.as_slice() {
        b"began\n" => Ok(()),
        log => Err(format!("log is {:?}", String::from_utf8_lossy(log))),
    })
    .await;
    let began = std::time::Instant::now();
    admin.json(Method::POST, &format!("/api/v1/users/{id}/suspend"), &Value::Null).await;
    let ended = admin.wait_for_end(run).await;
    // A second on an idle machine, and far less than the program has when it does not listen.
    assert!(began.elapsed().as_millis() < 4_000, "stopping took {:?}", began.elapsed());
    assert_eq!((&ended["state"], &ended["reason"]), (&json!(5), &json!("stopped_by")), "{ended}");
    assert_eq!(ended["message"], "Stopped by admin. Whoever submitted it was suspended.");
    let audit = admin.json(Method::GET, &format!("/api/v1/tasks/{task}/audit"), &Value::Null).await;
    let newest = &audit["lines"][0];
    assert_eq!((&newest["action"], &newest["user_name"]), (&json!("stop"), &json!("admin")), "{audit}");
    assert_eq!(newest["detail"], format!("{run}, since owner was suspended"));
}

/// What a run leaves in `output/` counts as storage of who made its task, whoever runs it.
pub async fn outputs_count_as_storage(deployment: Deployment) {
    let settings = [("CODEROOM_LIMITS_MAX_STORAGE_PER_USER", "20KiB")];
    let server = Server::start_with(deployment, &settings).await;
    let admin = Person::admin(&server);
    let (owner, id) = admin.another("owner").await;
    let task = owner.create_task("output", "python").await;
    let usage = async || {
        let usage = admin.json(Method::GET, &format!("/api/v1/users/{id}/usage"), &Value::Null).await;
        usage["storage_bytes"].as_u64().expect("a number")
    };
    let before = usage().await;
    let command = "mkdir output && head -c 15000 /dev/urandom > output/noise";
    let kept = admin.submit(task, Some(command)).await;
    assert_eq!(admin.wait_for_end(kept).await["has_output"], true);
    let after = usage().await;
    assert!((before + 15_000..20 << 10).contains(&after), "{before} {after}");
    let lost = owner.submit(task, Some(command)).await;
    let lost = owner.wait_for_end(lost).await;
    assert_eq!((&lost["state"], &lost["has_output"]), (&json!(3), &json!(false)), "{lost}");
    assert!(lost["message"].as_str().is_some_and(|said| said.contains("was not kept")), "{lost}");
    assert_eq!(usage().await, after);
    owner.send_bytes(Method::PUT, &format!("/api/v1/tasks/{task}/files/more.bin"), vec![0; 6000]).await;
    let refused = owner.send_bytes(Method::PUT, &format!("/api/v1/tasks/{task}/files/last.bin"), vec![0; 10]).await;
    assert_eq!(refused.status(), 409, "what outputs take is not there for files");
}
