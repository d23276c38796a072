//! The kubelet's care for one pod: from its node to the end of its containers, with the steps and delays that were recorded.
//! How it ends when something comes between is in `end`.

mod end;

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    clock::seconds,
    cluster::Cluster,
    container::{Container, Exit},
    images::{self, Problem},
    pod_model::{PodModel, State},
    pod_plan,
    resources::PODS,
    scheduler,
};

/// Delays before scaling, milliseconds, medians of the recordings.
const FIRST_STATUS_MS: u64 = 15;
const VOLUMES_MS: u64 = 250;
const SANDBOX_MS: u64 = 150;
const CONTAINER_MS: u64 = 70;
/// From a container's end to its `terminated` in the status.
const RELIST_MS: u64 = 700;
/// From there to the pod's phase.
const PHASE_MS: u64 = 1_100;
/// Between two tries of what does not end by itself (images, volumes, secrets).
const RETRY_MS: u64 = 14_000;

/// Why the ordinary course of a pod ends.
#[derive(Debug, PartialEq, Eq)]
enum Interrupt {
    /// The object is gone.
    Gone,
    /// It is to end within the grace, in seconds.
    Deleted(u64),
    Deadline,
    Evicted(String),
}

/// Cares for one pod until its object is gone.
pub(super) async fn run(cluster: Arc<Cluster>, namespace: String, name: String, uid: String) {
    if scheduler::schedule(&cluster, &namespace, &name, &uid).await.is_none() {
        return;
    }
    let at = Place { cluster, namespace, name, uid };
    at.cluster.pause(FIRST_STATUS_MS).await;
    let Some(pod) = at.pod() else { return };
    let model = PodModel::new(&pod, &at.cluster.clock.now());
    let mut kubelet = Kubelet { model, at: at.clone(), starting: None, running: Vec::new() };
    let deadline =
        pod["spec"]["activeDeadlineSeconds"].as_u64().map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let interrupt = tokio::select! {
        biased;
        interrupt = at.interrupted(deadline, true) => interrupt,
        () = kubelet.live() => at.interrupted(None, false).await,
    };
    kubelet.end(interrupt).await;
    at.cluster.forget_containers(&at.uid);
}

/// Which pod it is.
#[derive(Clone)]
struct Place {
    cluster: Arc<Cluster>,
    namespace: String,
    name: String,
    uid: String,
}

impl Place {
    fn pod(&self) -> Option<Arc<Value>> {
        self.cluster.get_same(&PODS, &self.namespace, &self.name, &self.uid)
    }

    fn directory(&self) -> PathBuf {
        self.cluster.directory.join("pods").join(&self.uid)
    }

    /// Waits until the kubelet is there and can speak to the API.
    async fn awake(&self) {
        let mut faults = self.cluster.faults.changes();
        while self.cluster.faults.read(|faults| faults.node_lost.is_some()) {
            if faults.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for the pod's deletion, deadline or eviction. `live` is whether it can still be evicted.
    async fn interrupted(&self, deadline: Option<Instant>, live: bool) -> Interrupt {
        let mut revisions = self.cluster.revisions();
        let mut faults = self.cluster.faults.changes();
        loop {
            self.awake().await;
            revisions.borrow_and_update();
            let Some(pod) = self.pod() else { return Interrupt::Gone };
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                return Interrupt::Deleted(pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(30));
            }
            if let Some(message) = self.cluster.faults.read(|faults| faults.evictions.remove(&self.uid))
                && live
            {
                return Interrupt::Evicted(message);
            }
            let deadline_over = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return Interrupt::Gone },
                changed = faults.changed() => if changed.is_err() { return Interrupt::Gone },
                () = deadline_over => return Interrupt::Deadline,
            }
        }
    }

    fn event(&self, container: Option<(&str, bool)>, kind: &str, reason: &str, message: &str) {
        let Some(pod) = self.pod() else { return };
        let field = container
            .map(|(name, init)| format!("spec.{}{{{name}}}", if init { "initContainers" } else { "containers" }));
        self.cluster.event(&pod, &field.unwrap_or_default(), kind, reason, message);
    }
}

struct Kubelet {
    at: Place,
    model: PodModel,
    /// Its program is not there yet.
    starting: Option<Arc<Container>>,
    /// Index in the model, and the container.
    running: Vec<(usize, Arc<Container>)>,
}

