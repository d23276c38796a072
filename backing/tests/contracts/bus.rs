//! What every twin of the bus holds while nothing breaks. Each function gets a bus without streams.

use bytes::Bytes;
use coderoom_backing::bus::{Bus, BusEvent, Entry, Subscription};

use crate::wait::{still_pending, within};

fn message(number: usize) -> Bytes {
    number.to_string().into_bytes().into()
}

async fn hear(subscription: &mut Subscription, number: usize) {
    let event = within(&format!("message {number} arrives"), subscription.next()).await;
    assert_eq!(event, BusEvent::Message(message(number)));
}

fn entry(end: u64, bytes: &'static [u8]) -> Entry {
    Entry { end, bytes: Bytes::from_static(bytes) }
}

/// Appends `count` entries of `size` bytes, each ending `size` behind the one before.
async fn fill(bus: &Bus, stream: &str, count: u64, size: usize) {
    for number in 1..=count {
        let byte = u8::try_from(number % 251).unwrap();
        bus.append(stream, number * size as u64, Bytes::from(vec![byte; size])).await.unwrap();
    }
}

/// Reads from `after` to the end and checks that entries of `size` bytes come without a gap; gives the end.
async fn read_on(bus: &Bus, stream: &str, mut after: u64, size: usize, max_bytes: usize) -> u64 {
    loop {
        let entries = bus.read(stream, after, max_bytes).await.unwrap();
        if entries.is_empty() {
            return after;
        }
        for found in entries {
            assert_eq!(found.end, after + size as u64, "entries come in order, without a gap");
            let byte = u8::try_from(found.end / size as u64 % 251).unwrap();
            assert!(found.bytes.len() == size && found.bytes.iter().all(|b| *b == byte), "wrong bytes");
            after = found.end;
        }
    }
}

pub(crate) async fn every_subscriber_hears_every_message_in_order(bus: &Bus) {
    let mut subscriptions = [bus.subscribe("t").await.unwrap(), bus.subscribe("t").await.unwrap()];
    for number in 0..200 {
        bus.publish("t", message(number)).await.unwrap();
    }
    for subscription in &mut subscriptions {
        for number in 0..200 {
            hear(subscription, number).await;
        }
    }
}

pub(crate) async fn topics_are_apart(bus: &Bus) {
    let (mut one, mut two) = (bus.subscribe("task/1").await.unwrap(), bus.subscribe("task/2").await.unwrap());
    bus.publish("task/1", message(1)).await.unwrap();
    bus.publish("task/2", message(2)).await.unwrap();
    bus.publish("nobody", message(3)).await.unwrap();
    hear(&mut one, 1).await;
    hear(&mut two, 2).await;
    still_pending("a message of another topic", one.next()).await;
}

pub(crate) async fn subscriber_hears_nothing_from_before(bus: &Bus) {
    bus.publish("t", message(1)).await.unwrap();
    drop(bus.subscribe("t").await.unwrap());
    let mut late = bus.subscribe("t").await.unwrap();
    bus.publish("t", message(2)).await.unwrap();
    hear(&mut late, 2).await;
}

pub(crate) async fn slow_subscriber_hears_that_it_lost_messages(bus: &Bus) {
    const SENT: usize = 10_000;
    let mut slow = bus.subscribe("t").await.unwrap();
    for number in 0..SENT {
        bus.publish("t", message(number)).await.unwrap();
    }
    let (mut last, mut lost) = (None, false);
    while last != Some(SENT - 1) {
        match within("the newest message", slow.next()).await {
            BusEvent::Lost => lost = true,
            BusEvent::Message(bytes) => {
                let number: usize = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
                assert!(lost || number == last.map_or(0, |last| last + 1), "a gap nobody told of");
                assert!(last < Some(number), "out of order");
                last = Some(number);
            }
        }
    }
    bus.publish("t", message(SENT)).await.unwrap();
    hear(&mut slow, SENT).await;
}

pub(crate) async fn abandoned_wait_loses_no_message(bus: &Bus) {
    let mut subscription = bus.subscribe("t").await.unwrap();
    for number in 0..50 {
        still_pending("a message nobody sent", subscription.next()).await;
        bus.publish("t", message(number)).await.unwrap();
        if number % 2 == 0 {
            hear(&mut subscription, number).await;
        } else {
            let event = tokio::time::timeout(std::time::Duration::from_secs(5), subscription.next()).await;
            assert_eq!(event.unwrap(), BusEvent::Message(message(number)));
        }
        if number == 10 {
            break;
        }
    }
}

pub(crate) async fn entries_come_back_in_order_from_any_position(bus: &Bus) {
    fill(bus, "log-1", 3000, 4000).await;
    let end = 3000 * 4000;
    assert_eq!(bus.last("log-1").await.unwrap(), Some(end));
    for after in [0, 4000, 16_000, 4_400_000, end - 4000, end] {
        assert_eq!(read_on(bus, "log-1", after, 4000, 65_536).await, end);
    }
    // A position inside an entry gives that entry whole.
    let entries = bus.read("log-1", 4001, 1).await.unwrap();
    assert_eq!(entries[0].end, 8000);
    assert_eq!(bus.read("log-1", end + 5, 100).await.unwrap(), []);
    let everything = bus.read("log-1", 0, usize::MAX).await.unwrap();
    assert_eq!(everything.len(), 3000);
}

