//! Runs the bus's suite on a real Redis, and what only such a server can show while nothing breaks it.

use bytes::Bytes;
use coderoom_backing::bus::{Bus, BusEvent, RedisSettings};

use crate::{
    service::{on_service, own_name, url},
    wait::within,
};

fn settings() -> RedisSettings {
    let mut settings = RedisSettings::new(url("CODEROOM_TEST_REDIS"));
    settings.prefix = format!("{}:", own_name());
    settings
}

async fn open() -> Bus {
    Bus::open_redis(settings()).await.unwrap()
}

crate::bus::every_claim!(on_service, super::open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hear_each_other_and_other_deployments_do_not() {
    let settings = settings();
    let (one, two) = (Bus::open_redis(settings.clone()).await.unwrap(), Bus::open_redis(settings).await.unwrap());
    let stranger = open().await;
    let (mut here, mut there) = (one.subscribe("t").await.unwrap(), two.subscribe("t").await.unwrap());
    let mut elsewhere = stranger.subscribe("t").await.unwrap();
    one.publish("t", Bytes::from_static(b"1")).await.unwrap();
    for subscription in [&mut here, &mut there] {
        assert_eq!(within("1", subscription.next()).await, BusEvent::Message(Bytes::from_static(b"1")));
    }
    stranger.publish("t", Bytes::from_static(b"2")).await.unwrap();
    assert_eq!(within("2", elsewhere.next()).await, BusEvent::Message(Bytes::from_static(b"2")));
    one.append("s", 1, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!((two.last("s").await.unwrap(), stranger.last("s").await.unwrap()), (Some(1), None));
}

/// Subscriptions to a topic of `prefix`, as the server counts them.
async fn subscribed(connection: &mut redis::aio::MultiplexedConnection, channel: &str) -> i64 {
    let mut count = redis::cmd("PUBSUB");
    count.arg("NUMSUB").arg(channel);
    let (_, number): (String, i64) = count.query_async(connection).await.unwrap();
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_of_one_topic_share_one_subscription_that_ends_with_the_last() {
    let settings = settings();
    let channel = format!("{}topic:t", settings.prefix);
    let bus = Bus::open_redis(settings).await.unwrap();
    let client = redis::Client::open(url("CODEROOM_TEST_REDIS")).unwrap();
    let mut look = client.get_multiplexed_async_connection().await.unwrap();
    let mut subscriptions = Vec::new();
    for _ in 0..100 {
        subscriptions.push(bus.subscribe("t").await.unwrap());
    }
    assert_eq!(subscribed(&mut look, &channel).await, 1);
    let last = subscriptions.pop();
    drop(subscriptions);
    // An order behind all others: when it is confirmed those before were obeyed.
    drop(bus.subscribe("behind").await.unwrap());
    assert_eq!(subscribed(&mut look, &channel).await, 1);
    drop(last);
    within("the server knows no subscriber", async {
        while subscribed(&mut look, &channel).await != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_server_forgets_streams_and_goes_on() {
    let settings = settings();
    let bus = Bus::open_redis(settings.clone()).await.unwrap();
    let mut heard = bus.subscribe("t").await.unwrap();
    bus.append("s", 10, Bytes::from_static(b"0123456789")).await.unwrap();
    // As FLUSHALL does, but without hurting the other tests on this server.
    let client = redis::Client::open(settings.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("DEL").arg(format!("{}stream:s", settings.prefix)).query_async::<i64>(&mut connection).await.unwrap();
    assert_eq!(bus.last("s").await.unwrap(), None);
    bus.append("s", 10, Bytes::from_static(b"0123456789")).await.unwrap();
    bus.append("s", 11, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(bus.read("s", 0, 100).await.unwrap().len(), 2);
    bus.publish("t", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(within("1", heard.next()).await, BusEvent::Message(Bytes::from_static(b"1")));
}

#[tokio::test]
async fn refused_password_is_named_at_start() {
    let real = url("CODEROOM_TEST_REDIS");
    let address = real.rsplit_once('@').map_or_else(|| real.trim_start_matches("redis://"), |(_, address)| address);
    let settings = RedisSettings::new(format!("redis://nobody:wrong-secret@{address}"));
    let refused = Bus::open_redis(settings).await.unwrap_err().to_string();
    assert!(refused.contains("user or password refused") && !refused.contains("wrong-secret"), "{refused}");
}

#[tokio::test]
async fn missing_server_is_named_at_start() {
    let refused = Bus::open_redis(RedisSettings::new("redis://127.0.0.1:1")).await.unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1:1"), "{refused}");
}
