//! What of a pod matters to a run, read once from the API's object. Pure.

use k8s_openapi::api::core::v1::{ContainerState, Pod};

/// A pod, as far as it concerns a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodView {
    /// Its name.
    pub(super) name: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`. It follows the container's state by a second or two.
    pub(super) phase: String,
    /// Why the kubelet or a controller ended it: `Evicted`, `DeadlineExceeded`…
    pub(super) reason: Option<String>,
    /// The same in words.
    pub(super) message: Option<String>,
    /// Somebody deleted it; it goes when its container has ended.
    pub(super) deleting: bool,
    /// It is gone from the API; all the rest is how it was seen last.
    pub(super) gone: bool,
    /// Whether it has a node; the scheduler's words if not.
    pub(super) scheduled: Scheduled,
    /// The one container.
    pub(super) container: Container,
    /// Type and message of the condition by which the cluster says that it took the pod away.
    pub(super) disruption: Option<(String, String)>,
    /// The container runs, as far as is known, but its node no longer reports.
    pub(super) node_silent: bool,
}

/// Whether a pod has a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheduled {
    /// Nobody looked yet.
    NotYet,
    /// No node fits, in the scheduler's words.
    Refused(String),
    /// It has one.
    Yes,
}

/// The state of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// Not started, with the kubelet's reason and words.
    Waiting {
        /// `ContainerCreating`, `ImagePullBackOff`…
        reason: String,
        /// More, where there is more.
        message: String,
    },
    /// Started and not ended, as far as the kubelet has told.
    Running,
    /// Ended.
    Terminated {
        /// Exit code of process 1.
        exit_code: i32,
        /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`…
        reason: String,
        /// The runtime's words; for some reasons the program can write here.
        message: String,
    },
}

impl PodView {
    pub(super) fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = || status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
        let condition = |name: &str| conditions().find(|condition| condition.type_ == name);
        let on_a_node = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let scheduled = match condition("PodScheduled") {
            _ if on_a_node => Scheduled::Yes,
            Some(condition) if condition.status == "True" => Scheduled::Yes,
            Some(condition) if condition.reason.as_deref() == Some("Unschedulable") => {
                Scheduled::Refused(condition.message.clone().unwrap_or_default())
            }
            _ => Scheduled::NotYet,
        };
        let container = status
            .and_then(|status| status.container_statuses.as_ref()?.first()?.state.as_ref())
            .map_or_else(waiting, container);
        let disruption = condition("DisruptionTarget").filter(|condition| condition.status == "True");
        // The node's controller sets it without a reason; a kubelet that reports gives one.
        let unready = condition("Ready").is_some_and(|ready| {
            ready.status == "Unknown" || (ready.status == "False" && ready.reason.as_deref().unwrap_or("").is_empty())
        });
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
            reason: status.and_then(|status| status.reason.clone()).filter(|reason| !reason.is_empty()),
            message: status.and_then(|status| status.message.clone()).filter(|message| !message.is_empty()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            gone: false,
            scheduled,
            node_silent: unready && container == Container::Running,
            container,
            disruption: disruption.map(|condition| {
                (condition.reason.clone().unwrap_or_default(), condition.message.clone().unwrap_or_default())
            }),
        }
    }

    /// Whether nothing of it runs or will run, as far as is known.
    pub(super) fn is_over(&self) -> bool {
        self.gone || matches!(self.container, Container::Terminated { .. }) || self.phase == "Failed"
    }
}

fn waiting() -> Container {
    Container::Waiting { reason: String::new(), message: String::new() }
}

fn container(state: &ContainerState) -> Container {
    if let Some(ended) = &state.terminated {
        return Container::Terminated {
            exit_code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            message: ended.message.clone().unwrap_or_default(),
        };
    }
    if state.running.is_some() {
        return Container::Running;
    }
    let Some(waiting_for) = &state.waiting else { return waiting() };
    Container::Waiting {
        reason: waiting_for.reason.clone().unwrap_or_default(),
        message: waiting_for.message.clone().unwrap_or_default(),
    }
}
