//! Each misbehaviour of a cluster ends a run with the right reason, and loses no byte of what could be had.

use std::time::Duration;

use coderoom_protocol::{run::Reason, supervisor::Body};
use coderoom_tests::{kubernetes::faults::Failing, wait::until};
use coderoom_worker::executor::kubernetes::KubernetesSettings;
use serde_json::json;
use tokio::time::Instant;

use super::bench::{Bench, await_words, frame, read_to_end};

const LINES: &str = "for i in $(seq 1 120); do echo line $i; sleep 0.02; done";

fn lines() -> String {
    (1..=120).map(|at| format!("line {at}\n")).collect()
}

fn impatient(settings: &mut KubernetesSettings) {
    settings.start_limit = Duration::from_secs(4);
    settings.image_limit = Duration::from_secs(2);
    settings.node_limit = Duration::from_secs(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_cut_cleanly_again_and_again_loses_and_doubles_nothing() {
    let bench = Bench::start().await;
    bench.simulator().faults().cut_follows_after([700, 1_500, 333, 5_000, 90]);
    let said = bench.run(LINES, &[]).await;
    assert_eq!((said.out(), said.ending.exit_code), (lines(), Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_loses_nothing() {
    let bench = Bench::start().await;
    let (request, mut execution) = bench.start_and_await(LINES, "line 10\n").await;
    bench.simulator().faults().rotate(&bench.pod_of(&request), false);
    let said = read_to_end(&mut execution).await;
    assert!(said.out().ends_with("line 119\nline 120\n"), "{said:?}");
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    execution.remove().await;
}

/// Whether the newest log file of a pod has `words`.
async fn newest_file_has(bench: &Bench, pod: &str, words: &str) -> bool {
    let url = format!("{}/api/v1/namespaces/demo/pods/{pod}/log", bench.simulator().url());
    let answer = reqwest::Client::new().get(url).bearer_auth(bench.simulator().admin_token()).send().await;
    answer.expect("an answer").text().await.expect("a log").contains(words)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_log_file_costs_what_was_in_it_and_no_more() {
    let bench = Bench::start().await;
    let command = "for i in $(seq 1 200); do echo line $i; sleep 0.02; done";
    let request = bench.request(command, &[]).await;
    let mut execution = bench.executor.start(&request).await.expect("the run starts");
    let mut next = await_words(&mut execution, "line 10\n").await;
    let pod = bench.pod_of(&request);
    bench.simulator().faults().slow_follows(100);
    until(|| async { newest_file_has(&bench, &pod, "line 60").await.then_some(()).ok_or("line 60 is not there yet") })
        .await;
    bench.simulator().faults().rotate(&pod, true);
    until(|| async { (!newest_file_has(&bench, &pod, "line 60").await).then_some(()).ok_or("nothing was rotated") })
        .await;
    bench.simulator().faults().slow_follows(0);
    let (mut text, mut lost) = (String::new(), 0);
    let ending = loop {
        match frame(&mut execution).await.map(|frame| frame.body) {
            Some(Body::Output { offset, bytes, .. }) => {
                lost += offset - next;
                next = offset + bytes.len() as u64;
                text += &String::from_utf8_lossy(&bytes);
            }
            Some(Body::End(ending)) => break ending,
            Some(_) => {}
            None => panic!("it was lost after {text:?}"),
        }
    };
    assert!(lost > 0 && !text.contains("line 60\n"), "{lost} bytes are missing in {text:?}");
    assert!(text.ends_with("line 199\nline 200\n"), "{text:?}");
    assert_eq!((ending.exit_code, ending.log_bytes), (Some(0), next), "{ending:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_server_gone_for_a_moment_costs_nothing() {
    let bench = Bench::start().await;
    let (_, mut execution) = bench.start_and_await(LINES, "line 10\n").await;
    bench.simulator().faults().refuse_connections(Duration::from_secs(3));
    let said = read_to_end(&mut execution).await;
    assert!(said.out().ends_with("line 119\nline 120\n"), "{said:?}");
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    execution.remove().await;
}

/// A true minute: longer than any request waits, any stream is silent and any wait between two attempts lasts, so that no
/// shorter time stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_server_gone_for_a_minute_costs_no_byte_and_forgets_no_stop() {
    const AWAY: Duration = Duration::from_secs(60);
    let bench = Bench::start().await;
    let command = |lines: u32| format!("for i in $(seq 1 {lines}); do echo line $i; sleep 0.1; done");
    let mut begun = Vec::new();
    // One ends while nobody can see it, one goes on behind it.
    for lines in [200, 650] {
        let mut request = bench.request(&command(lines), &[]).await;
        request.limits.wall_ms = 300_000;
        let mut execution = bench.executor.start(&request).await.expect("the run starts");
        await_words(&mut execution, "line 1\n").await;
        begun.push((lines, execution));
    }
    let (stopped, execution) = bench.start_and_await("echo begun; sleep 300", "begun").await;
    bench.simulator().faults().refuse_connections(AWAY);
    let away = Instant::now();
    execution.stop(Duration::from_secs(1)).await;
    assert_eq!(execution.lost_ending().await.reason, Reason::StoppedBy);
    execution.remove().await;
    assert!(away.elapsed() < AWAY / 2, "whoever removes a run does not wait for the cluster: {:?}", away.elapsed());
    for (lines, mut execution) in begun {
        let said = read_to_end(&mut execution).await;
        let last = format!("line {}\nline {lines}\n", lines - 1);
        assert!(said.out().ends_with(&last) && said.ending.exit_code == Some(0), "{said:?}");
        let printed: u64 = (1..=lines).map(|line| format!("line {line}\n").len() as u64).sum();
        assert_eq!(said.ending.log_bytes, printed, "{:?}", said.ending);
        execution.remove().await;
    }
    assert!(away.elapsed() >= AWAY, "the second run goes on when the server is back: {:?}", away.elapsed());
    let name = format!("run-{}", stopped.run);
    until(|| async {
        let jobs = bench.simulator().jobs("demo");
        let left =
            jobs.iter().any(|job| job["metadata"]["name"] == *name) || bench.simulator().running_containers() > 0;
        if left { Err("the stopped program still runs, though the server is back") } else { Ok(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_api_server_are_tried_again() {
    let bench = Bench::start().await;
    for (method, path) in [("POST", "/jobs"), ("GET", "/log"), ("GET", "/pods")] {
        bench.simulator().faults().fail_requests(Failing {
            method: method.to_owned(),
            path: path.to_owned(),
            code: 500,
            times: 2,
        });
    }
    let said = bench.run(LINES, &[]).await;
    assert_eq!((said.out(), said.ending.exit_code), (lines(), Some(0)), "{:?}", said.ending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_that_expires_or_hangs_does_not_hang_the_run() {
    let bench = Bench::start().await;
    let (_, mut execution) = bench.start_and_await(LINES, "line 10\n").await;
    bench.simulator().faults().expire_watches();
    bench.simulator().compact();
    bench.simulator().faults().hang_watches(true);
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_node_is_named() {
    let bench = Bench::start_with(impatient).await;
    let (_, mut execution) = bench.start_and_await("echo begun; sleep 60", "begun").await;
    bench.simulator().faults().lose_node();
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::NodeLost, "{said:?}");
    bench.simulator().faults().return_node();
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_returns_in_time_costs_nothing() {
    let bench = Bench::start().await;
    let (_, mut execution) = bench.start_and_await(LINES, "line 10\n").await;
    bench.simulator().faults().lose_node();
    until(|| async {
        let pods = bench.simulator().pods("demo");
        let mut conditions = pods.iter().filter_map(|pod| pod["status"]["conditions"].as_array()).flatten();
        match conditions.any(|one| one["type"] == "Ready" && one["status"] == "False") {
            true => Ok(()),
            false => Err("the cluster has not noticed that the node is silent"),
        }
    })
    .await;
    bench.simulator().faults().return_node();
    let said = read_to_end(&mut execution).await;
    assert!(said.out().ends_with("line 120\n"), "{said:?}");
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eviction_is_named_and_its_text_is_not_output() {
    let bench = Bench::start().await;
    let (request, mut execution) = bench.start_and_await("echo begun; sleep 60", "begun").await;
    bench.simulator().evict("demo", &bench.pod_of(&request), "The node was low on resource: memory.");
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::Evicted, "{said:?}");
    assert!(!said.out().contains("unable to retrieve"), "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_for_memory_is_named() {
    let bench = Bench::start().await;
    let (request, mut execution) = bench.start_and_await("echo begun; sleep 60", "begun").await;
    bench.simulator().kill_for_memory("demo", &bench.pod_of(&request));
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::OutOfMemory, "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_image_is_named() {
    let bench = Bench::start_with(impatient).await;
    bench.simulator().faults().lose_images(true);
    let said = bench.run("true", &[]).await;
    assert_eq!(said.ending.reason, Reason::ImageMissing, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unschedulable_is_named() {
    let bench = Bench::start_with(impatient).await;
    bench.simulator().faults().refuse_scheduling(true);
    let said = bench.run("true", &[]).await;
    assert_eq!(said.ending.reason, Reason::Unschedulable, "{said:?}");
}

async fn set_quota(bench: &Bench, hard: serde_json::Value) {
    let url = format!("{}/api/v1/namespaces/demo/resourcequotas", bench.simulator().url());
    let quota = json!({"metadata": {"name": "full"}, "spec": {"hard": hard}});
    let request = reqwest::Client::new().post(url).bearer_auth(bench.simulator().admin_token()).json(&quota);
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_quota_of_pods_is_named() {
    let bench = Bench::start_with(impatient).await;
    set_quota(&bench, json!({"pods": "0"})).await;
    let said = bench.run("true", &[]).await;
    assert_eq!(said.ending.reason, Reason::Quota, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_quota_of_jobs_is_named() {
    let bench = Bench::start_with(impatient).await;
    set_quota(&bench, json!({"count/jobs.batch": "0"})).await;
    let request = bench.request("true", &[]).await;
    let reason = match bench.executor.start(&request).await {
        Ok(mut execution) => read_to_end(&mut execution).await.ending.reason,
        Err(refused) => refused.reason,
    };
    assert_eq!(reason, Reason::Quota);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn container_that_cannot_start_ends_the_run() {
    let bench = Bench::start_with(impatient).await;
    bench.simulator().faults().fail_starts(true);
    let said = bench.run("true", &[]).await;
    assert_eq!(said.ending.reason, Reason::Internal, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_deleted_by_somebody_else_ends_the_run() {
    let bench = Bench::start().await;
    let (request, mut execution) = bench.start_and_await("echo begun; sleep 60", "begun").await;
    let url = format!(
        "{}/apis/batch/v1/namespaces/demo/jobs/run-{}?propagationPolicy=Background",
        bench.simulator().url(),
        request.run
    );
    let deleted = reqwest::Client::new()
        .delete(url)
        .bearer_auth(bench.simulator().admin_token())
        .send()
        .await
        .expect("an answer");
    assert_eq!(deleted.status().as_u16(), 200);
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::WorkerLost, "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phase_that_never_changes_does_not_hold_the_run() {
    let bench = Bench::start().await;
    bench.simulator().faults().stick_phases(true);
    let said = bench.run("echo done", &[]).await;
    assert_eq!((said.out().as_str(), said.ending.exit_code), ("done\n", Some(0)), "{said:?}");
}

async fn run_with_clock_off(minutes: i64) {
    let bench = Bench::start().await;
    bench.simulator().jump_clock(minutes * 60_000);
    bench.simulator().faults().cut_follows_after([900]);
    let said = bench.run(LINES, &[]).await;
    assert_eq!((said.out(), said.ending.exit_code), (lines(), Some(0)), "{:?}", said.ending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clock_of_the_cluster_5_minutes_behind_changes_nothing() {
    run_with_clock_off(-5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clock_of_the_cluster_5_minutes_ahead_changes_nothing() {
    run_with_clock_off(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_runs_leave_no_job_pod_or_process() {
    let bench = Bench::start().await;
    for _ in 0..3 {
        bench.run("echo x", &[]).await;
    }
    until(|| async {
        let simulator = bench.simulator();
        let left = (simulator.jobs("demo").len(), simulator.pods("demo").len(), simulator.running_containers());
        if left == (0, 0, 0) { Ok(()) } else { Err(format!("jobs, pods and containers left: {left:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_old_jobs_of_unknown_runs_are_swept() {
    let bench = Bench::start().await;
    let command = "echo begun; sleep 60";
    let (young, _) = bench.start_and_await(command, "begun").await;
    // By our clock all that is made from here on is 20 minutes old.
    bench.simulator().jump_clock(-20 * 60_000);
    let (known, _) = bench.start_and_await(command, "begun").await;
    bench.start_and_await(command, "begun").await;
    assert_eq!(bench.executor.sweep(&[known.run]).await, 1);
    let jobs = bench.simulator().jobs("demo");
    let mut left: Vec<_> = jobs.iter().filter_map(|job| job["metadata"]["name"].as_str()).collect();
    let mut wanted = [young, known].map(|request| format!("run-{}", request.run));
    left.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(left, wanted);
}
