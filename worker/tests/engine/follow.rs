//! Many lines to several followers.

use std::time::Duration;

use coderoom_protocol::ids::RunId;
use coderoom_worker::{
    log::{LogEvent, LogReader},
    runs::Runs,
};
use sha2::{Digest, Sha256};

use crate::place::Place;

/// Reads to the end with a pause after each piece; gives the size, the SHA-256 and that of the end event.
async fn follow(runs: Runs, run: RunId, max_bytes: usize, pause: Duration) -> (u64, String, String) {
    let mut reader = LogReader::open(&runs, run, 0).await.unwrap();
    let (mut hash, mut next) = (Sha256::new(), 0);
    loop {
        match reader.next(max_bytes).await.unwrap() {
            LogEvent::Piece(piece) => {
                assert_eq!(piece.offset, next, "no gap and nothing twice");
                next = piece.end();
                hash.update(&piece.bytes);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            LogEvent::End { size, sha256, truncated } => {
                assert!(!truncated);
                return (size, hex::encode(hash.finalize()), sha256);
            }
            LogEvent::Wait => panic!("next never says wait"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_lines_reach_slow_and_fast_followers_whole() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let script = "i=0; pad=$(printf %080d 0); seq -f \"%09.0f $pad\" 0 199999";
    let run = place.submit_alone(ana, script).await;
    let mut expected = Sha256::new();
    let mut size = 0;
    for line in 0..200_000 {
        let line = format!("{line:09} {:080}\n", 0);
        size += line.len() as u64;
        expected.update(line);
    }
    let expected = hex::encode(expected.finalize());
    let mut followers = Vec::new();
    for _ in 0..8 {
        followers.push(tokio::spawn(follow(place.runs.clone(), run, 65_536, Duration::ZERO)));
    }
    followers.push(tokio::spawn(follow(place.runs.clone(), run, 65_536, Duration::from_millis(5))));
    followers.push(tokio::spawn(follow(place.runs.clone(), run, 10_000, Duration::ZERO)));
    for follower in followers {
        let followed = tokio::time::timeout(Duration::from_secs(60), follower).await.expect("the end comes").unwrap();
        assert_eq!(followed, (size, expected.clone(), expected.clone()));
    }
    assert_eq!(place.run(run).await.log_bytes, size);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_beyond_its_cap_keeps_head_and_tail_and_says_so() {
    let place = Place::with(|settings| settings.limits.log_bytes = 1 << 20).await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "seq 0 999999").await;
    let run = place.ended(run).await;
    assert!(run.log_truncated, "{run:?}");
    let log = place.log(run.id).await;
    assert!(log.len() <= (1 << 20) + 4096, "{} bytes", log.len());
    assert!(log.starts_with("0\n1\n2\n") && log.ends_with("999998\n999999\n"));
    assert!(place.runs.log_status(run.id).await.unwrap().truncated);
}

/// Not a test of anything that holds on every machine: prints what was measured.
/// `cargo test --profile release-lite -p coderoom-worker --test engine -- --ignored --nocapture million`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for release builds"]
async fn million_lines_to_ten_followers() {
    let place = Place::with(|settings| settings.limits.log_bytes = 128 << 20).await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    for _ in 0..3 {
        let submitted = std::time::Instant::now();
        let run = place.submit_alone(ana, "echo hello").await;
        place.printed(run).await;
        println!("submit to first line: {:?}", submitted.elapsed());
        place.ended(run).await;
    }
    let began = std::time::Instant::now();
    let run = place.submit_alone(ana, "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 99").await;
    let followers: Vec<_> =
        (0..10).map(|_| tokio::spawn(follow(place.runs.clone(), run, 65_536, Duration::ZERO))).collect();
    let mut size = 0;
    for follower in followers {
        size = follower.await.unwrap().0;
    }
    let took = began.elapsed();
    let megabytes = size as f64 / 1e6;
    println!("{megabytes:.0} MB to 10 followers in {took:?}: {:.1} MB/s", megabytes / took.as_secs_f64());
    let began = std::time::Instant::now();
    let again = follow(place.runs.clone(), run, 65_536, Duration::ZERO).await;
    println!("read again in {:?}", began.elapsed());
    assert_eq!(again.0, size);
    engine.shutdown(Duration::from_secs(5)).await;
}
