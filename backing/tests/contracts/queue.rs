//! What every twin of the queue holds. Each function gets an empty queue with [`LIMITS`].

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::queue::{DeadReason, Delivery, Queue, QueueLimits};

use crate::wait::{still_pending, within};

/// Short enough that a test can wait for a message to expire, long enough that no other does.
pub(crate) const LIMITS: QueueLimits = QueueLimits { message_ttl: Duration::from_secs(10), delivery_limit: 3 };

async fn ring(queue: &Queue, text: &'static str) {
    queue.ring(Bytes::from_static(text.as_bytes())).await.unwrap();
}

async fn next(queue: &Queue, expected: &'static str) -> Delivery {
    let delivery = within(&format!("{expected} is delivered"), queue.next()).await.unwrap();
    assert_eq!(delivery.message(), expected.as_bytes());
    delivery
}

pub(crate) async fn messages_come_in_order_once_each(queue: &Queue) {
    for text in ["1", "2", "3"] {
        ring(queue, text).await;
    }
    for text in ["1", "2", "3"] {
        next(queue, text).await.ack().await.unwrap();
    }
    still_pending("a delivery from an empty queue", queue.next()).await;
}

pub(crate) async fn waiting_consumer_is_woken(queue: &Queue) {
    let consumer = tokio::spawn({
        let queue = queue.clone();
        async move { next(&queue, "1").await.ack().await.unwrap() }
    });
    tokio::task::yield_now().await;
    ring(queue, "1").await;
    within("the consumer is done", consumer).await.unwrap();
}

pub(crate) async fn dropped_delivery_comes_again_first(queue: &Queue) {
    ring(queue, "1").await;
    ring(queue, "2").await;
    drop(next(queue, "1").await);
    let again = next(queue, "1").await;
    let second = next(queue, "2").await;
    again.ack().await.unwrap();
    drop(second);
    next(queue, "2").await.ack().await.unwrap();
}

pub(crate) async fn abandoned_wait_takes_no_message(queue: &Queue) {
    for text in ["1", "2", "3", "4", "5"] {
        still_pending("a delivery from an empty queue", queue.next()).await;
        ring(queue, text).await;
        // Woken by the message, and given up before it could be taken.
        let mut waiting = Box::pin(queue.next());
        let first = futures_util::FutureExt::now_or_never(&mut waiting);
        drop(waiting);
        drop(first);
        next(queue, text).await.ack().await.unwrap();
    }
}

pub(crate) async fn every_waiting_consumer_gets_one(queue: &Queue) {
    const CONSUMERS: usize = 20;
    let consumers = (0..CONSUMERS).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let delivery = queue.next().await.unwrap();
            let text = delivery.message().clone();
            delivery.ack().await.unwrap();
            text
        })
    });
    let consumers: Vec<_> = consumers.collect();
    for number in 0..CONSUMERS {
        queue.ring(number.to_string().into_bytes().into()).await.unwrap();
    }
    let mut got = Vec::new();
    for consumer in consumers {
        let text = within("each consumer gets a message", consumer).await.unwrap();
        got.push(String::from_utf8(text.to_vec()).unwrap().parse::<usize>().unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, (0..CONSUMERS).collect::<Vec<_>>());
}

/// Takes the next dead letter, which must be `expected`.
async fn bury(queue: &Queue, expected: &'static str, reason: DeadReason) {
    let dead = within(&format!("{expected} is a dead letter"), queue.next_dead()).await.unwrap();
    assert_eq!((dead.message().as_ref(), dead.reason()), (expected.as_bytes(), reason));
    dead.ack().await.unwrap();
}

pub(crate) async fn refused_message_is_a_dead_letter(queue: &Queue) {
    ring(queue, "bad").await;
    ring(queue, "good").await;
    next(queue, "bad").await.refuse().await.unwrap();
    next(queue, "good").await.ack().await.unwrap();
    bury(queue, "bad", DeadReason::Refused).await;
    still_pending("a second dead letter", queue.next_dead()).await;
}

pub(crate) async fn message_that_comes_back_too_often_is_a_dead_letter(queue: &Queue) {
    ring(queue, "1").await;
    for _ in 0..=LIMITS.delivery_limit {
        drop(next(queue, "1").await);
    }
    bury(queue, "1", DeadReason::DeliveredTooOften).await;
    still_pending("a delivery of the dead letter", queue.next()).await;
}

pub(crate) async fn message_nobody_takes_is_a_dead_letter(queue: &Queue) {
    ring(queue, "old").await;
    bury(queue, "old", DeadReason::Expired).await;
    still_pending("a delivery of the dead letter", queue.next()).await;
}

pub(crate) async fn dropped_dead_letter_comes_again(queue: &Queue) {
    ring(queue, "bad").await;
    next(queue, "bad").await.refuse().await.unwrap();
    drop(within("the dead letter", queue.next_dead()).await.unwrap());
    bury(queue, "bad", DeadReason::Refused).await;
}

pub(crate) async fn message_in_hand_is_nobody_elses(queue: &Queue) {
    ring(queue, "1").await;
    let held = next(queue, "1").await;
    still_pending("the message that somebody has", queue.next()).await;
    held.ack().await.unwrap();
    still_pending("the message that was acknowledged", queue.next()).await;
}

/// Every claim of this suite, handed to the macro of a twin.
macro_rules! every_claim {
    ($on_twin:ident, $open:path) => {
        $on_twin!(
            queue,
            $open,
            messages_come_in_order_once_each,
            waiting_consumer_is_woken,
            dropped_delivery_comes_again_first,
            abandoned_wait_takes_no_message,
            every_waiting_consumer_gets_one,
            refused_message_is_a_dead_letter,
            message_that_comes_back_too_often_is_a_dead_letter,
            message_nobody_takes_is_a_dead_letter,
            dropped_dead_letter_comes_again,
            message_in_hand_is_nobody_elses,
        );
    };
}
pub(crate) use every_claim;
