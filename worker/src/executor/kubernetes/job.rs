//! The shape of a run's Job. Pure: settings, request and spec in, Job out.
//!
//! The container runs `coderoom-supervisor pod`. Its environment holds the run's spec (`CODEROOM_SPEC`) and where its
//! directories are (`CODEROOM_WORK`, `CODEROOM_TMP`, `CODEROOM_DATA`); volumes are mounted at just these places, the data
//! sets below the third. It has no port, no probe and no standard input; what it says goes to its standard output.

use std::collections::BTreeMap;

use coderoom_protocol::ids::RunId;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            Capabilities, Container, EmptyDirVolumeSource, EnvVar, LocalObjectReference, PodSecurityContext, PodSpec,
            PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext, Toleration, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use sha2::{Digest as _, Sha256};

use super::settings::KubernetesSettings;
use crate::{
    executor::StartRequest,
    supervisor::pod_spec::{DATA_VARIABLE, SPEC_VARIABLE, TMP_VARIABLE, WORK_VARIABLE},
};

/// The one container's name.
pub(super) const CONTAINER: &str = "main";
/// Label with the run's id.
pub(super) const RUN_LABEL: &str = "coderoom/run";
/// Label with the task's id.
const TASK_LABEL: &str = "coderoom/task";
/// Label with a hash of the user's id, so that objects in the cluster do not name people.
const USER_LABEL: &str = "coderoom/user";
/// Who makes and removes these objects.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Which deployment they belong to.
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// What they are: network policies choose by it.
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Label by which Kueue takes a Job into its queue.
const KUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// Directories in the container.
const WORK: &str = "/work";
const TMP: &str = "/tmp";
const DATA: &str = "/datasets";

/// Room for the container's own log and layer beside its volumes, in bytes: five log files of 10 MiB and as much again.
const OTHER_DISK_BYTES: u64 = 128 << 20;
/// What the supervisor may need after the command has ended: killing, packing and storing `output/`, in seconds.
const TIDY_SECONDS: u64 = 60;
/// How much later than every other limit the kubelet ends the pod, in seconds.
const LAST_RESORT_SECONDS: u64 = 300;

/// Name of a run's Job.
pub(super) fn name(run: RunId) -> String {
    format!("run-{run}")
}

/// Selects the Jobs and pods of this deployment.
pub(super) fn selector(settings: &KubernetesSettings) -> String {
    format!("{MANAGED_BY_LABEL}=coderoom,{INSTANCE_LABEL}={}", settings.instance)
}

/// Whether an object with these labels is this run's, made by this deployment.
pub(super) fn is_ours(labels: Option<&BTreeMap<String, String>>, settings: &KubernetesSettings, run: RunId) -> bool {
    let has = |key: &str, value: &str| labels.and_then(|labels| labels.get(key)).is_some_and(|found| found == value);
    has(MANAGED_BY_LABEL, "coderoom") && has(INSTANCE_LABEL, &settings.instance) && has(RUN_LABEL, &run.to_string())
}

