//! Runs outlive the server process that started them.

use coderoom_protocol::{run::Reason, supervisor::Body};
use coderoom_worker::executor::{Executor, local::LocalExecutor};
use tokio::time::Instant;

use super::bench::{bench, settings};

#[tokio::test]
async fn run_is_adopted_with_all_its_frames() {
    let Some(mut bench) = bench().await else { return };
    let request = bench.request("for n in 1 2 3 4 5 6; do echo $n; sleep 0.2; done", &[], &[]).await;
    let mut first = bench.executor.start(&request).await.unwrap();
    while !matches!(first.next_frame().await.unwrap().unwrap().body, Body::Output { .. }) {}
    drop(first);
    let again = LocalExecutor::new(settings(bench.root.path()).await).await.unwrap();
    bench.executor = Executor::Local(again);
    let adopted = bench.executor.adopt(request.run).await.unwrap().expect("nothing to adopt");
    let outcome = bench.finish(adopted, Instant::now()).await;
    assert_eq!((outcome.out().as_str(), outcome.reason()), ("1\n2\n3\n4\n5\n6\n", Reason::ExitCode));
    assert!(bench.executor.adopt(request.run).await.unwrap().is_none());
}

#[tokio::test]
async fn run_that_ended_meanwhile_is_adopted_with_its_ending() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("mkdir output; echo x > output/x; exit 4", &[], &[]).await;
    let mut first = bench.executor.start(&request).await.unwrap();
    while first.next_frame().await.unwrap().is_some() {}
    drop(first);
    let adopted = bench.executor.adopt(request.run).await.unwrap().expect("nothing to adopt");
    let outcome = bench.finish(adopted, Instant::now()).await;
    assert_eq!((outcome.ending.exit_code, outcome.output.len()), (Some(4), 1));
}

#[tokio::test]
async fn second_start_of_a_run_adopts_the_first() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("echo once; sleep 0.3", &[], &[]).await;
    let first = bench.executor.start(&request).await.unwrap();
    let second = bench.executor.start(&request).await.unwrap();
    drop(first);
    assert_eq!(bench.finish(second, Instant::now()).await.out(), "once\n");
}

#[tokio::test]
async fn killed_supervisor_is_a_lost_run() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("echo begun; sleep 1000", &[], &[]).await;
    let mut execution = bench.executor.start(&request).await.unwrap();
    while !matches!(execution.next_frame().await.unwrap().unwrap().body, Body::Output { .. }) {}
    let state = std::fs::read(bench.root.path().join(format!("runs/{}/state.json", request.run))).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(state["pid"].as_i64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert!(execution.next_frame().await.unwrap().is_none());
    let ending = execution.lost_ending().await;
    assert_eq!((ending.reason, ending.log_bytes), (Reason::WorkerLost, 6));
    execution.remove().await;
}

#[tokio::test]
async fn sweep_ends_what_nobody_knows() {
    let Some(bench) = bench().await else { return };
    let (known, unknown) =
        (bench.request("sleep 0.5; echo alive", &[], &[]).await, bench.request("sleep 1000", &[], &[]).await);
    let known_run = bench.executor.start(&known).await.unwrap();
    let mut unknown_run = bench.executor.start(&unknown).await.unwrap();
    assert_eq!(bench.executor.sweep(&[known.run]).await, 1);
    while let Some(frame) = unknown_run.next_frame().await.unwrap_or(None) {
        assert!(!matches!(frame.body, Body::End(_)), "it should have been killed");
    }
    assert!(bench.executor.adopt(unknown.run).await.unwrap().is_none());
    assert_eq!(bench.finish(known_run, Instant::now()).await.out(), "alive\n");
}

/// Set for the process that plays the server that is killed: the directory it works in.
const SERVER_ROOT: &str = "CODEROOM_TEST_SERVER_ROOT";

#[tokio::test]
async fn killed_server_leaves_its_run_going() {
    let Some(mut bench) = bench().await else { return };
    if let Some(root) = std::env::var_os(SERVER_ROOT) {
        // This is the server: it starts one run and waits for its own end.
        bench.executor = Executor::Local(LocalExecutor::new(settings(root.as_ref()).await).await.unwrap());
        let request: StoredRequest =
            serde_json::from_slice(&std::fs::read(request_file(root.as_ref())).unwrap()).unwrap();
        let mut template = bench.request("", &[], &[]).await;
        (template.run, template.manifest_key, template.command) = request;
        let mut run = bench.executor.start(&template).await.unwrap();
        while run.next_frame().await.unwrap().is_some() {}
        return;
    }
    let request = bench.request("for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.2; done; exit 9", &[], &[]).await;
    let stored: StoredRequest = (request.run, request.manifest_key.clone(), request.command.clone());
    std::fs::write(request_file(bench.root.path()), serde_json::to_vec(&stored).unwrap()).unwrap();
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::adopt::killed_server_leaves_its_run_going"])
        .env(SERVER_ROOT, bench.root.path())
        .spawn()
        .unwrap();
    let spool = bench.root.path().join(format!("runs/{}/spool", request.run));
    let output = async {
        while !std::fs::read_to_string(&spool).is_ok_and(|text| text.contains(" out ")) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), output).await.expect("the other server started no run");
    server.kill().unwrap();
    server.wait().unwrap();
    let adopted = bench.executor.adopt(request.run).await.unwrap().expect("nothing to adopt");
    let outcome = bench.finish(adopted, Instant::now()).await;
    assert_eq!((outcome.out().as_str(), outcome.ending.exit_code), ("1\n2\n3\n4\n5\n6\n7\n8\n", Some(9)));
}

/// Run, manifest key and command of the run that the other server starts.
type StoredRequest = (coderoom_protocol::ids::RunId, String, String);

fn request_file(root: &std::path::Path) -> std::path::PathBuf {
    root.join("request.json")
}
