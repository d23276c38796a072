//! How runs end and what is said about it.

use coderoom_protocol::run::Reason;

use super::bench::bench;

#[tokio::test]
async fn exit_codes_and_signals_arrive() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("exit 7").await;
    assert_eq!((outcome.reason(), outcome.ending.exit_code), (Reason::ExitCode, Some(7)));
    let outcome = bench.sh("kill -SEGV $$").await;
    assert_eq!((outcome.reason(), outcome.ending.signal), (Reason::Signal, Some(11)));
    assert_eq!(outcome.ending.exit_code, None);
    let outcome = bench.python("import os; os.abort()").await;
    assert_eq!((outcome.reason(), outcome.ending.signal), (Reason::Signal, Some(6)), "{outcome:?}");
}

#[tokio::test]
async fn command_that_is_not_there_is_named() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("no-such-program --now").await;
    assert_eq!((outcome.reason(), outcome.ending.exit_code), (Reason::CommandNotFound, Some(127)));
    assert!(outcome.ending.detail.unwrap().contains("no-such-program"));
}

#[tokio::test]
async fn empty_command_is_told() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("  ").await;
    assert_eq!(outcome.reason(), Reason::CommandNotFound);
    assert!(outcome.ending.detail.unwrap().contains("empty"));
}

#[tokio::test]
async fn daemon_that_holds_stdout_ends_with_the_command() {
    let Some(bench) = bench().await else { return };
    let code = "import os, time\n\
                if os.fork() == 0:\n    \
                    os.setsid()\n    \
                    if os.fork() == 0:\n        \
                        print('daemon', flush=True)\n        \
                        time.sleep(100)\n    \
                    os._exit(0)\n\
                time.sleep(0.3)\n\
                print('done')";
    let outcome = bench.python(code).await;
    assert_eq!(outcome.ending.exit_code, Some(0));
    assert!(outcome.out().contains("daemon") && outcome.out().contains("done"));
    assert!(outcome.took.as_secs() < 10, "the daemon held the run: {:?}", outcome.took);
}

#[tokio::test]
async fn orphans_are_reaped_while_the_command_runs() {
    let Some(bench) = bench().await else { return };
    // Three times as many orphans as there may be processes; zombies would count.
    let code = "import os, time\n\
                for i in range(200):\n    \
                    if os.fork() == 0:\n        \
                        if os.fork() == 0:\n            \
                            os._exit(0)\n        \
                        os._exit(0)\n    \
                    os.wait()\n    \
                    time.sleep(0.002)\n\
                print('fine')";
    assert_eq!(bench.python(code).await.out(), "fine\n");
}
