//! Two nodes over services of the benchmark's own: how long an edit takes from one to the other.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use super::{
    Finding,
    member::{Member, wait},
    own_cluster, percentile_ms,
};
use crate::{person::Person, typist::Typist};

/// Edits, one after the other.
const EDITS: u64 = 500;
/// Edits of the burst.
const BURST: u64 = 2_000;

/// Edit on one node to delivery on the other, and messages between them.
pub async fn two_nodes() -> Vec<Finding> {
    let (cluster, _services) = own_cluster().await;
    let settings = [("CODEROOM_SOCKETS_FRAMES_PER_SECOND", "1000000")];
    let one = cluster.server(&settings).await;
    let two = cluster.server(&settings).await;
    let (ann, bob) = (Person::admin(&one), Person::admin(&two));
    let task = ann.create_task("two nodes", "python").await;
    ann.write(task, "a.txt", "").await;
    let mut writer = Member::join(&ann, task, "a.txt").await;
    let reader = Member::join(&bob, task, "a.txt").await;
    writer.synced().await;
    reader.synced().await;
    let mut typist = Typist::new(6_000_000);
    let before = published(&ann).await;
    let mut waits = Vec::new();
    for sent in 1..=EDITS {
        let began = Instant::now();
        writer.send(&typist.next_update()).await;
        while reader.heard.characters.load(Relaxed) < sent {
            // What came between looking and listening is found by looking again.
            let _ = tokio::time::timeout(Duration::from_millis(1), reader.heard.news.notified()).await;
            assert!(began.elapsed() < Duration::from_secs(10), "edit {sent} does not arrive");
        }
        waits.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let alone = (published(&ann).await - before) / EDITS as f64;
    let before = published(&ann).await;
    for _ in 0..BURST {
        writer.feed(&typist.next_update()).await;
    }
    writer.flush().await;
    wait(|| reader.heard.characters.load(Relaxed) >= EDITS + BURST, "the burst to arrive").await;
    let burst = (published(&ann).await - before) / BURST as f64;
    vec![
        Finding::at_most(
            "two nodes: edit on one to delivery on the other, p50",
            percentile_ms(&mut waits, 0.5),
            10.0,
            "ms",
        ),
        Finding::at_most("the same, p99", percentile_ms(&mut waits, 0.99), 50.0, "ms"),
        Finding::at_most(
            format!("messages between nodes for an edit ({burst:.3} in a burst of {BURST})"),
            alone,
            1.0,
            "",
        ),
    ]
}

/// Messages that a node has published to the others.
async fn published(person: &Person) -> f64 {
    let metrics = person.send(reqwest::Method::GET, "/metrics").await.text().await.expect("metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix("coderoom_publishes_total "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0.0)
}
