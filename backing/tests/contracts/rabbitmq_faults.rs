//! What the queue on RabbitMQ holds while its broker is killed, frozen and purged. Each test has a broker of its own.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use coderoom_backing::queue::{Queue, RabbitMqSettings};
use coderoom_services::RabbitMq;

use crate::wait::within;

fn settings(broker: &RabbitMq) -> RabbitMqSettings {
    let mut settings = RabbitMqSettings::new(broker.url());
    settings.connect_timeout = Duration::from_secs(10);
    settings.heartbeat_s = 2;
    settings
}

/// A broker, started off the threads that run tasks.
async fn start() -> RabbitMq {
    tokio::task::spawn_blocking(RabbitMq::start).await.unwrap()
}

async fn restart(mut broker: RabbitMq) -> RabbitMq {
    let restarted = tokio::task::spawn_blocking(move || {
        broker.restart();
        broker
    });
    restarted.await.unwrap()
}

/// How long a broker may take to serve again.
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// Rings until the broker has it; gives how often it was refused.
async fn ring(queue: &Queue, number: usize) -> usize {
    let began = Instant::now();
    let mut refused = 0;
    while queue.ring(number.to_string().into_bytes().into()).await.is_err() {
        refused += 1;
        assert!(began.elapsed() < BACK_WITHIN, "the broker took nothing for {BACK_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_messages_outlive_a_killed_broker_under_load() {
    const COUNT: usize = 400;
    let mut broker = start().await;
    let queue = Queue::open_rabbitmq(settings(&broker)).await.unwrap();
    let consumer = tokio::spawn({
        let queue = queue.clone();
        async move {
            let mut seen = HashSet::new();
            while seen.len() < COUNT {
                let Ok(delivery) = queue.next().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                seen.insert(delivery.message().clone());
                let _ = delivery.ack().await;
            }
        }
    });
    let mut refused = 0;
    for number in 0..COUNT {
        if number == COUNT / 2 {
            let name = settings(&broker).names.queue;
            broker = tokio::task::spawn_blocking(move || {
                broker.until_on_disk(&name);
                broker.kill();
                broker
            })
            .await
            .unwrap();
            let began = Instant::now();
            assert!(queue.ring(Bytes::from_static(b"0")).await.is_err(), "nobody is there to take it");
            assert!(queue.check().await.is_err());
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
            broker = restart(broker).await;
        }
        refused += ring(&queue, number).await;
    }
    let all = tokio::time::timeout(Duration::from_secs(60), consumer).await;
    assert!(all.is_ok(), "a confirmed message was lost; {refused} were refused on the way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_broker_holds_nobody_up_and_goes_on() {
    let broker = start().await;
    let mut settings = settings(&broker);
    settings.confirm_timeout = Duration::from_secs(1);
    let queue = Queue::open_rabbitmq(settings).await.unwrap();
    ring(&queue, 1).await;
    within("1", queue.next()).await.unwrap().ack().await.unwrap();
    broker.pause();
    let began = Instant::now();
    assert!(queue.ring(Bytes::from_static(b"2")).await.is_err());
    assert!(queue.check().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    broker.resume();
    ring(&queue, 3).await;
    within("3 comes, perhaps behind 2, which may be there although nobody said so", async {
        loop {
            let Ok(delivery) = queue.next().await else { continue };
            let is_last = delivery.message() == b"3".as_slice();
            let _ = delivery.ack().await;
            if is_last {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_queue_goes_on_without_what_it_had() {
    let broker = start().await;
    let queue = Queue::open_rabbitmq(settings(&broker)).await.unwrap();
    for number in 0..10 {
        ring(&queue, number).await;
    }
    let name = settings(&broker).names.queue;
    let broker = tokio::task::spawn_blocking(move || {
        broker.control(&["purge_queue", "-p", "test", &name]);
        broker
    });
    let _broker = broker.await.unwrap();
    ring(&queue, 77).await;
    let delivery = within("77", queue.next()).await.unwrap();
    assert_eq!(delivery.message(), b"77".as_slice());
    delivery.ack().await.unwrap();
}
