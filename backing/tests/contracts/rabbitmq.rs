//! Runs the queue's suite on a real RabbitMQ, and what only a broker can show while nothing breaks it.

use std::time::Duration;

use bytes::Bytes;
use coderoom_backing::queue::{Queue, QueueError, QueueLimits, RabbitMqNames, RabbitMqSettings};

use crate::{
    queue::LIMITS,
    service::{on_service, own_name, url},
    wait::{still_pending, within},
};

fn settings() -> RabbitMqSettings {
    let own = own_name();
    let mut settings = RabbitMqSettings::new(url("CODEROOM_TEST_RABBITMQ"));
    settings.names = RabbitMqNames {
        exchange: format!("{own}.direct"),
        queue: format!("{own}.queue"),
        routing_key: format!("{own}.key"),
        dead_exchange: format!("{own}.dead.direct"),
        dead_queue: format!("{own}.dead.queue"),
        dead_routing_key: format!("{own}.dead.key"),
    };
    settings.limits = LIMITS;
    // A loaded machine makes a quorum queue slowly.
    settings.connect_timeout = Duration::from_secs(15);
    settings.confirm_timeout = Duration::from_secs(15);
    settings
}

async fn open() -> Queue {
    Queue::open_rabbitmq(settings()).await.unwrap()
}

crate::queue::every_claim!(on_service, super::open);

#[test]
fn defaults_are_the_documented_topology() {
    let settings = RabbitMqSettings::new("amqp://localhost");
    let names = &settings.names;
    assert_eq!([&names.exchange, &names.queue], ["compile.code.direct", "compile.code.queue"]);
    assert_eq!(names.routing_key, "compile.code.routekey");
    assert_eq!([&names.dead_exchange, &names.dead_queue], ["compile.code.dead.direct", "compile.code.dead.queue"]);
    assert_eq!(names.dead_routing_key, "compile.code.dead.key");
    assert_eq!(settings.limits, QueueLimits { message_ttl: Duration::from_secs(3600), delivery_limit: 20 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_does_not_ask_holds_no_message() {
    let settings = settings();
    let full = Queue::open_rabbitmq(settings.clone()).await.unwrap();
    let free = Queue::open_rabbitmq(settings).await.unwrap();
    // It asked, and became full: the message comes to it and must not stay with it.
    still_pending("a message nobody sent", full.next()).await;
    full.ring(Bytes::from_static(b"1")).await.unwrap();
    let delivery = within("the worker that asks gets the message", free.next()).await.unwrap();
    delivery.ack().await.unwrap();
    // With one in hand it gets no second one.
    full.ring(Bytes::from_static(b"2")).await.unwrap();
    full.ring(Bytes::from_static(b"3")).await.unwrap();
    let in_hand = within("2", full.next()).await.unwrap();
    let other = within("3 goes to whoever asks", free.next()).await.unwrap();
    assert_eq!([in_hand.message().as_ref(), other.message().as_ref()], [b"2", b"3"]);
    in_hand.ack().await.unwrap();
    other.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_queue_is_made_again() {
    let settings = settings();
    let queue = Queue::open_rabbitmq(settings.clone()).await.unwrap();
    queue.ring(Bytes::from_static(b"lost")).await.unwrap();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move {
            loop {
                if let Ok(delivery) = queue.next().await
                    && delivery.message() == b"after".as_slice()
                {
                    return delivery.ack().await;
                }
            }
        }
    });
    let connection = lapin::Connection::connect(&settings.url, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let name = settings.names.queue.as_str();
    channel.queue_delete(name.into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
    // Nobody has it: the broker returns the message, and the queue is made again.
    queue.ring(Bytes::from_static(b"after")).await.unwrap();
    within("the consumer, whom the broker told nothing more, has it", waiting).await.unwrap().unwrap();
    let exchange = settings.names.exchange.as_str();
    channel.exchange_delete(exchange.into(), lapin::options::ExchangeDeleteOptions::default()).await.unwrap();
    queue.ring(Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(within("again", queue.next()).await.unwrap().message(), b"again".as_slice());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_with_other_properties_is_refused_in_words_that_name_the_fix() {
    let mut settings = settings();
    let _first = Queue::open_rabbitmq(settings.clone()).await.unwrap();
    settings.limits.message_ttl = Duration::from_secs(77);
    let refused = Queue::open_rabbitmq(settings.clone()).await.unwrap_err();
    assert!(refused.is_permanent());
    let words = refused.to_string();
    assert!(words.contains("rabbitmqctl delete_queue") && words.contains(&settings.names.queue), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_password_and_missing_vhost_are_named_at_start() {
    let real = url("CODEROOM_TEST_RABBITMQ");
    let (front, vhost) = real.rsplit_once('/').unwrap();
    let (_, address) = front.rsplit_once('@').unwrap();
    for (url, expected) in [
        (format!("amqp://nobody:wrong-secret@{address}/{vhost}"), "user or password"),
        (format!("{front}/missing"), "virtual host"),
        ("not a url".to_owned(), "not valid"),
        ("amqp://127.0.0.1:1".to_owned(), "127.0.0.1:1"),
    ] {
        let mut settings = settings();
        settings.url = url;
        let refused = Queue::open_rabbitmq(settings).await.unwrap_err();
        let words = refused.to_string();
        assert!(words.contains(expected) && !words.contains("wrong-secret"), "{words}");
        assert_eq!(matches!(refused, QueueError::Refused(_)), expected != "127.0.0.1:1", "{words}");
    }
}
