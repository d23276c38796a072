//! Machines that cannot give everything: what still holds, and what is refused.

use coderoom_protocol::run::Reason;
use coderoom_worker::executor::local::SandboxLevel;
use tokio::time::Instant;

use super::bench::{bench, bench_with};

#[tokio::test]
async fn code_is_refused_below_the_minimum_with_what_to_do() {
    let bench = bench_with(|settings| settings.bwrap = Some("/nonexistent/bwrap".into())).await;
    assert_eq!(bench.executor.level(), "none");
    assert!(!bench.local.runs_code());
    let request = bench.request("echo ran", &[], &[]).await;
    let error = bench.executor.start(&request).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::SandboxUnavailable, false));
    assert!(error.detail.contains("bwrap"), "{}", error.detail);
}

#[tokio::test]
async fn without_control_groups_each_process_is_limited() {
    if bench().await.is_none() {
        return;
    }
    let bench = bench_with(|settings| settings.use_cgroups = false).await;
    assert_eq!(bench.executor.level(), "namespaces", "{:?}", bench.local.problem());
    assert!(bench.local.problem().unwrap().contains("Control groups"));
    assert_eq!(bench.python("print('hello')").await.out(), "hello\n");
    let code = "try: x = bytearray(1 << 30); print('got it')\nexcept MemoryError: print('MemoryError')";
    assert_eq!(bench.python(code).await.out(), "MemoryError\n");
    let code = "import os, time\n\
                n = 0\n\
                try:\n    \
                    while True:\n        \
                        if os.fork() == 0: time.sleep(60)\n        \
                        n += 1\n\
                except OSError: print(n < 70)";
    assert_eq!(bench.python(code).await.out(), "True\n");
    let code = "f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20))";
    assert_eq!(bench.python(code).await.reason(), Reason::DiskLimit);
    let outcome = bench.python_within("while True: pass", |limits| limits.wall_ms = 500).await;
    assert_eq!(outcome.reason(), Reason::TimeLimit);
}

#[tokio::test]
async fn plain_process_runs_only_where_that_is_allowed() {
    let bench = bench_with(|settings| {
        settings.bwrap = Some("/nonexistent/bwrap".into());
        settings.minimum_level = SandboxLevel::None;
    })
    .await;
    let mut request = bench.request("cat a.txt; (setsid sleep 1000 &); pwd", &[("a.txt", "text\n")], &[]).await;
    let outcome = bench.run(&request).await.unwrap();
    let out = outcome.out();
    let work = out.strip_prefix("text\n").unwrap_or_else(|| panic!("{outcome:?}")).trim();
    assert!(outcome.took.as_secs() < 5, "a process held the run: {:?}", outcome.took);
    assert!(!std::path::Path::new(work).exists(), "the work directory was left");
    request = bench.request("sleep 1000", &[], &[]).await;
    let execution = bench.executor.start(&request).await.unwrap();
    execution.stop(std::time::Duration::from_secs(1)).await;
    assert_eq!(bench.finish(execution, Instant::now()).await.reason(), Reason::StoppedBy);
}

#[tokio::test]
async fn supervisor_out_of_reach_of_the_runs_user_is_copied() {
    if bench().await.is_none() {
        return;
    }
    let hidden = tempfile::tempdir().unwrap();
    let copy = hidden.path().join("supervisor");
    std::fs::copy(env!("CARGO_BIN_EXE_coderoom-supervisor"), &copy).unwrap();
    std::fs::set_permissions(hidden.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let bench = bench_with(|settings| settings.supervisor = copy).await;
    assert_ne!(bench.executor.level(), "none", "{:?}", bench.local.problem());
    assert_eq!(bench.python("print('hello')").await.out(), "hello\n");
}
