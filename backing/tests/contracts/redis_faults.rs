//! What the bus on Redis holds while its server is killed, frozen and flushed. Each test has a server of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use coderoom_backing::bus::{Bus, BusError, BusEvent, RedisSettings, Subscription};
use coderoom_services::Redis;

use crate::wait::within;

/// Longer than any call may take while the server is gone, on a loaded machine.
const QUICK: Duration = Duration::from_secs(5);

fn settings(server: &Redis) -> RedisSettings {
    let mut settings = RedisSettings::new(server.url());
    settings.response_timeout = Duration::from_millis(700);
    settings.ping_interval = Duration::from_millis(200);
    settings.lost_interval = Duration::from_millis(500);
    settings
}

async fn open(server: &Redis) -> Bus {
    Bus::open_redis(settings(server)).await.unwrap()
}

/// Every call fails, and soon.
async fn all_fail_quickly(bus: &Bus) {
    let began = Instant::now();
    let bytes = Bytes::from_static(b"x");
    let results = [
        bus.publish("t", bytes.clone()).await,
        bus.append("s", 100, bytes).await,
        bus.read("s", 0, 1).await.map(|_| ()),
        bus.last("s").await.map(|_| ()),
        bus.trim("s", 1).await,
        bus.remove("s").await,
        bus.check().await,
    ];
    for result in results {
        assert!(matches!(result, Err(BusError::Unavailable(_))), "{result:?}");
    }
    assert!(began.elapsed() < QUICK * 7, "{:?}", began.elapsed());
}

async fn becomes_usable(bus: &Bus) {
    within("the bus answers again", async {
        while bus.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Hears `Lost`, and then nothing but what is published from now on.
async fn goes_on(bus: &Bus, subscription: &mut Subscription, text: &'static str) {
    bus.publish("t", Bytes::from_static(text.as_bytes())).await.unwrap();
    let mut lost = false;
    loop {
        match within(text, subscription.next()).await {
            BusEvent::Lost => lost = true,
            BusEvent::Message(message) => {
                assert_eq!(message, text.as_bytes());
                assert!(lost, "nobody said that messages may be missing");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_is_found_again_and_subscribers_are_told() {
    let mut server = Redis::start();
    let bus = open(&server).await;
    let mut subscription = bus.subscribe("t").await.unwrap();
    bus.append("s", 1, Bytes::from_static(b"a")).await.unwrap();
    for round in ["1", "2"] {
        server.kill();
        all_fail_quickly(&bus).await;
        // Who subscribes now is subscribed when the server is back.
        let mut meanwhile = within("subscribing does not wait", bus.subscribe("t")).await.unwrap();
        server.restart();
        becomes_usable(&bus).await;
        goes_on(&bus, &mut subscription, round).await;
        assert_eq!(within("Lost", meanwhile.next()).await, BusEvent::Lost);
        assert_eq!(bus.last("s").await.unwrap(), None, "this server keeps nothing");
        bus.append("s", 5, Bytes::from_static(b"b")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_server_holds_nobody_up() {
    let server = Redis::start();
    let bus = open(&server).await;
    let mut subscription = bus.subscribe("t").await.unwrap();
    server.pause();
    all_fail_quickly(&bus).await;
    within("subscribing does not wait for long", bus.subscribe("other")).await.unwrap();
    assert_eq!(within("Lost while it lasts", subscription.next()).await, BusEvent::Lost);
    server.resume();
    becomes_usable(&bus).await;
    // What stood in the server's queue may still come, and so may an announcement of ours that timed out.
    let mut other = bus.subscribe("u").await.unwrap();
    bus.publish("u", Bytes::from_static(b"1")).await.unwrap();
    within("a message", async { while other.next().await == BusEvent::Lost {} }).await;
    bus.append("s", 200, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(bus.last("s").await.unwrap(), Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_server_loses_streams_and_no_subscription() {
    let server = Redis::start();
    let bus = open(&server).await;
    let mut subscription = bus.subscribe("t").await.unwrap();
    bus.append("s", 10, Bytes::from_static(b"0123456789")).await.unwrap();
    server.flush();
    assert_eq!(bus.last("s").await.unwrap(), None);
    bus.append("s", 10, Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(bus.read("s", 0, 100).await.unwrap().len(), 1);
    bus.publish("t", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(within("1", subscription.next()).await, BusEvent::Message(Bytes::from_static(b"1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_out_of_order_while_the_server_comes_and_goes_under_load() {
    let mut server = Redis::start();
    let bus = open(&server).await;
    let mut subscription = bus.subscribe("t").await.unwrap();
    let publisher = tokio::spawn({
        let bus = bus.clone();
        async move {
            for number in 0_u64.. {
                let _ = bus.publish("t", number.to_be_bytes().to_vec().into()).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut last, mut lost, mut heard) = (None, 0, 0);
    for round in 0..3 {
        // Some traffic between one death and the next.
        let until = heard + 500;
        while heard < until {
            match within(&format!("messages in round {round}"), subscription.next()).await {
                BusEvent::Lost => {
                    lost += 1;
                    last = None;
                }
                BusEvent::Message(bytes) => {
                    let number = u64::from_be_bytes(bytes.as_ref().try_into().unwrap());
                    assert!(last.is_none_or(|last| number == last + 1), "{last:?} then {number}: a gap nobody told of");
                    last = Some(number);
                    heard += 1;
                }
            }
        }
        server.kill();
        server.restart();
    }
    publisher.abort();
    assert!(lost >= 2, "{lost}");
}
