//! Stopping a run.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Duration,
};

use coderoom_protocol::{run::Reason, supervisor::Body};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::bench::bench;

#[tokio::test]
async fn stop_ends_a_sleep_at_once() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("echo begun; sleep 1000", &[], &[]).await;
    let mut execution = bench.executor.start(&request).await.unwrap();
    while !matches!(execution.next_frame().await.unwrap().unwrap().body, Body::Output { .. }) {}
    let asked = Instant::now();
    execution.stop(Duration::from_secs(5)).await;
    execution.stop(Duration::from_secs(5)).await;
    let Body::End(ending) = execution.next_frame().await.unwrap().unwrap().body else { panic!("no ending") };
    assert_eq!(ending.reason, Reason::StoppedBy);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(execution.next_frame().await.unwrap().is_none());
    execution.remove().await;
}

#[tokio::test]
async fn stop_kills_what_will_not_end_and_keeps_its_log() {
    let Some(bench) = bench().await else { return };
    let code =
        "import signal, time\nsignal.signal(15, lambda *_: print('no'))\nprint('begun')\nwhile True: time.sleep(1)";
    let mut request = bench.request("python3 run.py", &[("run.py", code)], &[]).await;
    // The supervisor's own patience is longer than the caller's, which counts.
    request.limits.grace_ms = 60_000;
    let mut execution = bench.executor.start(&request).await.unwrap();
    while !matches!(execution.next_frame().await.unwrap().unwrap().body, Body::Output { .. }) {}
    let asked = Instant::now();
    execution.stop(Duration::from_millis(400)).await;
    let mut text = Vec::new();
    let ending = loop {
        match execution.next_frame().await.unwrap().unwrap().body {
            Body::Output { bytes, .. } => text.extend(bytes),
            Body::End(ending) => break ending,
            _ => {}
        }
    };
    assert_eq!((ending.reason, text.trim_ascii()), (Reason::StoppedBy, b"no".as_slice()));
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    execution.remove().await;
}

#[tokio::test]
async fn stop_right_after_the_start_works() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("sleep 1000", &[], &[]).await;
    let execution = bench.executor.start(&request).await.unwrap();
    execution.stop(Duration::from_secs(2)).await;
    let outcome = bench.finish(execution, Instant::now()).await;
    assert_eq!(outcome.reason(), Reason::StoppedBy);
}

#[tokio::test]
async fn remove_leaves_nothing() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("sleep 1000 & sleep 1000", &[], &[]).await;
    let mut execution = bench.executor.start(&request).await.unwrap();
    while !matches!(execution.next_frame().await.unwrap().unwrap().body, Body::Started) {}
    execution.remove().await;
    assert_eq!(std::fs::read_dir(bench.root.path().join("runs")).unwrap().count(), 0);
    assert!(bench.executor.adopt(request.run).await.unwrap().is_none());
}

#[test]
fn term_that_comes_before_the_supervisor_knows_what_to_run_is_heard() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_coderoom-supervisor"))
        .arg("init")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{}/status", supervisor.id())).unwrap();
    let has_term = |set: &str| {
        let status = status();
        let bits = status.lines().find_map(|line| line.strip_prefix(set)).unwrap().trim().to_owned();
        u64::from_str_radix(&bits, 16).unwrap() & (1 << (Signal::TERM.as_raw() - 1)) != 0
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !has_term("SigBlk:") {
        assert!(Instant::now() < deadline, "it waits for its orders and does not listen to TERM");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&supervisor), Signal::TERM).unwrap();
    assert!(has_term("ShdPnd:"), "it is kept until the supervisor looks");
    drop(ours);
    assert!(supervisor.wait().unwrap().code().is_some(), "without orders it gives up, and was not killed");
}
