//! Sends a recording's requests to a fresh simulator, each as soon as the watches show what the recording had seen by then.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use coderoom_tests::kubernetes::{Simulator, options::Options};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    compare::{differences, shape_differences},
    deviations::is_known,
    digest::digest,
    normal::normal,
};

/// Which recording, and what is done differently.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) file: &'static str,
    /// Replaced in commands, to be quicker than the recording was.
    pub(crate) rewrite: (&'static str, &'static str),
    /// Evict the pod once it runs.
    pub(crate) evict: bool,
    /// Kill the pod for memory once it runs, where no memory limit can be set.
    pub(crate) out_of_memory: bool,
    /// Wait before a deletion although nothing runs: an event is still to come.
    pub(crate) lingers: bool,
    /// With the delays of a real cluster instead of a tenth of them: the recorder asked within one of them.
    pub(crate) true_delays: bool,
    /// Longest pause between requests that is kept, in seconds.
    pub(crate) longest_wait_seconds: u64,
}

/// How long a step of a recording may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

type Seen = Arc<Mutex<Vec<Value>>>;

struct Session {
    simulator: Simulator,
    http: reqwest::Client,
    account_token: String,
    file: &'static str,
    /// Stream → events as they came.
    streams: HashMap<String, Seen>,
    /// Pod names: recorded → ours.
    pods: HashMap<String, String>,
    found: Vec<String>,
}

/// Replays one recording; fails with all that differs.
pub(crate) async fn replay(replay: Replay) {
    let path = format!("{}/kubernetes/transcripts/{}.jsonl", env!("CARGO_MANIFEST_DIR"), replay.file);
    let text = std::fs::read_to_string(&path).expect(&path);
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let mut session = Session::start(&replay).await;
    for (at, record) in records.iter().enumerate() {
        if record["kind"] != "request" {
            continue;
        }
        let path = record["path"].as_str().unwrap_or_default().to_owned();
        if path.contains("watch=true") {
            session.await_first_object(&records, record).await;
            session.open_watch(record, &path).await;
        } else if record["stream"].is_string() {
            session.reach(&records, at).await;
            let path = session.ours(&path);
            let _ = session.open(&path, true, record).await;
        } else {
            session.reach(&records, at).await;
            if record["method"] == "DELETE" && (replay.lingers || session.simulator.running_containers() > 0) {
                // Programs need a moment to set their handlers.
                sleep(Duration::from_millis(400)).await;
            }
            if replay.longest_wait_seconds > 0
                && records.get(at.saturating_sub(1)).is_some_and(|before| before["kind"] == "note")
            {
                sleep(Duration::from_secs(replay.longest_wait_seconds)).await;
            }
            session.send(&records, at, record, &replay).await;
            if (replay.out_of_memory || replay.evict) && record["method"] == "POST" {
                session.end_running_pod(replay.evict).await;
            }
        }
    }
    // What comes after the last answer is the recorder's own tidying up, unless that answer is to a deletion.
    let is_last = |record: &Value| record["kind"] == "response" && record["stream"].is_null();
    let last = records.iter().rposition(is_last).unwrap_or(records.len());
    let records =
        if records.get(last).is_some_and(|record| record["method"] == "DELETE" || replay.file.starts_with("11")) {
            &records[..]
        } else {
            &records[..last]
        };
    session.reach(records, records.len()).await;
    session.compare_streams(records).await;
    let unknown: Vec<&String> = session.found.iter().filter(|difference| !is_known(replay.file, difference)).collect();
    assert!(
        unknown.is_empty(),
        "{} differs in {} places:\n{}",
        replay.file,
        unknown.len(),
        unknown.iter().fold(String::new(), |mut all, one| {
            let _ = writeln!(all, "- {one}");
            all
        })
    );
}

