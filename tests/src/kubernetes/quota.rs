//! Resource quotas, as the admission plugin counts them.

use serde_json::Value;

use super::{
    cluster::Cluster,
    quantity,
    resources::{JOBS, PODS, QUOTAS},
};

/// Why a Job may not be created in the namespace: what follows "is forbidden: ".
pub(super) fn refuses_job(cluster: &Cluster, namespace: &str) -> Option<String> {
    let used = cluster.list(&JOBS, namespace).len();
    cluster.list(&QUOTAS, namespace).iter().find_map(|quota| {
        let name = quota["metadata"]["name"].as_str()?;
        let hard = quota["spec"]["hard"]["count/jobs.batch"].as_str()?;
        let full = (used as u128 + 1) * 1_000 > quantity::millis(hard);
        full.then(|| format!("exceeded quota: {name}, requested: count/jobs.batch=1, used: count/jobs.batch={used}, limited: count/jobs.batch={hard}"))
    })
}

/// Why a pod with this `spec` may not be created.
pub(super) fn refuses_pod(cluster: &Cluster, namespace: &str, spec: &Value) -> Option<String> {
    let pods: Vec<_> = cluster
        .list(&PODS, namespace)
        .into_iter()
        .filter(|pod| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
        .collect();
    cluster.list(&QUOTAS, namespace).iter().find_map(|quota| {
        let name = quota["metadata"]["name"].as_str()?;
        let hard = quota["spec"]["hard"].as_object()?;
        let missing: Vec<String> = hard.keys().filter_map(|resource| unspecified(spec, resource)).collect();
        if !missing.is_empty() {
            return Some(format!("failed quota: {name}: must specify {}", missing.join("; ")));
        }
        let over: Vec<[String; 3]> = hard
            .iter()
            .filter_map(|(resource, limit)| {
                let limit = limit.as_str()?;
                let wanted = amount(spec, resource)?;
                let used: u128 = pods.iter().filter_map(|pod| amount(&pod["spec"], resource)).sum();
                let say = |amount: u128| format!("{resource}={}", show(amount, resource));
                (used + wanted > quantity::millis(limit))
                    .then(|| [say(wanted), say(used), format!("{resource}={limit}")])
            })
            .collect();
        let join = |at: usize| over.iter().map(|three| three[at].clone()).collect::<Vec<_>>().join(",");
        (!over.is_empty())
            .then(|| format!("exceeded quota: {name}, requested: {}, used: {}, limited: {}", join(0), join(1), join(2)))
    })
}

fn unspecified(spec: &Value, resource: &str) -> Option<String> {
    let (list, name) = resource.split_once('.').filter(|(list, _)| matches!(*list, "limits" | "requests"))?;
    let lacking: Vec<&str> = spec["containers"]
        .as_array()?
        .iter()
        .filter(|container| container["resources"][list][name].is_null())
        .filter_map(|container| container["name"].as_str())
        .collect();
    (!lacking.is_empty()).then(|| format!("{resource} for: {}", lacking.join(",")))
}

/// What a pod uses of a quota's resource, in thousandths.
fn amount(spec: &Value, resource: &str) -> Option<u128> {
    if matches!(resource, "pods" | "count/pods") {
        return Some(1_000);
    }
    let (list, name) = resource.split_once('.').unwrap_or(("requests", resource));
    let of = |container: &Value| container["resources"][list][name].as_str().map_or(0, quantity::millis);
    matches!(name, "cpu" | "memory" | "ephemeral-storage")
        .then(|| spec["containers"].as_array().map(|containers| containers.iter().map(of).sum()))
        .flatten()
}

fn show(amount: u128, resource: &str) -> String {
    if resource.ends_with("cpu") && !amount.is_multiple_of(1_000) {
        return format!("{amount}m");
    }
    let whole = amount / 1_000;
    if resource.ends_with("memory") && whole > 0 && whole.is_multiple_of(1 << 20) {
        return format!("{}Mi", whole >> 20);
    }
    whole.to_string()
}
