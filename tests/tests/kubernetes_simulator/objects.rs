//! Jobs, pods and watches.

use std::time::Duration;

use coderoom_tests::wait::until;
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams, PropagationPolicy},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use super::bench::{Bench, client, job};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watcher_sees_a_job_to_its_end() {
    let bench = Bench::start().await;
    let changes = watcher(bench.jobs.clone(), watcher::Config::default()).default_backoff().applied_objects();
    let mut changes = Box::pin(changes);
    bench.jobs.create(&PostParams::default(), &job("hello", "echo hello")).await.expect("created");
    let complete = async {
        while let Ok(Some(job)) = changes.try_next().await {
            let conditions = job.status.and_then(|status| status.conditions).unwrap_or_default();
            if conditions.iter().any(|one| one.type_ == "Complete") {
                return;
            }
        }
        panic!("the watch ended before the job did");
    };
    tokio::time::timeout(Duration::from_secs(30), complete).await.expect("the job completes");
    let pod = bench.pod_in("hello", "Succeeded").await;
    let log = bench.pods.logs(super::bench::name_of(&pod), &kube::api::LogParams::default()).await.expect("a log");
    assert_eq!(log, "hello\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creates_one_is_told_409() {
    let bench = Bench::start().await;
    let (parameters, twice) = (PostParams::default(), job("twice", "sleep 5"));
    let (one, other) = tokio::join!(bench.jobs.create(&parameters, &twice), bench.jobs.create(&parameters, &twice));
    let refused = one.and(other).expect_err("one of them is refused");
    let kube::Error::Api(status) = refused else { panic!("{refused} is no answer of the API") };
    assert_eq!((status.code, status.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(bench.jobs.list(&ListParams::default()).await.expect("a list").items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn background_deletion_leaves_nothing() {
    let bench = Bench::start().await;
    bench.run("gone", "sleep 60", "Running").await;
    let parameters =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
    bench.jobs.delete("gone", &parameters).await.expect("deleted");
    assert!(bench.jobs.get_opt("gone").await.expect("an answer").is_none(), "the job is gone at once");
    until(|| async {
        let left = bench.pods.list(&ListParams::default()).await.expect("a list").items.len();
        if left + bench.simulator.running_containers() == 0 { Ok(()) } else { Err(format!("{left} pods are left")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_list_miss_nothing() {
    let bench = Bench::start().await;
    for at in 0..7 {
        bench.jobs.create(&PostParams::default(), &job(&format!("page-{at}"), "true")).await.expect("created");
    }
    let mut names = Vec::new();
    let mut parameters = ListParams::default().limit(3);
    loop {
        let page = bench.jobs.list(&parameters).await.expect("a page");
        names.extend(page.items.into_iter().filter_map(|job| job.metadata.name));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, (0..7).map(|at| format!("page-{at}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watcher_recovers_from_410() {
    let bench = Bench::start().await;
    let mut changes =
        Box::pin(watcher(bench.jobs.clone(), watcher::Config::default()).default_backoff().touched_objects());
    bench.jobs.create(&PostParams::default(), &job("before", "true")).await.expect("created");
    let first = tokio::time::timeout(Duration::from_secs(20), changes.try_next())
        .await
        .expect("in time")
        .expect("no error")
        .expect("a job");
    assert_eq!(first.metadata.name.as_deref(), Some("before"));
    bench.simulator.faults().expire_watches();
    bench.simulator.compact();
    bench.jobs.create(&PostParams::default(), &job("after", "true")).await.expect("created");
    let recovered = async {
        let mut errors = 0;
        while let Some(item) = changes.next().await {
            match item {
                Err(_) => errors += 1,
                Ok(job) if job.metadata.name.as_deref() == Some("after") => return errors,
                Ok(_) => {}
            }
        }
        panic!("the watch ended");
    };
    let errors = tokio::time::timeout(Duration::from_secs(30), recovered).await.expect("the watcher lists again");
    assert!(errors >= 1, "410 comes as an error once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minimal_role_suffices_and_no_more() {
    let bench = Bench::start().await;
    let kubeconfig = bench.simulator.kubeconfig_of("demo", "runner").expect("a kubeconfig");
    let runner = client(&kubeconfig).await;
    let jobs: Api<Job> = Api::namespaced(runner.clone(), "demo");
    let refused = jobs.list(&ListParams::default()).await.expect_err("no rights yet");
    assert!(
        refused.to_string().contains("cannot list resource \"jobs\" in API group \"batch\" in the namespace \"demo\""),
        "{refused}"
    );
    let admin = |kind: &str, body: serde_json::Value| {
        let uri = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/demo/{kind}");
        let request = axum_request(&uri, &body);
        let client = bench.client.clone();
        async move { client.request::<serde_json::Value>(request).await.expect("created") }
    };
    admin(
        "roles",
        json!({"metadata": {"name": "runner"}, "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ]}),
    )
    .await;
    admin("rolebindings", json!({
        "metadata": {"name": "runner"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "runner"},
        "subjects": [{"kind": "ServiceAccount", "name": "runner", "namespace": "demo"}],
    }))
    .await;
    jobs.create(&PostParams::default(), &job("allowed", "true")).await.expect("may create");
    let pods: Api<Pod> = Api::namespaced(runner, "demo");
    let refused = pods.delete("any", &DeleteParams::default()).await.expect_err("may not delete pods");
    assert!(refused.to_string().contains("cannot delete resource \"pods\""), "{refused}");
}

fn axum_request(uri: &str, body: &serde_json::Value) -> axum::http::Request<Vec<u8>> {
    axum::http::Request::post(uri)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .expect("a request")
}
