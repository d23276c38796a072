//! The engine's process dies, or is asked to go, while programs run.

use std::time::Duration;

use coderoom_backing::values;
use coderoom_protocol::run::{Reason, RunState};
use coderoom_worker::log::{LogEvent, LogReader};

use crate::place::{Place, until};

/// Prints numbered lines for about three seconds.
const COUNTING: &str = "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.1; done";

fn counted() -> String {
    (0..30).map(|line| format!("line {line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn run_outlives_the_engine_and_its_log_is_whole() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, COUNTING).await;
    place.printed(run).await;
    drop(engine);
    let place = Place::open(place.die(), |_| ()).await;
    assert_eq!(place.run(run).await.state, RunState::Running);
    let _engine = place.engine(|_| ()).await;
    let ended = place.ended(run).await;
    assert_eq!((ended.state, ended.exit_code), (RunState::Done, Some(0)), "{ended:?}");
    assert_eq!(place.log(run).await, counted());
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_ended_while_nobody_looked_is_concluded_at_the_next_start() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run =
        place.submit_alone(ana, "echo begun; sleep 0.5; echo ended; mkdir output; echo 1 > output/x; exit 7").await;
    place.printed(run).await;
    drop(engine);
    let dir = place.die();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let place = Place::open(dir, |_| ()).await;
    let _engine = place.engine(|_| ()).await;
    let ended = place.ended(run).await;
    assert_eq!((ended.state, ended.exit_code, ended.has_output), (RunState::Failed, Some(7), true));
    assert_eq!(place.log(run).await, "begun\nended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_of_which_nothing_is_left_is_lost_with_the_log_it_had() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(run).await;
    place.reaches(run, "its start is in the row", |run| run.started_at.is_some()).await;
    drop(engine);
    let place = Place::open(place.die(), |_| ()).await;
    // As after a restart of the machine: no process, and nothing of the executor's directory.
    assert_eq!(place.executor().await.sweep(&[]).await, 1);
    let waiting = place.submit_alone(ana, "echo next").await;
    let _engine = place.engine(|_| ()).await;
    let lost = place.ended(run).await;
    assert_eq!((lost.state, lost.reason), (RunState::Failed, Some(Reason::WorkerLost)));
    assert_eq!(place.log(run).await, "begun\n");
    let mut reader = LogReader::open(&place.runs, run, 6).await.unwrap();
    assert!(matches!(reader.next(9).await.unwrap(), LogEvent::End { size: 6, .. }));
    assert_eq!(place.ended(waiting).await.state, RunState::Done, "what waited goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_was_claimed_but_never_started_is_started_once() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let run = place.submit_alone(ana, "echo hi").await;
    let sql = "UPDATE runs SET state = 2, lease_owner = 'gone', attempts = 1 WHERE id = $1";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    let _engine = place.engine(|_| ()).await;
    assert_eq!(place.ended(run).await.state, RunState::Done);
    assert_eq!(place.log(run).await, "hi\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_box_was_never_told_what_to_run_is_started_once() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let run = place.submit_alone(ana, "echo hi").await;
    let sql = "UPDATE runs SET state = 2, lease_owner = 'gone', attempts = 1 WHERE id = $1";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    // The process died right behind the start of the supervisor, which then read the end of its input: no frame was
    // written, and nobody is left to write one.
    let dir = place.dir.path().join("runs").join(run.to_string());
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("state.json"), r#"{"nonce":"00"}"#).unwrap();
    std::fs::write(dir.join("spool"), "").unwrap();
    let _engine = place.engine(|_| ()).await;
    let ended = place.ended(run).await;
    assert_eq!((ended.state, ended.exit_code), (RunState::Done, Some(0)), "{ended:?}");
    assert_eq!(place.log(run).await, "hi\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_owner_loses_its_run_after_the_lease_and_a_living_one_does_not() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let run = place.submit_alone(ana, "echo hi").await;
    let sql = "UPDATE runs SET state = 2, lease_owner = 'other', attempts = 1 WHERE id = $1";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    let lease = Duration::from_millis(1500);
    let _engine = place
        .engine(|settings| {
            settings.sole_worker = false;
            settings.lease = lease;
            settings.reconcile = Duration::from_millis(100);
        })
        .await;
    let beating = tokio::time::Instant::now();
    while beating.elapsed() < lease * 2 {
        let sql = "UPDATE runs SET lease_beat = lease_beat + 1 WHERE id = $1 AND lease_owner = 'other'";
        assert_eq!(place.tables.execute(sql, values![run.to_string()]).await.unwrap(), 1, "it was taken too early");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(place.ended(run).await.state, RunState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_that_is_asked_to_go_leaves_its_runs_to_the_next_one() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, COUNTING).await;
    place.printed(run).await;
    engine.shutdown(Duration::ZERO).await;
    let row = place.tables.query_opt("SELECT state, lease_owner FROM runs", values![]).await.unwrap().unwrap();
    assert_eq!((row.int(0).unwrap(), row.opt_text(1).unwrap()), (2, None), "running, and free to be taken");
    // Another worker that is not alone takes it at once too.
    let _engine = place.engine(|settings| settings.sole_worker = false).await;
    assert_eq!(place.ended(run).await.state, RunState::Done);
    assert_eq!(place.log(run).await, counted());
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_with_patience_waits_for_its_runs_and_takes_no_more() {
    let place = Place::with(|settings| settings.max_running_per_user = 1).await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; sleep 0.5").await;
    place.printed(run).await;
    let waiting = place.submit_alone(ana, "echo later").await;
    engine.shutdown(Duration::from_secs(20)).await;
    assert_eq!(place.run(run).await.state, RunState::Done);
    assert_eq!(place.run(waiting).await.state, RunState::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn wish_to_stop_reaches_a_run_that_was_adopted() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(run).await;
    drop(engine);
    let place = Place::open(place.die(), |_| ()).await;
    // Asked for before there is an engine again.
    place.runs.stop(run, ana).await.unwrap();
    let engine = place.engine(|_| ()).await;
    assert_eq!(place.ended(run).await.state, RunState::Stopped);
    until("the engine has put it away", async || match engine.running() {
        0 => Ok(()),
        running => Err(format!("{running} running")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_stored_log_is_damaged_ends_and_frees_its_user() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let run = place.submit(task, ana, "echo hi").await.unwrap().run.id;
    let sql = "UPDATE runs SET state = 2, lease_owner = 'gone', attempts = 1 WHERE id = $1";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    let sql = "INSERT INTO log_segments (run_id, start, \"end\", object_key) VALUES ($1, 0, 10, 'runs/damaged')";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    place.objects.put("runs/damaged", vec![7; 100].into()).await.unwrap();
    let _engine = place.engine(|_| ()).await;
    let ended = place.ended(run).await;
    assert_eq!((ended.state, ended.reason), (RunState::Failed, Some(Reason::Internal)));
    place.submit(task, ana, "echo hi").await.expect("the task is free again");
}
