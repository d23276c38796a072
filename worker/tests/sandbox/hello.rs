//! The programs that new tasks begin with, and the ordinary life of a run.

use super::bench::bench;
use coderoom_protocol::run::Reason;

#[tokio::test]
async fn python_hello_runs() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.python("print('hello')").await;
    assert_eq!(outcome.out(), "hello\n", "{outcome:?}");
    assert_eq!((outcome.reason(), outcome.ending.exit_code), (Reason::ExitCode, Some(0)));
    assert_eq!(outcome.phases, ["fetching files", "started", "Started"]);
}