impl Session {
    async fn start(replay: &Replay) -> Self {
        let options = Options {
            delays: if replay.true_delays { 1.0 } else { 0.1 },
            namespaces: ["default", "demo", "quota"].map(str::to_owned).to_vec(),
            ..Options::default()
        };
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        // Already installed is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let session = Self {
            account_token: String::new(),
            simulator,
            http,
            file: replay.file,
            streams: HashMap::new(),
            pods: HashMap::new(),
            found: Vec::new(),
        };
        let restricted =
            json!({"metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        session.post("/api/v1/namespaces", &restricted).await;
        let token = session.post("/api/v1/namespaces/demo/serviceaccounts/runner/token", &json!({})).await;
        Self { account_token: token["status"]["token"].as_str().unwrap_or_default().to_owned(), ..session }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.simulator.url());
        let answer =
            self.http.post(url).bearer_auth(self.simulator.admin_token()).json(body).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// The recorded path with our pods' names.
    fn ours(&self, path: &str) -> String {
        self.pods.iter().fold(path.to_owned(), |path, (recorded, ours)| path.replace(recorded.as_str(), ours))
    }

    async fn open_watch(&mut self, record: &Value, path: &str) {
        let stream = record["stream"].as_str().unwrap_or_default().to_owned();
        let version = path.split(['?', '&']).find_map(|part| part.strip_prefix("resourceVersion="));
        let path = match version {
            Some(old) if old != "1" && old != "99999999" && old.chars().all(|digit| digit.is_ascii_digit()) => {
                let list = self.post_free_get("/api/v1/namespaces/default/pods").await;
                let now = list["metadata"]["resourceVersion"].as_str().unwrap_or("0");
                path.replace(&format!("resourceVersion={old}"), &format!("resourceVersion={now}"))
            }
            _ => path.to_owned(),
        };
        let seen = self.open(&path, false, record).await;
        self.streams.insert(stream, seen);
    }

    /// A watch whose recording begins with a running pod is opened when ours runs.
    async fn await_first_object(&self, records: &[Value], record: &Value) {
        let of_stream = |other: &&Value| other["kind"] == "watch" && other["stream"] == record["stream"];
        let Some(first) = records.iter().find(of_stream) else { return };
        if first["event"]["object"]["status"]["phase"] != "Running" {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.simulator.pods("demo").iter().any(|pod| pod["status"]["phase"] == "Running") {
            assert!(Instant::now() < deadline, "{}: no pod ever ran", self.file);
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn post_free_get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.simulator.url());
        let answer = self.http.get(url).bearer_auth(self.simulator.admin_token()).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Opens a stream and collects its lines. With `text` they are only read.
    async fn open(&self, path: &str, text: bool, record: &Value) -> Seen {
        let seen = Seen::default();
        let url = format!("{}{path}", self.simulator.url());
        let token = if record["as_"] == "serviceaccount" { &self.account_token } else { self.simulator.admin_token() };
        let answer = self.http.get(url).bearer_auth(token).send().await.expect("a stream opens");
        let into = seen.clone();
        tokio::spawn(async move {
            let mut chunks = answer.bytes_stream();
            let mut rest = Vec::new();
            while let Some(Ok(chunk)) = chunks.next().await {
                if text {
                    continue;
                }
                rest.extend_from_slice(&chunk);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    if let Ok(event) = serde_json::from_slice(&line) {
                        into.lock().unwrap().push(event);
                    }
                }
            }
        });
        seen
    }

    /// Waits until our watches show what the recording's had shown before the record at `at`.
    async fn reach(&mut self, records: &[Value], at: usize) {
        let mut last: HashMap<&str, &Value> = HashMap::new();
        for record in records.iter().take(at).filter(|record| record["kind"] == "watch") {
            if matches!(record["event"]["object"]["kind"].as_str(), Some("Pod" | "Job" | "Status")) {
                last.insert(record["stream"].as_str().unwrap_or_default(), record);
            }
        }
        let deadline = Instant::now() + PATIENCE;
        for (stream, record) in last {
            let Some(seen) = self.streams.get(stream).cloned() else { continue };
            loop {
                self.learn_names(records);
                let wanted = self.normal(&digest(&record["event"]));
                let ours: Vec<String> = seen.lock().unwrap().iter().map(|event| self.normal(&digest(event))).collect();
                if ours.contains(&wanted) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{}: on the watch {stream} this never came:\n  {wanted}\nseen so far:\n  {}",
                    self.file,
                    ours.join("\n  ")
                );
                sleep(Duration::from_millis(5)).await;
            }
        }
        self.learn_names(records);
    }

    /// Pairs the pods of the recording with ours, in the order in which they were added.
    fn learn_names(&mut self, records: &[Value]) {
        for (stream, seen) in &self.streams {
            let added = |event: &Value| {
                let is = event["object"]["kind"] == "Pod" && event["type"] == "ADDED";
                is.then(|| event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            };
            let recorded = records
                .iter()
                .filter(|record| record["stream"] == stream.as_str())
                .filter_map(|record| added(&record["event"]));
            let ours: Vec<String> = seen.lock().unwrap().iter().filter_map(added).collect();
            self.pods.extend(recorded.zip(ours));
        }
    }

    fn normal(&self, text: &str) -> String {
        normal(text, &self.pods)
    }

    async fn send(&mut self, records: &[Value], at: usize, record: &Value, replay: &Replay) {
        let recorded_path = record["path"].as_str().unwrap_or_default();
        let path = self.shift_times(records, &self.ours(recorded_path)).await;
        let method =
            reqwest::Method::from_bytes(record["method"].as_str().unwrap_or("GET").as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.simulator.url()));
        let before = records.get(at.saturating_sub(1)).and_then(|before| before["note"].as_str()).unwrap_or_default();
        request = match record["as_"].as_str() {
            Some("admin") => request.bearer_auth(self.simulator.admin_token()),
            Some(_) if before.contains("bad token") => request.bearer_auth("nonsense"),
            Some(_) => request.bearer_auth(&self.account_token),
            None => request,
        };
        if !record["body"].is_null() {
            let mut body = record["body"].to_string();
            if !replay.rewrite.0.is_empty() {
                body = body.replace(replay.rewrite.0, replay.rewrite.1);
            }
            // The images of the recording have it; here the kill comes from outside.
            body = body.replace("exec eat 200", "echo ate 0 MiB; echo ate 16 MiB; exec sleep 60");
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let warning = answer.headers().get("warning").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = String::from_utf8_lossy(&answer.bytes().await.expect("the whole answer")).into_owned();
        let response = records.iter().skip(at).find(|other| {
            other["kind"] == "response"
                && other["path"] == record["path"]
                && other["method"] == record["method"]
                && other["stream"].is_null()
        });
        let Some(response) = response else { return };
        let normal = |text: &str| self.normal(text);
        let mut found = differences(response, status, &body, &normal);
        let wanted = response["headers"]["Warning"].as_str().map(str::to_owned);
        if wanted.as_deref().map(normal) != warning.as_deref().map(normal) {
            found.push(format!("warning {warning:?} instead of {wanted:?}"));
        }
        let short = recorded_path.rsplit("/namespaces/").next().unwrap_or_default();
        self.found.extend(
            found.into_iter().map(|one| format!("{} {short}: {one}", record["method"].as_str().unwrap_or_default())),
        );
    }

    /// A `sinceTime` of a recorded line becomes the time of our line with the same text.
    async fn shift_times(&self, records: &[Value], path: &str) -> String {
        let Some(stamp) =
            path.split(['?', '&']).find_map(|part| part.strip_prefix("sinceTime=")).filter(|stamp| stamp.len() == 30)
        else {
            return path.to_owned();
        };
        let texts = records.iter().filter_map(|record| record["body"].as_str());
        let Some(line) = texts.flat_map(str::lines).find_map(|line| line.strip_prefix(stamp)) else {
            return path.to_owned();
        };
        let log = path.split('?').next().unwrap_or_default();
        let url = format!("{}{log}?container=main&timestamps=true", self.simulator.url());
        let answer = self.http.get(url).bearer_auth(self.simulator.admin_token()).send().await.expect("an answer");
        let ours = String::from_utf8_lossy(&answer.bytes().await.expect("a log")).into_owned();
        let our_stamp = ours.lines().find_map(|ours| ours.strip_suffix(line)).unwrap_or(stamp).to_owned();
        path.replace(stamp, &our_stamp)
    }

    async fn end_running_pod(&self, evict: bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = self.simulator.pods("demo").into_iter().find(|pod| pod["status"]["phase"] == "Running");
            if let Some(pod) = running {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                if evict {
                    self.simulator.evict(
                        "demo",
                        name,
                        "Usage of EmptyDir volume \"work\" exceeds the limit \"64Mi\". ",
                    );
                } else {
                    sleep(Duration::from_millis(300)).await; // until it has printed what the recording's had
                    self.simulator.kill_for_memory("demo", name);
                }
                return;
            }
            assert!(Instant::now() < deadline, "no pod ever ran");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Compares the order of events on each watch, and the fields of the first object of each kind.
    async fn compare_streams(&mut self, records: &[Value]) {
        // Events that are still on their way.
        sleep(Duration::from_millis(300)).await;
        self.learn_names(records);
        for (stream, seen) in self.streams.clone() {
            let recorded: Vec<&Value> = records
                .iter()
                .filter(|record| record["kind"] == "watch" && record["stream"] == stream.as_str())
                .map(|record| &record["event"])
                .collect();
            let ours = seen.lock().unwrap().clone();
            let is_events = recorded.iter().any(|event| event["object"]["kind"] == "Event");
            let lines = |events: &mut dyn Iterator<Item = &Value>| -> Vec<String> {
                let mut lines: Vec<String> = events.map(|event| self.normal(&digest(event))).collect();
                lines.dedup();
                lines
            };
            let (wanted, given) = (lines(&mut recorded.iter().copied()), lines(&mut ours.iter()));
            if is_events {
                // Several components write events, in no fixed order, and repeat them.
                let set = |lines: &[String]| -> HashSet<String> {
                    lines.iter().map(|line| line.replace("MODIFIED", "ADDED")).collect()
                };
                let (wanted, given) = (set(&wanted), set(&given));
                self.found.extend(wanted.difference(&given).map(|line| format!("watch {stream}: missing: {line}")));
                self.found.extend(
                    given.difference(&wanted).map(|line| format!("watch {stream}: not in the recording: {line}")),
                );
                continue;
            }
            let ends_by_itself = records.iter().any(|record| {
                record["stream"] == stream.as_str()
                    && record["path"].as_str().is_some_and(|path| path.contains("timeoutSeconds="))
            });
            let wanted_only = ends_by_itself && given.starts_with(&wanted);
            if !wanted_only && !same_but_for_repeats(&wanted, &given) {
                self.found.push(format!(
                    "watch {stream}: order\n  {}\ninstead of\n  {}",
                    given.join("\n  "),
                    wanted.join("\n  ")
                ));
            }
            if let (Some(wanted), Some(given)) = (recorded.first(), ours.first()) {
                self.found.extend(
                    shape_differences(wanted, given)
                        .into_iter()
                        .map(|one| format!("watch {stream}, first event: {one}")),
                );
            }
        }
    }
}

/// Whether the two differ only in how often a state that alternates was seen, or in the first status of a kubelet, which it
/// sometimes merges with its second.
fn same_but_for_repeats(wanted: &[String], given: &[String]) -> bool {
    let once = |lines: &[String]| {
        let mut seen = HashSet::new();
        let merged = |line: &&String| !line.starts_with("MODIFIED Pod held") || !line.contains("Pending  PRTSC=False");
        lines.iter().filter(merged).filter(|line| seen.insert((*line).clone())).cloned().collect::<Vec<_>>()
    };
    once(wanted) == once(given)
}
