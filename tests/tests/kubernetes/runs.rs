//! What any cluster must give: output, exit codes, stop, adoption, clean-up.

use std::{env, time::Duration};

use coderoom_protocol::{control::Language, run::Reason};
use coderoom_tests::wait::until;

use super::bench::{Bench, read_to_end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_in_every_language_that_has_an_image() {
    let bench = Bench::start().await;
    let on_simulator = env::var_os("CODEROOM_TEST_KUBECONFIG").is_none();
    // The simulator's image is this machine: its Scala 2.11 looks for a compiler's daemon unless it is told not to.
    let scala = if on_simulator { "scala -nc run.scala" } else { "scala run.scala" };
    let programs = [
        (Language::Python, "python3 run.py", "run.py", "print('hello from', 'python')\n", "hello from python\n"),
        (Language::R, "Rscript run.R", "run.R", "cat('hello from', 'r\\n')\n", "hello from r\n"),
        (
            Language::Scala,
            scala,
            "run.scala",
            "object run extends App { println(\"hello from scala\") }\n",
            "hello from scala\n",
        ),
    ];
    let mut ran = 0;
    for (language, command, path, text, wanted) in programs {
        let program = command.split(' ').next().unwrap_or_default();
        let installed = !on_simulator || std::path::Path::new("/usr/bin").join(program).exists();
        if bench.settings.image(language).is_none() || !installed {
            continue;
        }
        let mut request = bench.request(command, &[(path, text)]).await;
        request.language = language;
        request.limits.memory_bytes = 1 << 30;
        request.limits.pids = 256;
        let mut execution = bench.executor.start(&request).await.expect("the run starts");
        let said = read_to_end(&mut execution).await;
        assert_eq!(said.ending.reason, Reason::ExitCode, "{language:?}: {said:?}");
        assert_eq!((said.out().as_str(), said.ending.exit_code), (wanted, Some(0)), "{language:?}: {said:?}");
        execution.remove().await;
        ran += 1;
    }
    assert!(ran > 0, "no language could be run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_code_and_both_streams_arrive() {
    let bench = Bench::start().await;
    let said = bench.run("echo to out; echo to err >&2; exit 3", &[]).await;
    assert_eq!((said.ending.reason, said.ending.exit_code), (Reason::ExitCode, Some(3)), "{said:?}");
    assert_eq!((said.out.as_slice(), said.err.as_slice()), (&b"to out\n"[..], &b"to err\n"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_of_a_million_lines_is_complete() {
    let bench = Bench::start().await;
    let said = bench.run("seq 1 1000000", &[]).await;
    assert_eq!(said.ending.exit_code, Some(0), "{:?}", said.ending);
    assert!(
        said.out().lines().filter_map(|line| line.parse::<u32>().ok()).eq(1..=1_000_000),
        "every line once, in order"
    );
    assert_eq!(said.ending.log_bytes, said.out.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_program_is_stopped_and_keeps_its_log() {
    let bench = Bench::start().await;
    let (_, mut execution) = bench
        .start_and_await("echo begun; trap 'echo ending; exit 9' TERM; while :; do sleep 0.1; done", "begun")
        .await;
    execution.stop(Duration::from_secs(1)).await;
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::StoppedBy, "{said:?}");
    assert!(said.out().contains("ending"), "what it printed while it was stopped arrives: {said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_before_the_pod_runs_ends_it_too() {
    let bench = Bench::start().await;
    let request = bench.request("sleep 60", &[]).await;
    let mut execution = bench.executor.start(&request).await.expect("the run starts");
    execution.stop(Duration::from_secs(1)).await;
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.reason, Reason::StoppedBy, "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_is_adopted_with_its_whole_log() {
    let bench = Bench::start().await;
    let (request, execution) =
        bench.start_and_await("for i in $(seq 1 100); do echo line $i; sleep 0.03; done", "line 20").await;
    // The worker dies: its handle is gone, the run goes on.
    drop(execution);
    let another = bench.another_executor().await;
    let mut adopted = another.adopt(request.run).await.expect("an answer").expect("the run is there");
    let said = read_to_end(&mut adopted).await;
    let wanted: String = (1..=100).map(|at| format!("line {at}\n")).collect();
    assert_eq!(said.out(), wanted, "from the first byte, nothing doubled");
    assert_eq!((said.first_frame, said.ending.exit_code), (Some(0), Some(0)));
    adopted.remove().await;
    // The cluster removes the pod after the Job.
    until(|| async {
        match another.adopt(request.run).await.expect("an answer") {
            None => Ok(()),
            Some(_) => Err("the removed run can still be adopted".to_owned()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_executors_that_start_one_run_share_one_job() {
    let bench = Bench::start().await;
    let another = bench.another_executor().await;
    let request = bench.request("echo once; sleep 1", &[]).await;
    let (one, other) = tokio::join!(bench.executor.start(&request), another.start(&request));
    let (mut one, mut other) = (one.expect("it starts"), other.expect("it is adopted"));
    let (first, second) = tokio::join!(read_to_end(&mut one), read_to_end(&mut other));
    for said in [&first, &second] {
        assert_eq!((said.out().as_str(), said.ending.exit_code), ("once\n", Some(0)), "{said:?}");
    }
    one.remove().await;
    other.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_limit_ends_the_run_and_keeps_its_log() {
    let bench = Bench::start().await;
    let mut request = bench.request("echo begun; sleep 60", &[]).await;
    request.limits.wall_ms = 1_500;
    let mut execution = bench.executor.start(&request).await.expect("the run starts");
    let said = read_to_end(&mut execution).await;
    assert_eq!((said.ending.reason, said.out().as_str()), (Reason::TimeLimit, "begun\n"), "{said:?}");
    execution.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_stored_and_nothing_is_left() {
    let bench = Bench::start().await;
    let request = bench.request("mkdir -p output && echo result > output/result.txt", &[]).await;
    let mut execution = bench.executor.start(&request).await.expect("the run starts");
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    assert!(said.ending.output_bytes > 0, "{said:?}");
    assert!(execution.output_archive().await.is_some());
    execution.remove().await;
    until(|| async {
        match bench.executor.adopt(request.run).await {
            Ok(None) => Ok(()),
            other => Err(format!("something is left: {other:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_run_is_not_adopted() {
    let bench = Bench::start().await;
    let request = bench.request("true", &[]).await;
    assert!(bench.executor.adopt(request.run).await.expect("an answer").is_none());
    let mut execution = bench.executor.start(&request).await.expect("it starts");
    let said = read_to_end(&mut execution).await;
    assert_eq!(said.ending.exit_code, Some(0), "{said:?}");
    execution.remove().await;
}
