//! Logs: complete while followed, cut, resumed, rotated.

use std::collections::BTreeSet;

use kube::api::LogParams;

use super::bench::{Bench, name_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_delivers_200_000_lines() {
    let bench = Bench::start().await;
    let pod = bench.run("many", "seq 1 200000", "Running").await;
    let text = bench.follow(&pod, None).await;
    let numbers = text.lines().filter_map(|line| line.split_once(' ')?.1.parse::<u32>().ok());
    assert!(numbers.eq(1..=200_000), "every line once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_cut_cleanly_resumes_at_the_whole_second() {
    let bench = Bench::start().await;
    bench.simulator.faults().cut_follows_after([400]);
    let pod = bench.run("cut", "for i in $(seq 1 60); do echo line $i; sleep 0.05; done", "Running").await;
    let first = bench.follow(&pod, None).await;
    assert_eq!(first.len(), 400, "the follow ended cleanly after 400 bytes");
    let whole = first.lines().rfind(|line| line.len() > 31).expect("a line").to_owned();
    let seconds = |stamp: &str| stamp.get(..19).unwrap_or_default().to_owned();
    // The client rounds a time to the nearest second, which may be the next one.
    let stamp: k8s_openapi::jiff::Timestamp = format!("{}Z", seconds(&whole)).parse().expect("a time");
    let second = bench.follow(&pod, Some(stamp)).await;
    let begins = second.split(' ').next().unwrap_or_default();
    assert_eq!(seconds(begins), seconds(&whole), "the rest begins in the second of the last line");
    let lines: BTreeSet<&str> = first.lines().take(first.lines().count() - 1).chain(second.lines()).collect();
    let numbers = lines.into_iter().filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(numbers.eq(1..=60), "both together are complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_is_followed_and_a_skipped_file_is_lost() {
    let bench = Bench::start().await;
    let script =
        "echo one; read x < /proc/self/stat; sleep 1; echo two; sleep 1; echo three; sleep 1; echo four; sleep 1";
    let pod = bench.run("rotated", script, "Running").await;
    bench.await_words(&pod, "one").await;
    bench.simulator.faults().rotate(name_of(&pod), false);
    bench.await_words(&pod, "two").await;
    let newest = bench.pods.logs(name_of(&pod), &LogParams::default()).await.expect("a log");
    assert!(!newest.contains("one"), "without follow only the newest file is read: {newest:?}");
    let text = bench.follow(&pod, None).await;
    assert!(text.contains("two") && text.contains("four"), "{text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lagging_follower_loses_a_skipped_file() {
    let bench = Bench::start().await;
    bench.simulator.faults().slow_follows(20_000);
    let pod = bench.run("lagging", "seq 1 20000; sleep 2; echo end; sleep 1", "Running").await;
    let follow = bench.follow(&pod, None);
    let skip = async {
        bench.await_words(&pod, "20000").await;
        bench.simulator.faults().rotate(name_of(&pod), true);
        bench.simulator.faults().slow_follows(0);
    };
    let (text, ()) = tokio::join!(follow, skip);
    assert!(text.contains(" end\n"), "it goes on with the new file");
    assert!(!text.contains(" 20000\n"), "what was not read of the old one is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lines_and_any_bytes_pass_unchanged() {
    let bench = Bench::start().await;
    let script = "head -c 40000 /dev/zero | tr '\\0' L; echo; printf '\\377\\000x\\n'; printf no-newline";
    let pod = bench.run("bytes", script, "Succeeded").await;
    let url = format!("{}/api/v1/namespaces/demo/pods/{}/log", bench.simulator.url(), name_of(&pod));
    let answer =
        reqwest::Client::new().get(url).bearer_auth(bench.simulator.admin_token()).send().await.expect("an answer");
    let bytes = answer.bytes().await.expect("a log");
    let mut wanted = vec![b'L'; 40_000];
    wanted.extend_from_slice(b"\n\xff\x00x\nno-newline");
    assert_eq!(bytes.as_ref(), wanted.as_slice());
}
