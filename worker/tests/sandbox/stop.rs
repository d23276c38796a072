//! Stopping a run.

use std::time::Duration;

use coderoom_protocol::{run::Reason, supervisor::Body};
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
