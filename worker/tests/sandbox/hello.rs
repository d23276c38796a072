//! The programs that new tasks begin with, and how a run looks from inside.

use coderoom_protocol::{control::Language, run::Reason};
use coderoom_worker::language;

use super::bench::bench;

#[tokio::test]
async fn python_hello_runs() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.python("print('hello')").await;
    assert_eq!(outcome.out(), "hello\n", "{outcome:?}");
    assert_eq!((outcome.reason(), outcome.ending.exit_code), (Reason::ExitCode, Some(0)));
    assert_eq!(outcome.phases, ["fetching files", "started", "Started"]);
    assert!(outcome.ending.cpu_ms.is_some() && outcome.ending.peak_memory_bytes > Some(1 << 20));
}

#[tokio::test]
async fn default_files_of_every_language_run() {
    let Some(bench) = bench().await else { return };
    for language in Language::ALL {
        let mut request =
            bench.request(language::default_command(language), &language::default_files(language), &[]).await;
        request.language = language;
        request.limits.memory_bytes = 1 << 30;
        request.limits.wall_ms = 50_000;
        let outcome = match bench.run(&request).await {
            Err(error) if error.reason == Reason::InterpreterMissing => {
                eprintln!("skipped: {}", error.detail);
                continue;
            }
            outcome => outcome.unwrap(),
        };
        assert!(outcome.out().starts_with("Hello from "), "{language:?}: {outcome:?}");
        assert_eq!(outcome.ending.exit_code, Some(0), "{language:?}: {outcome:?}");
        assert!(outcome.err.is_empty(), "{language:?}: {outcome:?}");
        let peak = outcome.ending.peak_memory_bytes.unwrap() >> 20;
        eprintln!("{language:?}: {:?}, peak {peak} MiB, cpu {:?} ms", outcome.took, outcome.ending.cpu_ms);
    }
}

#[tokio::test]
async fn texts_and_blobs_are_there_with_plain_modes() {
    let Some(bench) = bench().await else { return };
    let request = bench
        .request(
            "cat a/b.txt; od -An -tx1 data.bin; stat -c '%a %U' a a/b.txt; pwd; id -un; hostname",
            &[("a/b.txt", "text ä\n")],
            &[("data.bin", b"\x00\xff")],
        )
        .await;
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!(outcome.out(), "text ä\n 00 ff\n755 user\n644 user\n/work\nuser\ncoderoom\n");
}

#[tokio::test]
async fn environment_is_made_from_nothing() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("env | sort | cut -d= -f1").await;
    assert_eq!(
        outcome.out().lines().filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL")).collect::<Vec<_>>(),
        ["CODEROOM_MEMORY_BYTES", "HOME", "LANG", "PATH", "PYTHONUNBUFFERED", "TMPDIR", "USER"]
    );
}

#[tokio::test]
async fn missing_snapshot_is_told() {
    let Some(bench) = bench().await else { return };
    let mut request = bench.request("true", &[], &[]).await;
    request.manifest_key = "runs/none/manifest.json".to_owned();
    let error = bench.run(&request).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::SnapshotMissing, false));
    assert_eq!(std::fs::read_dir(bench.root.path().join("runs")).unwrap().count(), 0, "something was left");
}

#[tokio::test]
async fn damaged_snapshot_is_told() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("true", &[("run.py", "1")], &[]).await;
    let code_key = format!("runs/{}/code.zip", request.run);
    bench.objects.put(&code_key, b"PK nonsense".to_vec().into()).await.unwrap();
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!(outcome.reason(), Reason::SnapshotMissing);
}
