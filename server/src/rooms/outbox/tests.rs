//! What an outbox promises to rooms, sockets and followers.

use std::{sync::Arc, time::Duration};

use super::*;

const A: SessionId = SessionId(1);
const B: SessionId = SessionId(2);

fn outbox() -> Outbox {
    Outbox::new(OutboxLimits { edits_bytes: 1000, hard_bytes: 5000 })
}

fn bytes(length: usize) -> Bytes {
    vec![7; length].into()
}

async fn drain(outbox: &Outbox) -> usize {
    let mut batch = Vec::new();
    while outbox.queued_bytes() > 0 {
        assert_eq!(outbox.next(&mut batch).await, Next::Write);
    }
    batch.iter().map(Bytes::len).sum()
}

#[tokio::test]
async fn frames_come_out_in_the_order_they_went_in() {
    let outbox = outbox();
    outbox.push("1".into());
    assert_eq!(outbox.push_edits(A, "2".into()), Pushed::Queued);
    outbox.push("3".into());
    let mut batch = Vec::new();
    assert_eq!(outbox.next(&mut batch).await, Next::Write);
    assert_eq!(batch, ["1", "2", "3"]);
    assert_eq!(outbox.queued_bytes(), 0);
}

#[tokio::test]
async fn edits_of_a_slow_socket_are_refused_until_the_room_resumes() {
    let outbox = outbox();
    assert_eq!(outbox.push_edits(A, bytes(4000)), Pushed::Queued, "one large first sync always fits");
    assert_eq!(outbox.push_edits(A, bytes(1)), Pushed::Refused);
    assert!(outbox.take_drained().is_empty(), "nothing has been written yet");
    drain(&outbox).await;
    assert_eq!(outbox.push_edits(A, bytes(1)), Pushed::Refused, "an edit must not overtake a refused one");
    assert_eq!(outbox.push_edits(B, bytes(1)), Pushed::Queued, "other documents go on");
    assert_eq!(outbox.take_drained(), [A]);
    assert!(outbox.take_drained().is_empty(), "the room is told once");
    outbox.resume(A);
    assert_eq!(outbox.push_edits(A, bytes(1)), Pushed::Queued);
}

#[test]
fn answers_beyond_the_hard_bound_close_the_socket_and_free_the_queue() {
    let outbox = outbox();
    outbox.push(bytes(10_000));
    assert!(!outbox.is_closed());
    outbox.push(bytes(1));
    assert!(outbox.is_closed());
    assert_eq!(outbox.queued_bytes(), 0);
    assert_eq!(outbox.push_edits(A, bytes(1)), Pushed::Closed);
}

#[tokio::test]
async fn close_comes_after_everything_queued() {
    let outbox = outbox();
    outbox.push("last words".into());
    outbox.close(1001, "the server is going away");
    outbox.close(4000, "too late");
    outbox.push("never".into());
    let mut batch = Vec::new();
    assert_eq!(outbox.next(&mut batch).await, Next::Write);
    assert_eq!(batch, ["last words"]);
    assert_eq!(outbox.next(&mut batch).await, Next::Close { code: 1001, reason: "the server is going away".into() });
}

#[tokio::test]
async fn socket_learns_which_sessions_the_room_has_ended() {
    let outbox = outbox();
    assert!(outbox.take_ended().is_empty());
    outbox.end_session(A, "deleted".into());
    assert_eq!(outbox.take_ended(), [A]);
    assert!(outbox.take_ended().is_empty());
    let mut batch = Vec::new();
    outbox.next(&mut batch).await;
    assert_eq!(batch, ["deleted"]);
}

#[tokio::test]
async fn released_frames_come_before_all_that_was_held_back() {
    let outbox = outbox();
    outbox.push("auth".into());
    outbox.hold();
    outbox.push("event".into());
    let mut batch = Vec::new();
    let held = tokio::time::timeout(Duration::from_millis(20), outbox.next(&mut batch)).await;
    assert!(held.is_err(), "nothing is taken while it is held");
    outbox.release(Some("welcome".into()));
    outbox.next(&mut batch).await;
    assert_eq!(batch, ["auth", "welcome", "event"]);
    assert_eq!(outbox.queued_bytes(), 0);
}

#[tokio::test]
async fn at_most_one_piece_of_a_log_stands_between_edits() {
    let outbox = outbox();
    for _ in 0..3 {
        outbox.push_log("log".into());
    }
    outbox.push("edit".into());
    let mut batch = Vec::new();
    outbox.next(&mut batch).await;
    assert_eq!(batch, ["edit", "log"]);
    outbox.push("edit".into());
    batch.clear();
    outbox.next(&mut batch).await;
    assert_eq!(batch, ["edit", "log"]);
}

#[tokio::test]
async fn follower_waits_for_room_and_learns_of_the_end() {
    let outbox = Arc::new(outbox());
    assert!(outbox.wait_for_log_room().await);
    outbox.push_log(bytes(LOG_ROOM_BYTES));
    let follower = {
        let outbox = Arc::clone(&outbox);
        tokio::spawn(async move { (outbox.wait_for_log_room().await, outbox.wait_for_log_room().await) })
    };
    tokio::task::yield_now().await;
    assert!(!follower.is_finished());
    drain(&outbox).await;
    let first = {
        let outbox = Arc::clone(&outbox);
        tokio::time::timeout(Duration::from_secs(5), async move { outbox.wait_for_log_room().await })
    };
    assert!(first.await.expect("room after draining"));
    outbox.abandon();
    tokio::time::timeout(Duration::from_secs(5), follower).await.expect("follower wakes at the end").expect("no panic");
    assert!(!outbox.wait_for_log_room().await);
}

#[tokio::test]
async fn writer_sleeps_until_something_is_pushed() {
    let outbox = Arc::new(outbox());
    let writer = {
        let outbox = Arc::clone(&outbox);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            outbox.next(&mut batch).await;
            batch
        })
    };
    tokio::task::yield_now().await;
    assert!(!writer.is_finished());
    assert_eq!(outbox.push_presence(A, "hello".into()), Pushed::Queued);
    let batch = tokio::time::timeout(Duration::from_secs(5), writer).await.expect("the push wakes the writer");
    assert_eq!(batch.expect("no panic"), ["hello"]);
}