pub(crate) async fn appending_again_is_harmless(bus: &Bus) {
    for _ in 0..3 {
        bus.append("s", 3, Bytes::from_static(b"abc")).await.unwrap();
        bus.append("s", 5, Bytes::from_static(b"de")).await.unwrap();
    }
    bus.append("s", 4, Bytes::from_static(b"late")).await.unwrap();
    bus.append("s", 5, Bytes::new()).await.unwrap();
    assert_eq!(bus.read("s", 0, 100).await.unwrap(), [entry(3, b"abc"), entry(5, b"de")]);
    let (one, two) = (bus.append("s", 9, Bytes::from_static(b"x")), bus.append("s", 9, Bytes::from_static(b"x")));
    let (one, two) = tokio::join!(one, two);
    one.unwrap();
    two.unwrap();
    assert_eq!(bus.read("s", 5, 100).await.unwrap(), [entry(9, b"x")]);
    assert_eq!(bus.last("s").await.unwrap(), Some(9));
}

pub(crate) async fn reads_are_bounded_but_never_empty_handed(bus: &Bus) {
    bus.append("s", 1_000_000, Bytes::from(vec![1; 1_000_000])).await.unwrap();
    fill_from(bus, "s", 1_000_000, 100).await;
    let first = bus.read("s", 0, 10).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].bytes.len(), 1_000_000);
    let next = bus.read("s", 1_000_000, 250).await.unwrap();
    assert!((1..=3).contains(&next.len()), "{}", next.len());
}

async fn fill_from(bus: &Bus, stream: &str, start: u64, count: u64) {
    for number in 1..=count {
        bus.append(stream, start + number * 100, Bytes::from(vec![2; 100])).await.unwrap();
    }
}

pub(crate) async fn missing_stream_is_empty(bus: &Bus) {
    assert_eq!(bus.last("none").await.unwrap(), None);
    assert_eq!(bus.read("none", 0, 100).await.unwrap(), []);
    bus.trim("none", 100).await.unwrap();
    bus.remove("none").await.unwrap();
    assert_eq!(bus.last("none").await.unwrap(), None);
}

pub(crate) async fn trimming_keeps_what_is_not_stored_elsewhere(bus: &Bus) {
    const SIZE: usize = 100_000;
    fill(bus, "s", 120, SIZE).await;
    let end = 120 * SIZE as u64;
    for up_to in [0, 50_000, 5_000_000, 9_050_000, end] {
        bus.trim("s", up_to).await.unwrap();
        let whole = up_to - up_to % SIZE as u64;
        assert_eq!(read_on(bus, "s", whole, SIZE, 1 << 20).await, end);
    }
    // What was trimmed is not appended again.
    bus.append("s", end, Bytes::from(vec![0; SIZE])).await.unwrap();
    assert_eq!(bus.last("s").await.unwrap(), Some(end));
    bus.append("s", end + 1, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(bus.read("s", end, 100).await.unwrap(), [entry(end + 1, b"x")]);
}

pub(crate) async fn removed_stream_starts_anew(bus: &Bus) {
    fill(bus, "s", 10, 1000).await;
    bus.remove("s").await.unwrap();
    assert_eq!(bus.last("s").await.unwrap(), None);
    assert_eq!(bus.read("s", 0, 100).await.unwrap(), []);
    bus.append("s", 2, Bytes::from_static(b"ab")).await.unwrap();
    assert_eq!(bus.read("s", 0, 100).await.unwrap(), [entry(2, b"ab")]);
}

pub(crate) async fn many_followers_read_a_growing_stream_whole(bus: &Bus) {
    const COUNT: u64 = 1200;
    const SIZE: u64 = 64 << 10;
    let followers = (0..10).map(|_| {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut news = bus.subscribe("s").await.unwrap();
            let mut at = 0;
            // Stays right behind the writer, also where the stream goes on in another file.
            while at < COUNT * SIZE {
                let entries = bus.read("s", at, 1 << 18).await.unwrap();
                for entry in &entries {
                    assert_eq!(entry.end, at + SIZE, "a follower missed an entry");
                    at = entry.end;
                }
                if entries.is_empty() {
                    news.next().await;
                }
            }
        })
    });
    let followers: Vec<_> = followers.collect();
    let bytes = Bytes::from(vec![1; usize::try_from(SIZE).unwrap()]);
    for number in 1..=COUNT {
        bus.append("s", number * SIZE, bytes.clone()).await.unwrap();
        bus.publish("s", Bytes::new()).await.unwrap();
    }
    for follower in followers {
        within("a follower reads to the end", follower).await.unwrap();
    }
}

/// Every claim of this suite, handed to the macro of a twin.
macro_rules! every_claim {
    ($on_twin:ident, $open:path) => {
        $on_twin!(
            bus,
            $open,
            every_subscriber_hears_every_message_in_order,
            topics_are_apart,
            subscriber_hears_nothing_from_before,
            slow_subscriber_hears_that_it_lost_messages,
            abandoned_wait_loses_no_message,
            entries_come_back_in_order_from_any_position,
            appending_again_is_harmless,
            reads_are_bounded_but_never_empty_handed,
            missing_stream_is_empty,
            trimming_keeps_what_is_not_stored_elsewhere,
            removed_stream_starts_anew,
            many_followers_read_a_growing_stream_whole,
        );
    };
}
pub(crate) use every_claim;
