//! The node: NotReady a while after its kubelet is gone, with its pods not Ready but still Running.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};

use super::{
    cluster::{Cluster, NODE},
    resources::{NODES, PODS},
};

/// From the kubelet's end to NotReady, before scaling; milliseconds.
const NOT_READY_MS: u64 = 44_000;

/// Watches over the node for ever.
pub(super) async fn run(cluster: Arc<Cluster>) {
    let mut faults = cluster.faults.changes();
    loop {
        let lost = cluster.faults.read(|faults| faults.node_lost);
        let due = lost.map(|since| since + cluster.scaled(NOT_READY_MS));
        let known_ready =
            cluster.get(&NODES, "", NODE).is_some_and(|node| node["status"]["conditions"][0]["status"] == "True");
        match due {
            Some(due) if known_ready && Instant::now() >= due => mark(&cluster, false),
            None if !known_ready => mark(&cluster, true),
            _ => {}
        }
        let wait = due.filter(|due| known_ready && *due > Instant::now());
        tokio::select! {
            changed = faults.changed() => if changed.is_err() { return },
            () = async { match wait {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            } } => {}
        }
    }
}

fn mark(cluster: &Cluster, ready: bool) {
    let now = cluster.clock.now();
    cluster.update(&NODES, "", NODE, |node| {
        let (status, reason, message) = if ready {
            ("True", "KubeletReady", "kubelet is posting ready status")
        } else {
            ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        };
        node["status"]["conditions"] =
            json!([{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": now}]);
    });
    if ready {
        return;
    }
    for pod in cluster
        .list(&PODS, "")
        .iter()
        .filter(|pod| pod["spec"]["nodeName"] == NODE && pod["status"]["phase"] == "Running")
    {
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
        cluster.update(&PODS, text("namespace"), text("name"), |pod| {
            for condition in
                pod["status"]["conditions"].as_array_mut().into_iter().flatten().filter(|one| one["type"] == "Ready")
            {
                condition["status"] = json!("False");
                condition["lastTransitionTime"] = json!(now);
                for field in ["reason", "message"] {
                    condition.as_object_mut().map(|fields: &mut serde_json::Map<String, Value>| fields.remove(field));
                }
            }
        });
        cluster.event(pod, "", "Warning", "NodeNotReady", "Node is not ready");
    }
}
