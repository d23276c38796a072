//! Each misbehaviour, as a client sees it.

use std::time::Duration;

use coderoom_tests::{
    kubernetes::faults::{Cut, Failing},
    wait::until,
};
use kube::api::{ListParams, LogParams, PostParams};

use super::bench::{Bench, job, name_of};

fn ready(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.into_iter().find(|one| one.type_ == "Ready").map(|one| one.status).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_connections_come_back() {
    let bench = Bench::start().await;
    bench.run("while", "sleep 20", "Running").await;
    bench.simulator.faults().refuse_connections(Duration::from_millis(700));
    let refused = until(|| async {
        match bench.jobs.list(&ListParams::default()).await {
            Err(error) => Ok(error),
            Ok(_) => Err("it still answers"),
        }
    })
    .await;
    assert!(!matches!(refused, kube::Error::Api(_)), "{refused} should be no answer at all");
    until(|| async { bench.jobs.list(&ListParams::default()).await }).await;
    assert_eq!(bench.simulator.running_containers(), 1, "containers run on meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_answered_as_often_as_told() {
    let bench = Bench::start().await;
    let failing = Failing { method: "POST".to_owned(), path: "/jobs".to_owned(), code: 500, times: 1 };
    bench.simulator.faults().fail_requests(failing);
    let failed = bench.jobs.create(&PostParams::default(), &job("later", "true")).await.expect_err("500");
    assert!(failed.to_string().contains("etcdserver: request timed out"), "{failed}");
    bench.jobs.create(&PostParams::default(), &job("later", "true")).await.expect("the next one passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_is_cut_while_the_container_runs() {
    let bench = Bench::start().await;
    let pod = bench.run("running", "echo begun; sleep 30", "Running").await;
    bench.await_words(&pod, "begun").await;
    let cut = async {
        tokio::time::sleep(Duration::from_millis(200)).await; // the follow below has to be open
        bench.simulator.faults().cut_follows(Cut::Clean);
    };
    let (text, ()) = tokio::join!(bench.follow(&pod, None), cut);
    assert!(text.contains("begun"));
    assert_eq!(bench.simulator.running_containers(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_node_shows_not_ready_and_returns_with_the_whole_log() {
    let bench = Bench::start().await;
    let pod = bench.run("lost", "echo one; sleep 4; echo two", "Running").await;
    bench.simulator.faults().lose_node();
    let refused = bench.pods.logs(name_of(&pod), &LogParams::default()).await.expect_err("no kubelet");
    assert!(refused.to_string().contains("10250"), "{refused}");
    until(|| async {
        let pod = bench.pods.get(name_of(&pod)).await.map_err(|error| error.to_string())?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        if ready(&pod) == "False" && phase == "Running" {
            Ok(())
        } else {
            Err(format!("{phase}, Ready={}", ready(&pod)))
        }
    })
    .await;
    bench.simulator.faults().return_node();
    bench.pod_in("lost", "Succeeded").await;
    let log = bench.pods.logs(name_of(&pod), &LogParams::default()).await.expect("a log");
    assert_eq!(log, "one\ntwo\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evicted_pod_has_lost_its_log() {
    let bench = Bench::start().await;
    let pod = bench.run("evicted", "echo one; sleep 60", "Running").await;
    bench.simulator.evict("demo", name_of(&pod), "The node was low on resource: memory.");
    let pod = bench.pod_in("evicted", "Failed").await;
    assert_eq!(pod.status.as_ref().and_then(|status| status.reason.as_deref()), Some("Evicted"));
    let log = bench.pods.logs(name_of(&pod), &LogParams::default()).await.expect("it looks like a log");
    assert!(log.starts_with("unable to retrieve container logs for containerd://"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_for_memory_is_named() {
    let bench = Bench::start().await;
    let pod = bench.run("memory", "sleep 60", "Running").await;
    bench.simulator.kill_for_memory("demo", name_of(&pod));
    let pod = bench.pod_in("memory", "Failed").await;
    let container = pod.status.and_then(|status| status.container_statuses).unwrap_or_default().remove(0);
    let ended = container.state.and_then(|state| state.terminated).expect("ended");
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (137, Some("OOMKilled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pod_waits_for_its_image_and_starts_when_it_comes() {
    let bench = Bench::start().await;
    bench.simulator.faults().lose_images(true);
    let pod = bench.run("image", "echo here", "Pending").await;
    until(|| async {
        let refused = bench.pods.logs(name_of(&pod), &LogParams::default()).await;
        match refused {
            Err(error) if error.to_string().contains("pull") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    bench.simulator.faults().lose_images(false);
    bench.pod_in("image", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_when_the_simulator_ends() {
    let bench = Bench::start().await;
    let directory = bench.simulator.kubeconfig().parent().expect("a directory").to_owned();
    bench.run("left", "sleep 987654", "Running").await;
    drop(bench);
    assert!(!directory.exists(), "its files are gone");
    until(|| async {
        let left = std::fs::read_dir("/proc").expect("processes").flatten().any(|process| {
            std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep\0987654"))
        });
        if left { Err("the container still runs") } else { Ok(()) }
    })
    .await;
}