impl Kubelet {
    /// The ordinary course: start everything, wait for the end.
    async fn live(&mut self) {
        self.write_status().await;
        self.mount().await;
        self.pause(SANDBOX_MS).await;
        self.model.sandbox = true;
        self.write_status().await;
        let address: u8 = rand::random();
        self.model.ip = Some(format!("10.244.0.{}", address.max(2)));
        for at in 0..self.model.containers.len() {
            self.prepare_image(at).await;
            self.start(at).await;
            if self.model.containers.get(at).is_some_and(|container| container.init) {
                self.write_status().await;
                self.await_end(at).await;
                self.write_status().await;
                if self.model.over() {
                    break;
                }
            }
        }
        if !self.model.over() {
            self.model.phase = "Running";
            self.write_status().await;
            self.await_main_ends().await;
            self.write_status().await;
        }
        self.pause(PHASE_MS).await;
        if self.at.cluster.faults.read(|faults| faults.phases_stuck) {
            std::future::pending::<()>().await;
        }
        self.model.phase = if self.model.succeeded() { "Succeeded" } else { "Failed" };
        self.model.sandbox = false;
        self.write_status().await;
    }

    async fn mount(&self) {
        let Some(pod) = self.at.pod() else { return };
        if pod["spec"]["volumes"].as_array().is_some_and(|volumes| !volumes.is_empty()) {
            self.pause(VOLUMES_MS).await;
        }
        let mut wait_ms = 500;
        while let Err(why) = pod_plan::make_volumes(&self.at.cluster, &pod, &self.at.directory()) {
            self.at.event(None, "Warning", "FailedMount", &why);
            self.pause(wait_ms).await;
            wait_ms = (wait_ms * 2).min(122_000);
        }
    }

    /// Waits for the image; says in the status what keeps it.
    async fn prepare_image(&mut self, at: usize) {
        let mut round = 0;
        loop {
            let Some(container) = self.model.containers.get(at).cloned() else { return };
            let field = Some((container.name(), container.init));
            let image = container.spec["image"].as_str().unwrap_or_default();
            let Some(problem) = images::problem(&self.at.cluster, &container.spec) else {
                let message =
                    format!("Container image {image:?} already present on machine and can be accessed by the pod");
                self.at.event(field, "Normal", "Pulled", &message);
                return;
            };
            let (reason, message) = match &problem {
                Problem::InvalidName(text) => {
                    self.at.event(field, "Warning", "InspectFailed", text);
                    ("InvalidImageName", text.clone())
                }
                Problem::NeverPull => {
                    let text = format!("Container image {image:?} is not present with pull policy of Never");
                    self.at.event(field, "Warning", "ErrImageNeverPull", &text);
                    ("ErrImageNeverPull", text)
                }
                Problem::Pull(text) if round % 2 == 0 => {
                    self.at.event(field, "Normal", "Pulling", &format!("Pulling image {image:?}"));
                    self.at.event(field, "Warning", "Failed", &format!("Failed to pull image {image:?}: {text}"));
                    ("ErrImagePull", text.clone())
                }
                Problem::Pull(text) => {
                    self.at.event(field, "Normal", "BackOff", &format!("Back-off pulling image {image:?}"));
                    ("ImagePullBackOff", format!("Back-off pulling image {image:?}: ErrImagePull: {text}"))
                }
            };
            self.at.event(field, "Warning", "Failed", &format!("Error: {reason}"));
            self.set_state(at, State::Waiting { reason: reason.to_owned(), message });
            self.write_status().await;
            round += 1;
            self.pause(RETRY_MS).await;
        }
    }

    async fn start(&mut self, at: usize) {
        loop {
            let (Some(model), Some(pod)) = (self.model.containers.get(at).cloned(), self.at.pod()) else { return };
            let field = Some((model.name(), model.init));
            match pod_plan::plan(&self.at.cluster, &pod, &model.spec, &self.at.directory()) {
                Err(why) => {
                    self.at.event(field, "Warning", "Failed", &format!("Error: {why}"));
                    self.set_state(
                        at,
                        State::Waiting { reason: "CreateContainerConfigError".to_owned(), message: why },
                    );
                    self.write_status().await;
                    self.pause(RETRY_MS).await;
                }
                Ok(plan) => {
                    self.at.event(field, "Normal", "Created", "Container created");
                    self.pause(CONTAINER_MS).await;
                    match Container::start(&self.at.cluster, &plan) {
                        Ok(container) => {
                            self.at.cluster.add_container(&self.at.uid, container.clone());
                            self.starting = Some(container.clone());
                            container.await_process().await;
                            self.starting = None;
                            self.at.event(field, "Normal", "Started", "Container started");
                            self.set_id(at, container.id.clone());
                            self.set_state(at, State::Running { started: seconds(container.started_ns) });
                            self.running.push((at, container));
                        }
                        Err(why) => {
                            self.at.event(field, "Warning", "Failed", &format!("Error: {why}"));
                            self.pause(RELIST_MS).await;
                            self.set_id(at, format!("containerd://{}", hex::encode(rand::random::<[u8; 32]>())));
                            let state = State::Terminated {
                                code: 128,
                                reason: "StartError".to_owned(),
                                message: why,
                                started: Some("1970-01-01T00:00:00Z".to_owned()),
                                finished: Some(self.at.cluster.clock.now()),
                            };
                            self.set_state(at, state);
                            self.write_status().await;
                        }
                    }
                    return;
                }
            }
        }
    }

