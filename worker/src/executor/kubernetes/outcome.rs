//! Why a run ended, from what the cluster shows of it. Pure; tested on objects of a real cluster.
//! The supervisor's own word comes first; this is for runs it could not speak for, and for what it cannot know.

use coderoom_protocol::{run::Reason, supervisor::Ending};

use super::pod_view::{Container, PodView, Scheduled};

/// Longest words of the cluster that are passed on, in bytes.
const MAX_WORDS_BYTES: usize = 600;

/// A reason and, for people, what the cluster said.
pub(super) type Cause = (Reason, Option<String>);

/// Why the container ended without an end frame. `last_words` is what the supervisor printed that was no frame.
pub(super) fn without_end(view: Option<&PodView>, last_words: Option<&str>) -> Cause {
    let Some(view) = view else {
        return (Reason::WorkerLost, Some("Its pod was deleted by somebody outside of coderoom.".to_owned()));
    };
    if let Some(cause) = by_cluster(view) {
        return cause;
    }
    match &view.container {
        Container::Terminated { reason, .. } if reason == "OOMKilled" => (Reason::OutOfMemory, None),
        Container::Terminated { reason, message, .. }
            if ["StartError", "ContainerCannotRun", "RunContainerError"].contains(&reason.as_str()) =>
        {
            (Reason::Internal, said("Its container could not be started:", message))
        }
        Container::Terminated { reason, .. } if reason == "ContainerStatusUnknown" => (Reason::NodeLost, None),
        Container::Terminated { exit_code: 125, .. } => {
            (Reason::Internal, said("The supervisor gave up:", last_words.unwrap_or_default()))
        }
        Container::Terminated { exit_code: 137, .. } => {
            (Reason::WorkerLost, Some("Its container was killed from outside.".to_owned()))
        }
        Container::Terminated { exit_code, .. } => {
            let words = format!("The end of its log was lost; the container ended with exit code {exit_code}.");
            (Reason::Internal, Some(words))
        }
        _ if view.node_silent => (Reason::NodeLost, None),
        _ => (Reason::WorkerLost, Some("Its pod was deleted by somebody outside of coderoom.".to_owned())),
    }
}

/// What only the cluster knows: it took the pod away, or refused it.
fn by_cluster(view: &PodView) -> Option<Cause> {
    let message = view.message.as_deref().unwrap_or_default();
    match view.reason.as_deref() {
        Some("Evicted") if is_own_disk(message) => return Some((Reason::DiskLimit, said("", message))),
        Some("Evicted") => return Some((Reason::Evicted, said("", message))),
        Some("DeadlineExceeded") => return Some((Reason::TimeLimit, None)),
        Some("NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated") => {
            return Some((Reason::NodeLost, said("", message)));
        }
        Some("UnexpectedAdmissionError" | "NodeAffinity" | "NodeName") => {
            return Some((Reason::Unschedulable, said("", message)));
        }
        Some(reason) if reason.starts_with("OutOf") => return Some((Reason::Unschedulable, said("", message))),
        _ => {}
    }
    let (kind, words) = view.disruption.as_ref()?;
    match kind.as_str() {
        "DeletionByTaintManager" | "DeletionByPodGC" => Some((Reason::NodeLost, said("", words))),
        "TerminationByKubelet" if is_own_disk(words) => Some((Reason::DiskLimit, said("", words))),
        _ => Some((Reason::Evicted, said("", words))),
    }
}

/// Whether an eviction was for the pod's own use of disk, and not for want of it on the node.
fn is_own_disk(message: &str) -> bool {
    message.contains("EmptyDir volume") || message.contains("exceeds the") || message.contains("exceeded its local")
}

/// Corrects what the supervisor said by what the cluster knows: that it was asked to end says nothing about who asked,
/// and who was killed for memory is not always seen from inside.
pub(super) fn correct(ending: &mut Ending, view: Option<&PodView>, stopped_by_us: bool) {
    let oom = view
        .is_some_and(|view| matches!(&view.container, Container::Terminated { reason, .. } if reason == "OOMKilled"));
    match ending.reason {
        Reason::StoppedBy if !stopped_by_us => {
            let cause = view.and_then(by_cluster);
            (ending.reason, ending.detail) = cause.unwrap_or_else(|| without_end(None, None));
        }
        Reason::Signal | Reason::ExitCode if oom && ending.exit_code != Some(0) => {
            (ending.reason, ending.detail) = (Reason::OutOfMemory, None);
        }
        _ => {}
    }
}

/// Whether the cluster may know better than this ending, and is worth waiting for. A child that was killed for memory
/// is seen by the runtime, but not under every runtime by the supervisor; whoever used little was not killed for it.
pub(super) fn is_doubtful(ending: &Ending, stopped_by_us: bool, memory_bytes: u64) -> bool {
    match ending.reason {
        Reason::StoppedBy => !stopped_by_us,
        Reason::Signal | Reason::ExitCode if ending.exit_code != Some(0) => {
            let killed = ending.signal == Some(9) || ending.exit_code == Some(137);
            killed || ending.peak_memory_bytes.is_none_or(|peak| peak >= memory_bytes / 2)
        }
        _ => false,
    }
}

/// What keeps a pod from starting, in two kinds of patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It may pass: wait until the start limit.
    Passing(Cause),
    /// The image is not to be had: wait a while, since registries come back.
    Image(Cause),
    /// It never passes by itself.
    Lasting(Cause),
}

/// What keeps a pod from starting; `None` when nothing is known to.
pub(super) fn obstacle(view: &PodView) -> Option<Obstacle> {
    if let Scheduled::Refused(words) = &view.scheduled {
        return Some(Obstacle::Passing((Reason::Unschedulable, said("", words))));
    }
    let Container::Waiting { reason, message } = &view.container else { return None };
    let image = (Reason::ImageMissing, said("", message));
    match reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "ImageInspectError" | "RegistryUnavailable" => {
            Some(Obstacle::Image(image))
        }
        "ErrImageNeverPull" | "InvalidImageName" => Some(Obstacle::Lasting(image)),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Obstacle::Passing((Reason::Internal, said("Its container could not be made:", message))))
        }
        _ => None,
    }
}

/// The same from a warning event of its Job or pod: `reason` and `message` of the event.
pub(super) fn obstacle_in_event(reason: &str, message: &str) -> Option<Cause> {
    match reason {
        "FailedCreate" if message.contains("exceeded quota") => Some((Reason::Quota, said("", message))),
        "FailedCreate" => Some((Reason::Internal, said("The cluster refuses its pod:", message))),
        "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox" => {
            Some((Reason::Internal, said("The machine could not prepare its pod:", message)))
        }
        "FailedScheduling" => Some((Reason::Unschedulable, said("", message))),
        _ => None,
    }
}

/// Words of the cluster after words of ours, cut to what a person reads.
fn said(prefix: &str, words: &str) -> Option<String> {
    let words = words.trim();
    if words.is_empty() {
        return None;
    }
    let mut end = words.len().min(MAX_WORDS_BYTES);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    Some(format!("{prefix} {}", &words[..end]).trim().to_owned())
}

#[cfg(test)]
mod tests;
