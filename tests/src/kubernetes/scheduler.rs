//! The scheduler of a cluster with one node.

use serde_json::{Value, json};

use super::{
    cluster::{Cluster, NODE},
    quantity,
    resources::{NODES, PODS},
};

/// From a pod's creation to its node, before scaling; milliseconds.
const SCHEDULE_MS: u64 = 8;

/// Finds the node for a pod; waits as long as there is none. `None` when the pod is gone.
pub(super) async fn schedule(cluster: &Cluster, namespace: &str, name: &str, uid: &str) -> Option<()> {
    cluster.pause(SCHEDULE_MS).await;
    let mut revisions = cluster.revisions();
    let mut faults = cluster.faults.changes();
    loop {
        revisions.borrow_and_update();
        let pod = cluster.get_same(&PODS, namespace, name, uid)?;
        let now = cluster.clock.now();
        let Some(why) = refusal(cluster, &pod) else {
            cluster.event(
                &pod,
                "",
                "Normal",
                "Scheduled",
                &format!("Successfully assigned {namespace}/{name} to {NODE}"),
            );
            cluster.update(&PODS, namespace, name, |pod| {
                pod["spec"]["nodeName"] = json!(NODE);
                pod["status"]["conditions"] =
                    json!([{"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}]);
            });
            return Some(());
        };
        let known = pod["status"]["conditions"][0]["message"] == why.as_str();
        if !known {
            cluster.update(&PODS, namespace, name, |pod| {
                pod["status"]["conditions"] = json!([{
                    "type": "PodScheduled", "observedGeneration": 1, "status": "False", "lastProbeTime": null, "lastTransitionTime": now,
                    "reason": "Unschedulable", "message": why,
                }]);
            });
            cluster.event(&pod, "", "Warning", "FailedScheduling", &why);
        }
        tokio::select! {
            changed = revisions.changed() => changed.ok()?,
            changed = faults.changed() => changed.ok()?,
        }
    }
}

/// Why the node cannot take the pod.
fn refusal(cluster: &Cluster, pod: &Value) -> Option<String> {
    let wanted = |spec: &Value, name: &str| -> u128 {
        let of = |container: &Value| container["resources"]["requests"][name].as_str().map_or(0, quantity::millis);
        spec["containers"].as_array().map_or(0, |containers| containers.iter().map(of).sum())
    };
    let mut problems = Vec::new();
    let mut helpless = true;
    if cluster.faults.read(|faults| faults.unschedulable) {
        problems.push("1 node(s) had untolerated taint(s)".to_owned());
    }
    let node = cluster.get(&NODES, "", NODE).unwrap_or_default();
    for (label, value) in pod["spec"]["nodeSelector"].as_object().into_iter().flatten() {
        if node["metadata"]["labels"][label] != *value {
            problems.push("1 node(s) didn't match Pod's node affinity/selector".to_owned());
        }
    }
    let capacities = [
        ("cpu", u128::from(cluster.options.node_cpu_millis)),
        ("memory", u128::from(cluster.options.node_memory_bytes) * 1_000),
    ];
    for (name, capacity) in capacities {
        let used: u128 = cluster
            .list(&PODS, "")
            .iter()
            .filter(|other| {
                other["spec"]["nodeName"] == NODE
                    && !matches!(other["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
            })
            .map(|other| wanted(&other["spec"], name))
            .sum();
        let request = wanted(&pod["spec"], name);
        if used + request > capacity {
            helpless &= request > capacity;
            problems.push(format!("1 Insufficient {name}"));
        }
    }
    let first = problems.first()?;
    let help = if helpless {
        "Preemption is not helpful for scheduling."
    } else {
        "No preemption victims found for incoming pod."
    };
    Some(format!(
        "0/1 nodes are available: {first}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 {help}"
    ))
}
