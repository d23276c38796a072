//! The HTTP routes of runs and logs. The runs are real; where the program `coderoom-supervisor` was not built, what needs
//! it is skipped and says so.

use std::{
    io::{Cursor, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use zip::ZipArchive;

use super::web::{Person, Site};

/// What the test program prints: text of several bytes a character, and bytes that are no text.
const PRINTS: &str = "printf 'one\\n数据\\n\\377end\\n'";
const PRINTED: &[u8] = b"one\n\xe6\x95\xb0\xe6\x8d\xae\n\xffend\n";

/// The supervisor beside the server's program, if it was built.
pub(crate) fn supervisor() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_coderoom")).with_file_name("coderoom-supervisor");
    path.exists().then_some(path)
}

fn can_run() -> bool {
    let can = supervisor().is_some();
    if !can {
        eprintln!("skipped: coderoom-supervisor is not built; build the workspace first");
    }
    can
}

impl Person<'_> {
    /// Submits a command; gives the path of the run's routes.
    async fn submit(&self, task: &str, command: &str) -> String {
        let submitted = self.post(&format!("{task}/runs"), &json!({ "command": command, "remarks": "try" })).await;
        assert_eq!(submitted.status, StatusCode::CREATED, "{submitted:?}");
        format!("/api/v1/runs/{}", submitted.json()["run"]["id"].as_str().unwrap())
    }

    async fn ended(&self, run: &str) -> Value {
        for _ in 0..600 {
            let now = self.get(run).await.json();
            if now["state"].as_u64().unwrap() > 2 {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the run did not end within 30 s: {:?}", self.get(run).await.json());
    }
}

#[tokio::test]
async fn run_is_submitted_listed_stopped_and_run_again() {
    if !can_run() {
        return;
    }
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    ada.put(&format!("{task}/files/data.bin"), vec![0xff; 20_000]).await;
    let first = ada.submit(&task, "mkdir -p output; cp data.bin output/; echo done").await;
    let ended = ada.ended(&first).await;
    assert_eq!((ended["state"].as_u64(), ended["remarks"].as_str()), (Some(3), Some("try")), "{ended}");
    let stopped = ada.send(Method::POST, &format!("{first}/stop"), &[], "").await;
    assert_eq!(stopped.json()["state"], 3, "a finished run is given back as it is");

    let files = ada.get(&format!("{first}/manifest")).await.json();
    let paths: Vec<_> = files["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["data.bin", "run.py", "run.sh"]);
    let python = ada.get(&format!("{task}/files/run.py")).await.body;
    ada.put(&format!("{task}/files/run.py"), "changed since").await;
    let snapshot = ada.get(&format!("{first}/snapshot")).await;
    assert!(snapshot.header(header::CONTENT_DISPOSITION).contains("run-1.zip"));
    let mut zip = ZipArchive::new(Cursor::new(snapshot.body)).unwrap();
    assert_eq!(read(&mut zip, "run.py"), python, "as it was frozen");
    assert_eq!(read(&mut zip, "data.bin"), vec![0xff; 20_000]);
    let output = ada.get(&format!("{first}/output")).await;
    assert_eq!(output.status, StatusCode::OK, "{output:?}");
    let mut zip = ZipArchive::new(Cursor::new(output.body)).unwrap();
    assert_eq!(zip.len(), 1, "{:?}", zip.by_index(0).map(|file| file.name().unwrap().into_owned()));

    let again = ada.send(Method::POST, &format!("{first}/rerun"), &[], "").await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    let second = format!("/api/v1/runs/{}", again.json()["run"]["id"].as_str().unwrap());
    ada.ended(&second).await;
    let long = ada.submit(&task, "sleep 60").await;
    ada.post(&format!("{task}/runs"), &json!({})).await.is_problem("run_active");
    ada.get(&format!("{long}/output")).await.is_problem("not_found");
    let stop = ada.send(Method::POST, &format!("{long}/stop"), &[], "").await;
    assert_eq!(stop.status, StatusCode::OK);
    assert_eq!(ada.ended(&long).await["state"], 5);

    let page = ada.get(&format!("{task}/runs?limit=2")).await.json();
    let numbers = |page: &Value| {
        page["runs"].as_array().unwrap().iter().map(|run| run["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&page), [3, 2]);
    let rest = ada.get(&format!("{task}/runs?limit=2&cursor={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((numbers(&rest), &rest["next"]), (vec![1], &Value::Null));
    assert_eq!(ada.get("/api/v1/tasks?state=5").await.json()["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(ada.get(&task).await.json()["newest_run"]["number"], 3);

    let eve = site.person("eve").await;
    for path in ["", "/log", "/log?follow=true", "/output", "/snapshot", "/manifest"] {
        eve.get(&format!("{first}{path}")).await.is_problem("not_found");
    }
    assert_eq!(ada.send(Method::DELETE, &task, &[], "").await.status, StatusCode::NO_CONTENT);
    ada.get(&first).await.is_problem("not_found");
}

#[tokio::test]
async fn log_is_read_whole_and_by_range() {
    if !can_run() {
        return;
    }
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    let run = ada.submit(&task, PRINTS).await;
    ada.ended(&run).await;
    let log = format!("{run}/log");
    let whole = ada.get(&log).await;
    assert_eq!(whole.body, PRINTED);
    assert_eq!(whole.header("coderoom-log-complete"), "true");
    assert_eq!(whole.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    let tag = whole.header(header::ETAG);
    assert_eq!(ada.send(Method::GET, &log, &[("if-none-match", tag)], "").await.status, 304);
    let size = PRINTED.len();
    for (range, from, to) in
        [("bytes=0-2", 0, 2), ("bytes=4-", 4, size - 1), ("bytes=-4", size - 4, size - 1), ("bytes=2-999", 2, size - 1)]
    {
        let part = ada.send(Method::GET, &log, &[("range", range)], "").await;
        assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &PRINTED[from..=to]), "{range}");
        assert_eq!(part.header(header::CONTENT_RANGE), format!("bytes {from}-{to}/{size}"));
    }
    let outside = ada.send(Method::GET, &log, &[("range", "bytes=999-")], "").await;
    outside.is_problem("range_not_satisfiable");
    assert_eq!(outside.header(header::CONTENT_RANGE), format!("bytes */{size}"));
    let changed = ada.send(Method::GET, &log, &[("range", "bytes=0-0"), ("if-range", "\"other\"")], "").await;
    assert_eq!((changed.status, changed.body.len()), (StatusCode::OK, size));
    let head = ada.send(Method::HEAD, &log, &[], "").await;
    assert_eq!((head.header(header::CONTENT_LENGTH), head.body.len()), (size.to_string().as_str(), 0));
}

#[tokio::test]
async fn log_is_followed_and_resumed() {
    if !can_run() {
        return;
    }
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    let run = ada.submit(&task, &format!("echo first; sleep 0.3; {PRINTS}")).await;
    // The answer ends with the log: it was followed while it grew.
    let followed = ada.send(Method::GET, &format!("{run}/log"), &[("accept", "text/event-stream")], "").await;
    assert_eq!(followed.header(header::CONTENT_TYPE), "text/event-stream");
    let events = events(&followed.body);
    let whole = [b"first\n", PRINTED].concat();
    assert_eq!(log_of(&events), whole);
    let (name, id, end) = events.last().unwrap();
    assert_eq!((name.as_str(), end["size"].as_u64()), ("log_end", Some(whole.len() as u64)));
    // A token in the query serves pages, which can send no header.
    let nobody = Person { site: &site, token: None };
    let token = ada.token.as_deref().unwrap();
    let resumed =
        nobody.send(Method::GET, &format!("{run}/log?follow=true&token={token}"), &[("last-event-id", "6")], "").await;
    assert_eq!(log_of(&self::events(&resumed.body)), PRINTED);
    let from_offset = ada.get(&format!("{run}/log?follow=true&offset=8")).await;
    assert_eq!(log_of(&self::events(&from_offset.body)), &whole[8..]);
    let again = ada.send(Method::GET, &format!("{run}/log?follow=true"), &[("last-event-id", id)], "").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT, "who had the end is told to leave it");
}

/// (name, id, data) of each event.
fn events(body: &[u8]) -> Vec<(String, String, Value)> {
    let text = std::str::from_utf8(body).unwrap();
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start));
        line.unwrap_or_default().to_owned()
    };
    let events = text.split("\n\n").filter(|event| event.contains("data:"));
    events
        .map(|event| (field(event, "event"), field(event, "id"), serde_json::from_str(&field(event, "data")).unwrap()))
        .collect()
}

/// The bytes of the log that events carry, checked for gaps.
fn log_of(events: &[(String, String, Value)]) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut bytes = Vec::new();
    let mut next = None;
    for (_, id, data) in events.iter().filter(|(name, ..)| name == "log") {
        assert!(next.is_none_or(|next| data["offset"] == next), "a gap before {data}");
        next = Some(data["end"].as_u64().unwrap());
        assert_eq!(*id, data["end"].to_string());
        match data["base64"].as_str() {
            Some(exact) => bytes.extend(STANDARD.decode(exact).unwrap()),
            None => bytes.extend(data["text"].as_str().unwrap().bytes()),
        }
    }
    bytes
}

fn read(zip: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}