/// The Job of a run. `spec` is the text of [`SPEC_VARIABLE`].
pub(super) fn job(settings: &KubernetesSettings, request: &StartRequest, image: &str, spec: String) -> Job {
    let labels = labels(settings, request);
    let mut job_labels = labels.clone();
    if let Some(queue) = &settings.kueue_queue {
        job_labels.insert(KUEUE_LABEL.to_owned(), queue.clone());
    }
    Job {
        metadata: ObjectMeta {
            name: Some(name(request.run)),
            namespace: Some(settings.namespace.clone()),
            labels: Some(job_labels),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            // Never a second pod while the first may still write.
            pod_replacement_policy: Some("Failed".to_owned()),
            // No deadline here: a Job's own deadline deletes the pod, and the log with it.
            ttl_seconds_after_finished: Some(i32::try_from(settings.keep_finished.as_secs()).unwrap_or(i32::MAX)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod(settings, request, image, spec)),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

fn labels(settings: &KubernetesSettings, request: &StartRequest) -> BTreeMap<String, String> {
    let mut user = hex::encode(Sha256::digest(request.user.as_bytes()));
    user.truncate(16);
    [
        (MANAGED_BY_LABEL, "coderoom".to_owned()),
        (INSTANCE_LABEL, settings.instance.clone()),
        (COMPONENT_LABEL, "run".to_owned()),
        (RUN_LABEL, request.run.to_string()),
        (TASK_LABEL, request.task.to_string()),
        (USER_LABEL, user),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn pod(settings: &KubernetesSettings, request: &StartRequest, image: &str, spec: String) -> PodSpec {
    let limits = &request.limits;
    let user = i64::from(settings.user);
    let seconds = |ms: u64| ms.div_ceil(1000);
    let grace = seconds(limits.grace_ms).saturating_add(TIDY_SECONDS);
    let deadline = seconds(limits.wall_ms).saturating_add(grace).saturating_add(LAST_RESORT_SECONDS);
    let pull_secrets: Vec<LocalObjectReference> =
        settings.pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        // Counts from the node's first sight of the pod, so fetching the image is in it.
        active_deadline_seconds: i64::try_from(deadline.saturating_add(settings.start_limit.as_secs())).ok(),
        termination_grace_period_seconds: i64::try_from(grace).ok(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        service_account_name: settings.service_account.clone(),
        hostname: Some("run".to_owned()),
        runtime_class_name: settings.runtime_class.clone(),
        host_users: (!settings.host_users).then_some(false),
        priority_class_name: settings.priority_class.clone(),
        node_selector: Some(settings.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: Some(tolerations(settings)).filter(|all| !all.is_empty()),
        image_pull_secrets: Some(pull_secrets).filter(|all| !all.is_empty()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(user),
            run_as_group: Some(user),
            fs_group: Some(user),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(settings, request, image, spec)],
        volumes: Some(volumes(settings, request)),
        ..PodSpec::default()
    }
}

fn container(settings: &KubernetesSettings, request: &StartRequest, image: &str, spec: String) -> Container {
    let variable =
        |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), ..EnvVar::default() };
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount("work", WORK), mount("tmp", TMP)];
    mounts.extend(settings.data_sets.iter().map(|set| set.mount(DATA)));
    let resources = resources(settings, request);
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some(settings.pull_policy.as_str().to_owned()),
        command: Some(vec![settings.supervisor.clone()]),
        args: Some(vec!["pod".to_owned()]),
        env: Some(vec![
            variable(WORK_VARIABLE, WORK.to_owned()),
            variable(TMP_VARIABLE, TMP.to_owned()),
            variable(DATA_VARIABLE, DATA.to_owned()),
            variable(SPEC_VARIABLE, spec),
        ]),
        resources: Some(ResourceRequirements {
            requests: Some(resources.clone()),
            limits: Some(resources),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// The same for requests and limits: what a run may use is its own, and it is the last to be evicted.
fn resources(settings: &KubernetesSettings, request: &StartRequest) -> BTreeMap<String, Quantity> {
    let limits = &request.limits;
    let in_memory = if settings.work_in_memory { limits.disk_bytes } else { 0 };
    let memory = limits.memory_bytes.saturating_add(settings.overhead_memory_bytes).saturating_add(in_memory);
    let disk =
        (limits.disk_bytes - in_memory).saturating_add(tmp_bytes(settings, request)).saturating_add(OTHER_DISK_BYTES);
    [
        ("cpu", format!("{}m", limits.cpu_millis.max(1))),
        ("memory", memory.to_string()),
        ("ephemeral-storage", disk.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), Quantity(value)))
    .into()
}

fn tmp_bytes(settings: &KubernetesSettings, request: &StartRequest) -> u64 {
    settings.tmp_bytes.saturating_add(request.limits.output_bytes)
}

fn volumes(settings: &KubernetesSettings, request: &StartRequest) -> Vec<Volume> {
    let empty = |name: &str, bytes: u64, in_memory: bool| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: in_memory.then(|| "Memory".to_owned()),
            size_limit: Some(Quantity(bytes.to_string())),
        }),
        ..Volume::default()
    };
    let mut volumes = vec![
        empty("work", request.limits.disk_bytes, settings.work_in_memory),
        empty("tmp", tmp_bytes(settings, request), false),
    ];
    volumes.extend(settings.data_sets.iter().map(super::data_set::DataSet::volume));
    volumes
}

fn tolerations(settings: &KubernetesSettings) -> Vec<Toleration> {
    let toleration = |toleration: &super::settings::RunToleration| Toleration {
        key: Some(toleration.key.clone()),
        operator: Some(if toleration.value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: toleration.value.clone(),
        effect: toleration.effect.clone(),
        toleration_seconds: None,
    };
    settings.tolerations.iter().map(toleration).collect()
}

#[cfg(test)]
mod tests;
