//! Several workers, and doorbells as a broker may deliver them: twice, late, for nobody, or not at all.

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::{queue::QueueLimits, values};
use coderoom_protocol::{
    ids::RunId,
    run::{Reason, RunState},
};
use coderoom_worker::{
    announce::log_stream,
    limits::EngineSettings,
    log::{LogEvent, LogReader},
};

use crate::place::{Place, until};

/// Prints numbered lines for about two seconds.
const COUNTING: &str = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.05; done";

fn counted() -> String {
    (0..40).map(|line| format!("line {line}\n")).collect()
}

/// As one of several workers, quick to take over.
fn one_of_several(settings: &mut EngineSettings) {
    settings.sole_worker = false;
    settings.lease = Duration::from_millis(800);
    settings.renew = Duration::from_millis(200);
    settings.stop_check = Duration::from_millis(100);
    settings.reconcile = Duration::from_millis(100);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_killed_at_any_step_leaves_a_run_that_another_ends() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    for delay_ms in [0, 5, 15, 30, 60, 100, 150, 250, 400, 600] {
        let killed = place.engine(one_of_several).await;
        let run = place.submit_alone(ana, "echo begun; sleep 0.2; echo ended; exit 3").await;
        // Wherever it is then: not claimed, claimed, starting, printing, storing its end.
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        drop(killed);
        let _next = place.engine(one_of_several).await;
        let ended = place.ended(run).await;
        assert_eq!(
            (ended.state, ended.exit_code),
            (RunState::Failed, Some(3)),
            "killed after {delay_ms} ms: {ended:?}"
        );
        assert_eq!(place.log(run).await, "begun\nended\n", "killed after {delay_ms} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_foreign_and_malformed_doorbells_change_nothing() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let stopped = place.submit_alone(ana, "echo never").await;
    place.runs.stop(stopped, ana).await.unwrap();
    let run = place.submit_alone(ana, "echo once; sleep 0.3").await;
    let gone = RunId::new();
    let bells =
        [run.to_string(), run.to_string(), gone.to_string(), stopped.to_string(), "not a run".into(), String::new()];
    for bell in &bells {
        place.queue.ring(Bytes::copy_from_slice(bell.as_bytes())).await.unwrap();
        place.queue.ring(Bytes::from_static(b"\xff\0")).await.unwrap();
    }
    let _first = place.engine(one_of_several).await;
    let _second = place.second_engine().await;
    assert_eq!(place.ended(run).await.state, RunState::Done);
    assert_eq!(place.log(run).await, "once\n");
    let rows = place.tables.query("SELECT id, state, attempts FROM runs ORDER BY number, id", values![]).await.unwrap();
    let begun: i64 = rows.iter().map(|row| row.int(2).unwrap()).sum();
    assert_eq!((rows.len(), begun), (2, 1));
    assert_eq!(place.run(stopped).await.state, RunState::Stopped);
    // All bells were answered: nothing waits, and nothing is left among the dead.
    until("both lists are empty", async || {
        let waiting = tokio::time::timeout(Duration::from_millis(300), place.queue.next()).await;
        let dead = tokio::time::timeout(Duration::from_millis(300), place.queue.next_dead()).await;
        if waiting.is_err() && dead.is_err() { Ok(()) } else { Err(format!("{waiting:?} {dead:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_doorbell_fails_a_waiting_run_and_no_other() {
    let limits = QueueLimits { message_ttl: Duration::from_secs(1), ..QueueLimits::default() };
    let place = Place::with_limits(limits, |settings| settings.max_running_per_user = 1).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let _engine = place
        .engine(|settings| {
            one_of_several(settings);
            settings.slots = 1;
        })
        .await;
    let busy = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(busy).await;
    // Rung for once more while it runs: the bell of a running run dies as well.
    place.queue.ring(busy.to_string().into()).await.unwrap();
    let waiting = place.submit_alone(bo, "echo never").await;
    let failed = place.ended(waiting).await;
    assert_eq!((failed.state, failed.reason), (RunState::Failed, Some(Reason::WaitedTooLong)));
    assert_eq!(place.run(busy).await.state, RunState::Running);
    place.runs.stop(busy, ana).await.unwrap();
    assert_eq!(place.ended(busy).await.state, RunState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_whole_although_the_bus_forgot_its_live_part() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(one_of_several).await;
    let run = place.submit_alone(ana, COUNTING).await;
    place.printed(run).await;
    let follower = tokio::spawn({
        let mut reader = LogReader::open(&place.runs, run, 0).await.unwrap();
        async move {
            let mut seen = Vec::new();
            loop {
                match reader.next(1000).await.unwrap() {
                    LogEvent::Piece(piece) => seen.extend_from_slice(&piece.bytes),
                    LogEvent::End { size, .. } => return (seen, size),
                    LogEvent::Wait => {}
                }
            }
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.bus.remove(&log_stream(run)).await.unwrap();
    }
    assert_eq!(place.ended(run).await.state, RunState::Done);
    assert_eq!(place.log(run).await, counted());
    let (seen, size) = tokio::time::timeout(Duration::from_secs(20), follower).await.unwrap().unwrap();
    assert_eq!((String::from_utf8(seen).unwrap(), size), (counted(), counted().len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_whole_although_the_bus_forgot_it_and_the_worker_died() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(one_of_several).await;
    let run = place.submit_alone(ana, COUNTING).await;
    place.printed(run).await;
    place.bus.remove(&log_stream(run)).await.unwrap();
    // Something behind the hole, so that the stream begins in the middle.
    until("the stream begins anew", async || match place.bus.last(&log_stream(run)).await.unwrap() {
        Some(end) => Ok(end),
        None => Err("nothing yet".to_owned()),
    })
    .await;
    drop(engine);
    let _next = place.engine(one_of_several).await;
    assert_eq!(place.ended(run).await.state, RunState::Done);
    assert_eq!(place.log(run).await, counted());
}

#[tokio::test(flavor = "multi_thread")]
async fn wish_to_stop_reaches_whichever_worker_has_the_run() {
    let place = Place::new().await;
    let (_first, _second) = (place.engine(one_of_several).await, place.second_engine().await);
    let mut runs = Vec::new();
    for number in 0..4 {
        let user = place.user(&format!("user {number}")).await;
        runs.push((place.submit_alone(user, "echo begun; exec sleep 100").await, user));
    }
    for (run, user) in runs {
        place.printed(run).await;
        place.runs.stop(run, user).await.unwrap();
        assert_eq!(place.ended(run).await.state, RunState::Stopped);
        assert_eq!(place.log(run).await, "begun\n");
    }
}
