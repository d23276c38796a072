//! What is collected from `output/`.

use super::bench::bench;

#[tokio::test]
async fn files_below_output_are_collected() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("mkdir -p output/a && echo one > output/a/1.txt && echo two > output/2.txt").await;
    let names: Vec<&str> = outcome.output.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["2.txt", "a/1.txt"]);
    assert_eq!(outcome.output[1].1, b"one\n");
    assert!(outcome.ending.output_bytes > 0);
    assert!(bench.sh("true").await.output.is_empty());
}

#[tokio::test]
async fn links_pipes_and_giants_are_left_out() {
    let Some(bench) = bench().await else { return };
    let command = "mkdir output && ln -s /etc/passwd output/passwd && ln -s / output/root && mkfifo output/pipe && \
                   truncate -s 1T output/sparse 2>/dev/null; touch output/x; truncate -s 60M output/zero; \
                   head -c 20M /dev/urandom > output/noise; echo fine > output/fine; exit 0";
    let outcome = bench.sh(command).await;
    let names: Vec<&str> = outcome.output.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["fine", "x", "zero"], "{:?}", outcome.ending);
    assert!(String::from_utf8(outcome.sys).unwrap().contains("left out"));
    assert!(bench.sh("ln -s /etc output").await.output.is_empty());
}

#[tokio::test]
async fn output_is_collected_after_a_failure_too() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("mkdir output; echo partial > output/p; exit 1").await;
    assert_eq!(outcome.output.len(), 1);
}
