//! Stopping runs that do not run.

use coderoom_backing::bus::BusEvent;
use coderoom_protocol::{
    ids::RunId,
    problem::ErrorCode,
    run::{Reason, RunState},
};
use coderoom_worker::{
    announce::{TaskEvent, task_topic},
    log::{LogEvent, LogReader},
};

use crate::place::Place;

#[tokio::test]
async fn queued_run_is_stopped_at_once_and_again_is_no_error() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let task = place.task(ana).await;
    let run = place.submit(task, ana, "echo 1").await.unwrap().run.id;
    let mut room = place.bus.subscribe(&task_topic(task)).await.unwrap();
    let stopped = place.runs.stop(run, bo).await.unwrap();
    assert_eq!((stopped.state, stopped.reason), (RunState::Stopped, Some(Reason::StoppedBy)));
    assert_eq!(stopped.message.as_deref(), Some("Stopped by Bo."));
    assert!(stopped.ended_at.is_some() && stopped.queue_position.is_none());
    let BusEvent::Message(json) = room.next().await else { panic!("the room missed it") };
    assert_eq!(serde_json::from_slice::<TaskEvent>(&json).unwrap(), TaskEvent::Run { run: Box::new(stopped.clone()) });
    assert_eq!(place.runs.stop(run, ana).await.unwrap(), stopped, "the second stop changes nothing");
    place.submit(task, ana, "echo 1").await.expect("the task is free again");
}

#[tokio::test]
async fn log_of_a_run_that_never_ran_is_complete_and_empty() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let run = place.submit(task, ana, "echo 1").await.unwrap().run.id;
    let mut reader = LogReader::open(&place.runs, run, 0).await.unwrap();
    assert_eq!(reader.try_next(100).await.unwrap(), LogEvent::Wait);
    place.runs.stop(run, ana).await.unwrap();
    let LogEvent::End { size, truncated, .. } = reader.next(100).await.unwrap() else { panic!("no end") };
    assert_eq!((size, truncated), (0, false));
}

#[tokio::test]
async fn stopping_nothing_is_not_found() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    assert_eq!(place.runs.stop(RunId::new(), ana).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(LogReader::open(&place.runs, RunId::new(), 0).await.unwrap_err().code, ErrorCode::NotFound);
}
