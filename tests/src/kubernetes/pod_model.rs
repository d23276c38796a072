//! What the kubelet knows of a pod, and the `status` that it makes of it.

use serde_json::{Map, Value, json};

use super::quantity;

/// State of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting {
        reason: String,
        message: String,
    },
    Running {
        started: String,
    },
    /// `started` and `finished` are missing when the container was never found.
    Terminated {
        code: i32,
        reason: String,
        message: String,
        started: Option<String>,
        finished: Option<String>,
    },
}

/// One container of a pod.
#[derive(Clone, Debug)]
pub(super) struct ContainerModel {
    pub(super) spec: Value,
    pub(super) init: bool,
    pub(super) state: State,
    /// `containerd://…` once it was made.
    pub(super) id: Option<String>,
}

/// A condition: type, status, reason, message, since.
type Condition = (&'static str, bool, &'static str, String, String);

/// A pod as the kubelet sees it.
#[derive(Clone, Debug)]
pub(super) struct PodModel {
    pub(super) generation: u64,
    pub(super) phase: &'static str,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) start_time: String,
    pub(super) sandbox: bool,
    pub(super) ip: Option<String>,
    /// The pod is over its deadline or evicted, though something of it may run.
    pub(super) failing: bool,
    pub(super) containers: Vec<ContainerModel>,
    conditions: Vec<Condition>,
}

impl ContainerModel {
    pub(super) fn name(&self) -> &str {
        self.spec["name"].as_str().unwrap_or_default()
    }

    pub(super) fn code(&self) -> Option<i32> {
        match &self.state {
            State::Terminated { code, .. } => Some(*code),
            _ => None,
        }
    }

    fn lost(&self) -> bool {
        matches!(&self.state, State::Terminated { reason, .. } if reason == "ContainerStatusUnknown")
    }

    fn status(&self) -> Value {
        let running = matches!(self.state, State::Running { .. });
        let state = match &self.state {
            State::Waiting { reason, message } => {
                let mut waiting = json!({"reason": reason});
                if !message.is_empty() {
                    waiting["message"] = json!(message);
                }
                json!({"waiting": waiting})
            }
            State::Running { started } => json!({"running": {"startedAt": started}}),
            State::Terminated { code, reason, message, started, finished } => {
                let mut ended =
                    json!({"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": finished});
                if !message.is_empty() {
                    ended["message"] = json!(message);
                }
                if let Some(id) = &self.id {
                    ended["containerID"] = json!(id);
                }
                json!({"terminated": ended})
            }
        };
        let image = self.spec["image"].as_str().unwrap_or_default();
        let made = self.id.is_some();
        let mut status = json!({
            "name": self.name(), "state": state, "lastState": {}, "restartCount": 0, "image": image,
            "ready": if self.init { self.code() == Some(0) } else { running },
            "imageID": if made { "sha256:73c9d1001f2313bbad99c2be1092882cf5c7d4b7782660371a75247188170b53" } else { "" },
            "started": running,
        });
        if let Some(id) = &self.id {
            status["containerID"] = json!(id);
            if self.spec["resources"]["requests"].is_object() {
                status["allocatedResources"] = self.spec["resources"]["requests"].clone();
            }
            status["resources"] = self.spec["resources"].clone();
        }
        let mounts: Vec<Value> = self.spec["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| {
                let mut shown = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
                if mount["readOnly"] == true {
                    shown["readOnly"] = json!(true);
                    shown["recursiveReadOnly"] = json!("Disabled");
                }
                shown
            })
            .collect();
        if !mounts.is_empty() {
            status["volumeMounts"] = json!(mounts);
        }
        status
    }
}

impl PodModel {
    pub(super) fn new(pod: &Value, now: &str) -> Self {
        let spec = &pod["spec"];
        let has_inits = spec["initContainers"].as_array().is_some_and(|inits| !inits.is_empty());
        let reason = if has_inits { "PodInitializing" } else { "ContainerCreating" };
        let mut containers = Vec::new();
        for (list, init) in [("initContainers", true), ("containers", false)] {
            for container in spec[list].as_array().into_iter().flatten() {
                let state = State::Waiting { reason: reason.to_owned(), message: String::new() };
                containers.push(ContainerModel { spec: container.clone(), init, state, id: None });
            }
        }
        let scheduled = pod["status"]["conditions"][0]["lastTransitionTime"].as_str().unwrap_or(now).to_owned();
        Self {
            generation: pod["metadata"]["generation"].as_u64().unwrap_or(1),
            phase: "Pending",
            reason: String::new(),
            message: String::new(),
            start_time: now.to_owned(),
            sandbox: false,
            ip: None,
            failing: false,
            containers,
            conditions: vec![("PodScheduled", true, "", String::new(), scheduled)],
        }
    }

    /// Whether every container that could run has ended.
    pub(super) fn over(&self) -> bool {
        let failed_init = self.containers.iter().any(|one| one.init && one.code().is_some_and(|code| code != 0));
        failed_init || self.containers.iter().filter(|one| !one.init).all(|one| one.code().is_some())
    }

