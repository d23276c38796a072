//! A simulator with a client on it, and short ways to what the tests do.

use std::time::Duration;

use coderoom_tests::{
    kubernetes::{Simulator, options::Options},
    wait::until,
};
use futures_util::AsyncReadExt;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, Config,
    api::{ListParams, LogParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

/// A cluster, and its administrator's client.
pub(crate) struct Bench {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    pub(crate) jobs: Api<Job>,
    pub(crate) pods: Api<Pod>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        // Already installed is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let client = client(simulator.kubeconfig()).await;
        Self {
            jobs: Api::namespaced(client.clone(), "demo"),
            pods: Api::namespaced(client.clone(), "demo"),
            simulator,
            client,
        }
    }

    /// Creates a Job that runs a shell command, and waits until its pod is in `phase`.
    pub(crate) async fn run(&self, name: &str, command: &str, phase: &str) -> Pod {
        self.jobs.create(&PostParams::default(), &job(name, command)).await.expect("the job is created");
        self.pod_in(name, phase).await
    }

    pub(crate) async fn pod_in(&self, name: &str, phase: &str) -> Pod {
        until(|| async {
            let pods = self
                .pods
                .list(&ListParams::default().labels(&format!("job-name={name}")))
                .await
                .map_err(|error| error.to_string())?;
            let pod = pods.items.into_iter().next().ok_or_else(|| format!("{name} has no pod"))?;
            let now = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
            if now == phase { Ok(pod) } else { Err(format!("the pod of {name} is {now}, not {phase}")) }
        })
        .await
    }

    /// Reads a follow to its end.
    pub(crate) async fn follow(&self, pod: &Pod, since: Option<k8s_openapi::jiff::Timestamp>) -> String {
        let parameters = LogParams { follow: true, timestamps: true, since_time: since, ..LogParams::default() };
        let mut stream = self.pods.log_stream(name_of(pod), &parameters).await.expect("the log opens");
        let mut text = Vec::new();
        // A broken end is an end.
        let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut text))
            .await
            .expect("the follow ends");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until the log of a pod contains `words`.
    pub(crate) async fn await_words(&self, pod: &Pod, words: &str) {
        until(|| async {
            let log = self.pods.logs(name_of(pod), &LogParams::default()).await.unwrap_or_default();
            if log.contains(words) { Ok(()) } else { Err(format!("{words:?} is not in the log: {log:?}")) }
        })
        .await;
    }
}

pub(crate) async fn client(kubeconfig: &std::path::Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a configuration");
    Client::try_from(config).expect("a client")
}

pub(crate) fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// A Job as small as can be.
pub(crate) fn job(name: &str, command: &str) -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"run-id": name}},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001},
                "containers": [{"name": "main", "image": "localhost/job:1", "command": ["/bin/sh", "-c", command]}],
            }},
        },
    }))
    .expect("a job")
}
