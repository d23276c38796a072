//! A Kubernetes API server for tests: plain HTTP on loopback, containers as local processes, behaviour as recorded.
//!
//! It speaks what an executor of Jobs needs, with the texts and the order of events of Kubernetes 1.36
//! (`tests/kubernetes/transcripts`), and can be told to misbehave ([`faults::Faults`], or `POST /simulator/FAULT`).
//! What is not like the real one is written down in `tests/kubernetes/deviations.md`.

mod access;
mod admission;
mod changes;
mod clock;
mod cluster;
mod container;
mod control;
pub mod deployment;
pub mod faults;
mod follow;
mod garbage;
mod images;
mod job_controller;
mod job_end;
mod kubelet;
mod list;
mod log_file;
mod memory_group;
mod node;
pub mod options;
mod pod_log;
mod pod_model;
mod pod_plan;
mod pod_security;
mod quantity;
mod quota;
mod resources;
mod routes;
mod scheduler;
mod selector;
mod server;
mod status;
mod store;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use self::{
    cluster::{Cluster, User},
    faults::Faults,
    options::Options,
    resources::{JOBS, PODS, Resource},
};

/// A running simulated cluster. Dropping it kills its containers and removes its files.
#[derive(Debug)]
pub struct Simulator {
    cluster: Arc<Cluster>,
    url: String,
    kubeconfig: PathBuf,
    admin_token: String,
    directory: TempDir,
}

impl Simulator {
    /// Starts a cluster; it answers when this returns.
    ///
    /// # Errors
    /// When the address is taken or no temporary directory can be made.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("coderoom-kubernetes-").tempdir().context("make a directory")?;
        // Containers run as other users and must reach their volumes.
        container::give_to(directory.path(), 0, 0, 0o755);
        let listener =
            TcpListener::bind(&options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let admin_token = format!("admin.{}", store::new_uid());
        let cluster = Cluster::new(options, directory.path().to_owned(), &admin_token);
        cluster.spawn(server::serve(cluster.clone(), address, listener));
        cluster.spawn(node::run(cluster.clone()));
        let simulator = Self {
            cluster,
            url: format!("http://{address}"),
            kubeconfig: directory.path().join("kubeconfig"),
            admin_token,
            directory,
        };
        simulator.write_kubeconfig(&simulator.kubeconfig, &simulator.admin_token, "demo")?;
        Ok(simulator)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token that may do everything.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// A kubeconfig of the administrator, with the namespace `demo`.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes a kubeconfig of a service account and gives its path; what it may do is what roles say.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> anyhow::Result<PathBuf> {
        let token = format!("{account}.{}", store::new_uid());
        let user = User::ServiceAccount { namespace: namespace.to_owned(), name: account.to_owned() };
        self.cluster.add_token(token.clone(), user);
        let path = self.directory.path().join(format!("kubeconfig-{namespace}-{account}"));
        self.write_kubeconfig(&path, &token, namespace)?;
        Ok(path)
    }

    fn write_kubeconfig(&self, path: &Path, token: &str, namespace: &str) -> anyhow::Result<()> {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: simulator\nclusters:\n- name: simulator\n  cluster:\n    server: {}\n\
             users:\n- name: simulator\n  user:\n    token: {token}\ncontexts:\n- name: simulator\n  context:\n    cluster: simulator\n    \
             user: simulator\n    namespace: {namespace}\n",
            self.url
        );
        std::fs::write(path, text).context("write the kubeconfig")
    }

    /// How to make it misbehave.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.cluster.faults
    }

    /// Evicts a pod; `message` is what the kubelet says of it.
    pub fn evict(&self, namespace: &str, pod: &str, message: &str) {
        control::evict(&self.cluster, namespace, pod, message);
    }

    /// Kills the containers of a pod as the kernel does for memory.
    pub fn kill_for_memory(&self, namespace: &str, pod: &str) {
        control::out_of_memory(&self.cluster, namespace, pod);
    }

    /// Puts the cluster's clock off.
    pub fn jump_clock(&self, delta_ms: i64) {
        self.cluster.clock.jump(delta_ms);
    }

    /// Forgets the history, so that watches from an earlier version are answered with 410.
    pub fn compact(&self) {
        self.cluster.store(store::Store::compact);
    }

    /// The Jobs of a namespace (empty: of all).
    #[must_use]
    pub fn jobs(&self, namespace: &str) -> Vec<Value> {
        self.objects(&JOBS, namespace)
    }

    /// The Pods of a namespace (empty: of all).
    #[must_use]
    pub fn pods(&self, namespace: &str) -> Vec<Value> {
        self.objects(&PODS, namespace)
    }

    fn objects(&self, resource: &Resource, namespace: &str) -> Vec<Value> {
        self.cluster.list(resource, namespace).iter().map(|object| Value::clone(object)).collect()
    }

    /// How many containers run now.
    #[must_use]
    pub fn running_containers(&self) -> usize {
        self.cluster.containers().iter().filter(|container| container.exit().is_none()).count()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.cluster.shut_down();
    }
}
