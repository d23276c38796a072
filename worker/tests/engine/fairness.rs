//! Who runs next, and how many at once.

use std::time::Duration;

use coderoom_backing::{bus::BusEvent, values};
use coderoom_protocol::{
    ids::RunId,
    run::{Reason, RunState},
};
use coderoom_worker::announce::{TaskEvent, task_topic};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn user_with_fewest_running_runs_comes_first() {
    let place = Place::with(|settings| settings.max_running_per_user = 10).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(place.submit_alone(ana, "sleep 0.6").await);
    }
    let of_bo = place.submit_alone(bo, "sleep 0.6").await;
    let _engine = place.engine(|settings| settings.slots = 2).await;
    let mut started = Vec::new();
    for run in runs.iter().copied().chain([of_bo]) {
        let ended = place.ended(run).await;
        started.push((ended.started_at.expect("it started"), run));
    }
    started.sort_unstable();
    let order: Vec<RunId> = started.into_iter().map(|(_, run)| run).collect();
    assert!(order[..2].contains(&runs[0]) && order[..2].contains(&of_bo), "Bo does not wait behind all of Ana's");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_runs_more_at_once_than_the_limit() {
    let place = Place::with(|settings| settings.max_running_per_user = 1).await;
    let ana = place.user("Ana").await;
    let (one, two) = (place.submit_alone(ana, "sleep 0.5").await, place.submit_alone(ana, "sleep 0.1").await);
    let _engine = place.engine(|_| ()).await;
    let (one, two) = (place.ended(one).await, place.ended(two).await);
    assert!(two.started_at >= one.ended_at, "the second waited although slots were free: {one:?} {two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_runs_no_more_at_once_than_it_may() {
    let place = Place::with(|settings| settings.max_running_runs = 1).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let (one, two) = (place.submit_alone(ana, "sleep 0.5").await, place.submit_alone(bo, "sleep 0.1").await);
    let _engine = place.engine(|_| ()).await;
    let (one, two) = (place.ended(one).await, place.ended(two).await);
    assert!(two.started_at >= one.ended_at, "{one:?} {two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_waits_longer_than_it_may_fails_with_the_reason() {
    let place = Place::with(|settings| settings.max_wait_ms = 1000).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let _engine = place.engine(|settings| settings.slots = 1).await;
    let busy = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(busy).await;
    let waiting = place.submit_alone(bo, "echo never").await;
    let failed = place.ended(waiting).await;
    assert_eq!((failed.state, failed.reason), (RunState::Failed, Some(Reason::WaitedTooLong)));
    assert_eq!(place.run(busy).await.state, RunState::Running);
    place.runs.stop(busy, ana).await.unwrap();
    place.ended(busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_hear_that_they_moved_up() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let _engine = place.engine(|settings| settings.slots = 1).await;
    let busy = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(busy).await;
    let first = place.submit_alone(bo, "echo 1").await;
    let task = place.task(ana).await;
    let mut room = place.bus.subscribe(&task_topic(task)).await.unwrap();
    let second = place.submit(task, ana, "echo 2").await.unwrap().run;
    assert_eq!(second.queue_position, Some(2));
    place.runs.stop(first, bo).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&Some(1)) {
        let event = tokio::time::timeout(Duration::from_secs(20), room.next()).await;
        let Ok(BusEvent::Message(json)) = event else { panic!("no news of the line, only {seen:?}") };
        if let TaskEvent::Run { run } = serde_json::from_slice(&json).unwrap() {
            seen.push(run.queue_position);
        }
    }
    place.runs.stop(busy, ana).await.unwrap();
    place.ended(second.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_bell_was_never_rung_runs_all_the_same() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let run = place.submit_alone(ana, "echo hi").await;
    // The process died between commit and bell: the bell is in the outbox, and the queue is empty.
    let rung = place.queue.next().await.unwrap();
    rung.ack().await.unwrap();
    let sql = "INSERT INTO outbox (run_id, created_at) VALUES ($1, 0) ON CONFLICT DO NOTHING";
    place.tables.execute(sql, values![run.to_string()]).await.unwrap();
    let _engine = place.engine(|_| ()).await;
    assert_eq!(place.ended(run).await.state, RunState::Done);
    crate::place::until("the outbox is empty", async || {
        let rows = place.tables.query("SELECT run_id FROM outbox", values![]).await.unwrap();
        if rows.is_empty() { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_runs_and_run_each_once() {
    let place = Place::new().await;
    let first = place.engine(|settings| settings.sole_worker = false).await;
    let second = place.second_engine().await;
    let mut runs = Vec::new();
    for number in 0..8 {
        let user = place.user(&format!("user {number}")).await;
        for _ in 0..2 {
            runs.push(place.submit_alone(user, "echo once; sleep 0.2").await);
        }
    }
    for run in runs {
        assert_eq!(place.ended(run).await.state, RunState::Done);
        assert_eq!(place.log(run).await, "once\n");
    }
    let rows = place.tables.query("SELECT max(attempts), count(*) FROM runs", values![]).await.unwrap();
    assert_eq!((rows[0].int(0).unwrap(), rows[0].int(1).unwrap()), (1, 16));
    first.shutdown(Duration::from_secs(5)).await;
    second.shutdown(Duration::from_secs(5)).await;
}