    async fn await_end(&mut self, at: usize) {
        let Some((_, container)) = self.running.iter().find(|(of, _)| *of == at).cloned() else { return };
        container.ended().await;
        self.pause(RELIST_MS).await;
        self.note_ends();
    }

    /// Waits for all containers; writes the status again when a lost node comes back, and rotates logs.
    async fn await_main_ends(&mut self) {
        let containers: Vec<_> = self.running.iter().map(|(_, container)| container.clone()).collect();
        let all = futures_util::future::join_all(containers.iter().map(|container| container.ended()));
        tokio::pin!(all);
        let mut faults = self.at.cluster.faults.changes();
        let mut was_lost = false;
        let place = self.at.clone();
        loop {
            let checks =
                Duration::max(place.cluster.scaled(super::options::ROTATE_CHECK_MS), Duration::from_millis(50));
            tokio::select! {
                _ = &mut all => break,
                _ = faults.changed() => {}
                () = tokio::time::sleep(checks) => {
                    let limit = place.cluster.options.rotate_bytes;
                    containers.iter().filter(|container| container.log.size() > limit).for_each(|container| container.log.rotate(false));
                }
            }
            let wanted = |pod: &String| *pod == place.name;
            while let Some(skip) = place.cluster.faults.read(|faults| {
                let at = faults.rotations.iter().position(|(pod, _)| wanted(pod))?;
                Some(faults.rotations.remove(at).1)
            }) {
                containers.iter().for_each(|container| container.log.rotate(skip));
            }
            let lost = place.cluster.faults.read(|faults| faults.node_lost.is_some());
            if was_lost && !lost {
                self.write_status().await;
            }
            was_lost = lost;
        }
        self.at.awake().await;
        self.pause(RELIST_MS).await;
        self.note_ends();
    }

    /// Takes up how containers ended.
    fn note_ends(&mut self) {
        let ended: Vec<(usize, Exit, i128)> = self
            .running
            .iter()
            .filter_map(|(at, container)| Some((*at, container.exit()?, container.started_ns)))
            .collect();
        for (at, exit, started_ns) in ended {
            let reason = match (exit.code, exit.oom) {
                (_, true) => "OOMKilled",
                (0, _) => "Completed",
                _ => "Error",
            };
            let message = self.termination_message(at, &exit);
            let (started, finished) = (Some(seconds(started_ns)), Some(seconds(exit.finished_ns)));
            self.set_state(
                at,
                State::Terminated { code: exit.code, reason: reason.to_owned(), message, started, finished },
            );
        }
        self.running.retain(|(_, container)| container.exit().is_none());
    }

    fn termination_message(&self, at: usize, exit: &Exit) -> String {
        let falls_back = self
            .model
            .containers
            .get(at)
            .is_some_and(|one| one.spec["terminationMessagePolicy"] == "FallbackToLogsOnError");
        if !exit.message.is_empty() || !falls_back || exit.code == 0 {
            return exit.message.clone();
        }
        let log = self.running.iter().find(|(of, _)| *of == at).and_then(|(_, container)| container.log.tail(2048, 80));
        log.unwrap_or_default()
    }

    async fn write_status(&mut self) {
        self.at.awake().await;
        let now = self.at.cluster.clock.now();
        let Some(pod) = self.at.pod() else { return };
        let status = self.model.status(&now, &pod);
        self.at.cluster.update(&PODS, &self.at.namespace, &self.at.name, |pod| pod["status"] = status);
    }

    fn set_state(&mut self, at: usize, state: State) {
        if let Some(container) = self.model.containers.get_mut(at) {
            container.state = state;
        }
    }

    fn set_id(&mut self, at: usize, id: String) {
        if let Some(container) = self.model.containers.get_mut(at) {
            container.id = Some(id);
        }
    }

    async fn pause(&self, milliseconds: u64) {
        self.at.cluster.pause(milliseconds).await;
    }
}