    /// Whether it ended well.
    pub(super) fn succeeded(&self) -> bool {
        !self.failing && self.containers.iter().all(|one| one.code() == Some(0))
    }

    /// The whole `status`; conditions keep the time of their last change.
    pub(super) fn status(&mut self, now: &str, pod: &Value) -> Value {
        self.refresh_conditions(now);
        let conditions: Vec<Value> = self
            .conditions
            .iter()
            .map(|(kind, status, reason, message, since)| {
                let mut condition = json!({
                    "type": kind, "observedGeneration": self.generation, "status": if *status { "True" } else { "False" },
                    "lastProbeTime": null, "lastTransitionTime": since,
                });
                if !reason.is_empty() {
                    condition["reason"] = json!(reason);
                }
                if !message.is_empty() {
                    condition["message"] = json!(message);
                }
                condition
            })
            .collect();
        let mut status = json!({
            "observedGeneration": self.generation, "phase": self.phase, "conditions": conditions, "hostIP": "10.250.0.1",
            "hostIPs": [{"ip": "10.250.0.1"}], "startTime": self.start_time, "qosClass": pod["status"]["qosClass"],
        });
        for (field, value) in [("reason", &self.reason), ("message", &self.message)] {
            if !value.is_empty() {
                status[field] = json!(value);
            }
        }
        if let Some(ip) = &self.ip {
            status["podIP"] = json!(ip);
            status["podIPs"] = json!([{"ip": ip}]);
        }
        for (field, init) in [("initContainerStatuses", true), ("containerStatuses", false)] {
            let list: Vec<Value> =
                self.containers.iter().filter(|one| one.init == init).map(ContainerModel::status).collect();
            if !list.is_empty() {
                status[field] = json!(list);
            }
        }
        let resources = sum_resources(&self.containers);
        if let Some(requests) = resources.get("requests") {
            status["allocatedResources"] = requests.clone();
        }
        if !resources.is_empty() {
            status["resources"] = Value::Object(resources);
        }
        status
    }

    fn refresh_conditions(&mut self, now: &str) {
        let names =
            |list: Vec<&ContainerModel>| list.iter().map(|one| one.name().to_owned()).collect::<Vec<_>>().join(" ");
        let incomplete: Vec<&ContainerModel> =
            self.containers.iter().filter(|one| one.init && one.code() != Some(0)).collect();
        let mains: Vec<&ContainerModel> = self.containers.iter().filter(|one| !one.init).collect();
        let unready: Vec<&ContainerModel> =
            mains.iter().copied().filter(|one| !matches!(one.state, State::Running { .. })).collect();
        let lost = mains.iter().any(|one| one.lost());
        let completed = self.over() && self.succeeded();
        let initialized = if incomplete.is_empty() {
            (true, if completed { "PodCompleted" } else { "" }, String::new())
        } else {
            (false, "ContainersNotInitialized", format!("containers with incomplete status: [{}]", names(incomplete)))
        };
        let ready = if self.failing || (self.over() && !completed && !lost) {
            (false, "PodFailed", String::new())
        } else if completed {
            (false, "PodCompleted", String::new())
        } else if unready.is_empty() {
            (true, "", String::new())
        } else {
            (false, "ContainersNotReady", format!("containers with unready status: [{}]", names(unready)))
        };
        let new = [
            ("PodReadyToStartContainers", (self.sandbox, "", String::new())),
            ("Initialized", initialized),
            ("Ready", ready.clone()),
            ("ContainersReady", ready),
            ("PodScheduled", (true, "", String::new())),
        ];
        let old = std::mem::take(&mut self.conditions);
        self.conditions = new
            .into_iter()
            .map(|(kind, (status, reason, message))| {
                let before = old.iter().find(|(old_kind, old_status, ..)| *old_kind == kind && *old_status == status);
                let since = before.map_or_else(|| now.to_owned(), |(.., since)| since.clone());
                (kind, status, reason, message, since)
            })
            .collect();
    }
}

/// Requests and limits of the main containers together.
fn sum_resources(containers: &[ContainerModel]) -> Map<String, Value> {
    let mut sums = Map::new();
    for list in ["limits", "requests"] {
        let mut sum = Map::new();
        for container in containers.iter().filter(|one| !one.init) {
            for (name, amount) in container.spec["resources"][list].as_object().into_iter().flatten() {
                match sum.get(name).and_then(Value::as_str) {
                    None => sum.insert(name.clone(), amount.clone()),
                    Some(before) => {
                        let total = quantity::millis(before) + quantity::millis(amount.as_str().unwrap_or_default());
                        sum.insert(name.clone(), json!(format!("{}", total / 1_000)))
                    }
                };
            }
        }
        if !sum.is_empty() {
            sums.insert(list.to_owned(), Value::Object(sum));
        }
    }
    sums
}
