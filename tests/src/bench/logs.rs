//! Runs: submit to first line, and a large log to ten followers.

use std::time::{Duration, Instant};

use coderoom_protocol::ids::{RunId, TaskId};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Finding, percentile_ms};
use crate::{
    control,
    person::Person,
    server::{Deployment, Server},
};

/// What a follower looks at.
#[derive(serde::Deserialize)]
struct LogMessage<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    offset: Option<u64>,
    end: Option<u64>,
    size: Option<u64>,
}

/// Follows a run's log over the control channel to its end; calls `first` at the first program output.
/// Gives the bytes received and checks that offsets have no gap and nothing comes twice.
async fn follow(person: &Person, task: TaskId, run: RunId) -> u64 {
    let mut socket = control::open(person, task).await;
    let follow = json!({ "id": "f", "type": "follow", "run": run, "offset": 0 }).to_string();
    socket.send(Message::text(follow)).await.expect("the socket is open");
    let mut next = 0;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        // Only what is compared is taken out: ten readers share the machine with the server.
        let message: LogMessage = serde_json::from_str(&text).expect("JSON");
        match message.kind {
            "log" => {
                assert_eq!(message.offset, Some(next), "no gap and nothing twice");
                next = message.end.expect("an end");
            }
            "log_end" => {
                assert_eq!(message.size, Some(next), "the log is complete");
                return next;
            }
            _ => {}
        }
    }
    panic!("the socket ended before the log did");
}

/// Python hello on an idle machine: from sending `submit` to the first line of the log.
pub async fn submit_to_line() -> Vec<Finding> {
    let server = Server::start(Deployment::Embedded).await;
    let person = Person::admin(&server);
    let task = person.create_task("hello", "python").await;
    person.write(task, "run.py", "print('hello')\n").await;
    let mut socket = control::open(&person, task).await;
    let mut times = Vec::new();
    for round in 0..25 {
        let began = Instant::now();
        socket
            .send(Message::text(json!({ "id": "s", "type": "submit" }).to_string()))
            .await
            .expect("the socket is open");
        let mut run = None;
        loop {
            let Some(Ok(message)) = socket.next().await else { panic!("the socket ended") };
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["type"] == "reply" && message["id"] == "s" {
                assert_eq!(message["ok"], true, "{message}");
                let id = message["result"]["run"]["id"].clone();
                let follow = json!({ "id": "f", "type": "follow", "run": id, "offset": 0 }).to_string();
                socket.send(Message::text(follow)).await.expect("the socket is open");
                run = Some(id);
            }
            if message["type"] == "log" && message["stream"] == "out" && Some(&message["run"]) == run.as_ref() {
                break;
            }
        }
        if round >= 5 {
            times.push(began.elapsed());
        }
        let id: RunId = run.and_then(|id| id.as_str().and_then(|id| id.parse().ok())).expect("the run's id");
        person.wait_for_end(id).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    vec![
        Finding::at_most("submit to first line, Python hello, p50 of 20", percentile_ms(&mut times, 0.5), 150.0, "ms"),
        Finding::at_most("the same, p95", percentile_ms(&mut times, 0.95), 300.0, "ms"),
    ]
}

/// 1,000,000 lines of 100 bytes to ten followers.
pub async fn large_log() -> Vec<Finding> {
    const LINES: u64 = 1_000_000;
    const FOLLOWERS: usize = 10;
    let settings = [("CODEROOM_RUNS_MAX_LOG_SIZE", "200MiB")];
    let server = Server::start_with(Deployment::Embedded, &settings).await;
    let person = Person::admin(&server);
    let task = person.create_task("large log", "python").await;
    let program = format!("import sys\nfor i in range({LINES}):\n    sys.stdout.write(f'{{i:099d}}\\n')\n");
    person.write(task, "run.py", &program).await;
    let began = Instant::now();
    let cpu_before = crate::process::cpu(server.pid());
    let run = person.submit(task, None).await;
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|_| {
            let person = person.clone();
            tokio::spawn(async move { follow(&person, task, run).await })
        })
        .collect();
    for follower in followers {
        assert_eq!(follower.await.expect("a follower"), LINES * 100, "every byte, in order");
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = (crate::process::cpu(server.pid()) - cpu_before).as_secs_f64();
    let megabytes = (LINES * 100) as f64 / 1e6;
    vec![
        Finding::at_least(
            "log of 1,000,000 lines of 100 bytes to 10 followers, complete and in order, wall",
            megabytes / seconds,
            30.0,
            "MB/s",
        ),
        Finding::at_least("the same by CPU of the server", megabytes / cpu, 30.0, "MB per CPU second"),
    ]
}
