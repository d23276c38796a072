//! What a live log costs: `cargo run --profile release-lite -p coderoom-backing --example follow_cost`.
//!
//! One writer appends 1,000,000 lines of 100 bytes in entries of 64 KiB; ten followers are told over a topic and
//! read all of it. It prints the bytes that each follower got per second, and the CPU time of the process.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::time::Instant;

use bytes::Bytes;
use coderoom_backing::bus::Bus;

const ENTRY_BYTES: usize = 64 << 10;
const TOTAL_BYTES: u64 = 100_000_000;
const FOLLOWERS: usize = 10;

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let bus = Bus::open_local(directory.path()).await.unwrap();
    let begin = Instant::now();
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        let (bus, mut news) = (bus.clone(), bus.subscribe("log").await.unwrap());
        followers.push(tokio::spawn(async move {
            let mut at = 0;
            while at < TOTAL_BYTES {
                let entries = bus.read("log", at, 256 << 10).await.unwrap();
                for entry in &entries {
                    assert_eq!(entry.end - entry.bytes.len() as u64, at);
                    at = entry.end;
                }
                if entries.is_empty() {
                    news.next().await;
                }
            }
        }));
    }
    let mut end = 0;
    while end < TOTAL_BYTES {
        end += ENTRY_BYTES as u64;
        bus.append("log", end, Bytes::from(vec![b'x'; ENTRY_BYTES])).await.unwrap();
        bus.publish("log", Bytes::new()).await.unwrap();
    }
    for follower in followers {
        follower.await.unwrap();
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:.0} MB/s to each of {FOLLOWERS}, {:.2} s of CPU", TOTAL_BYTES as f64 / 1e6 / seconds, cpu_seconds());
}
