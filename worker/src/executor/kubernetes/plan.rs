//! What the supervisor of a pod is told: the run's files with an address for each, and where its output goes.

use std::{collections::BTreeMap, time::Duration};

use coderoom_backing::objects::{Objects, ObjectsError};
use coderoom_protocol::{ids::RunId, run::Reason};

use super::settings::KubernetesSettings;
use crate::{
    executor::{StartError, StartRequest},
    snapshot::{Manifest, output_key},
    supervisor::{
        pod_spec::{FetchPlan, MAX_POD_SPEC_BYTES, Pace, Plan, PodSpec},
        spec::Rlimits,
    },
};

/// How much longer than needed addresses are valid: clocks differ, and a stopped run still stores its output.
const ADDRESS_SLACK: Duration = Duration::from_secs(15 * 60);
/// Processes of ours beside the user's.
const OWN_PROCESSES: u64 = 4;

/// Object key of a plan that is too long for the Job. It goes when the run is deleted; its addresses are dead long before.
fn plan_key(run: RunId) -> String {
    format!("runs/{run}/plan.json")
}

/// The text of the spec variable.
pub(super) async fn spec(
    settings: &KubernetesSettings,
    objects: &Objects,
    request: &StartRequest,
    nonce: &str,
) -> Result<String, StartError> {
    let manifest = manifest(objects, &request.manifest_key).await?;
    let until_start = settings.start_limit + ADDRESS_SLACK;
    let limits = &request.limits;
    let until_end = until_start + Duration::from_millis(limits.wall_ms.saturating_add(limits.grace_ms));
    let mut urls = BTreeMap::new();
    let mut keys: Vec<&str> = manifest.files.iter().filter_map(|file| file.blob_key.as_deref()).collect();
    if manifest.files.iter().any(|file| file.blob_key.is_none()) {
        keys.push(&manifest.code_key);
    }
    for key in keys {
        if !urls.contains_key(key) {
            urls.insert(key.to_owned(), fetch_address(objects, key, until_start).await?);
        }
    }
    let output = output_key(request.run);
    let output_url = objects.presign_put(&output, until_end).await.map_err(|error| failed(&output, &error))?;
    let mut spec = PodSpec {
        nonce: nonce.to_owned(),
        command: request.command.clone(),
        limits: limits.clone(),
        rlimits: Rlimits {
            // Without a user namespace of its own the pod's processes would be counted together with those of all
            // runs on the node: they have one user. There the node's own limit for pods has to hold.
            nproc: (!settings.host_users).then(|| limits.pids.saturating_add(OWN_PROCESSES)),
            nofile: Some(settings.max_open_files),
            address_space: None,
            file_size: Some(limits.disk_bytes),
        },
        plan: Plan::Inline(FetchPlan { manifest, urls }),
        output_url,
        pace: Pace { bytes_per_second: settings.output_bytes_per_second, burst_bytes: settings.output_burst_bytes },
        data: settings.data_sets.iter().map(|set| set.name.clone()).collect(),
    };
    let text = spec.to_variable().map_err(|error| internal(&error))?;
    if text.len() <= MAX_POD_SPEC_BYTES {
        return Ok(text);
    }
    let Plan::Inline(plan) = &spec.plan else { return Ok(text) };
    let (json, sha256) = plan.to_object().map_err(|error| internal(&error))?;
    let key = plan_key(request.run);
    objects.put(&key, json.into()).await.map_err(|error| failed(&key, &error))?;
    spec.plan = Plan::Stored { url: fetch_address(objects, &key, until_start).await?, sha256 };
    spec.to_variable().map_err(|error| internal(&error))
}

async fn manifest(objects: &Objects, key: &str) -> Result<Manifest, StartError> {
    let json = objects.get(key).await.map_err(|error| failed(key, &error))?;
    let missing = |detail: String| StartError { reason: Reason::SnapshotMissing, detail, retry: false };
    let json = json.ok_or_else(|| missing(format!("{key} is not in object storage")))?;
    serde_json::from_slice(&json).map_err(|error| missing(format!("{key} cannot be read: {error}")))
}

async fn fetch_address(objects: &Objects, key: &str, lifetime: Duration) -> Result<String, StartError> {
    let url = objects.presign(key, lifetime).await.map_err(|error| failed(key, &error))?;
    url.ok_or_else(|| StartError {
        reason: Reason::Internal,
        detail: "Object storage has no addresses that a pod could fetch from.".to_owned(),
        retry: false,
    })
}

fn failed(key: &str, error: &ObjectsError) -> StartError {
    StartError { reason: Reason::Internal, detail: format!("{key}: {error}"), retry: !error.is_permanent() }
}

fn internal(error: &serde_json::Error) -> StartError {
    StartError { reason: Reason::Internal, detail: format!("encode spec: {error}"), retry: false }
}
