//! The control endpoint: `POST /simulator/FAULT` with JSON, so that a simulator in a process of its own can be told to misbehave.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    faults::{Cut, Failing},
    resources::PODS,
    server::Answer,
    status::Failure,
};

/// Answers one order; 404 names those there are.
pub(super) fn answer(cluster: &Cluster, fault: &str, body: &[u8]) -> Answer {
    let order: Value = serde_json::from_slice(body).unwrap_or_default();
    let number = |field: &str| order[field].as_u64().unwrap_or_default();
    let text = |field: &str| order[field].as_str().unwrap_or_default().to_owned();
    let on = order["on"].as_bool().unwrap_or(true);
    let faults = &cluster.faults;
    match fault {
        "fail-requests" => faults.fail_requests(Failing {
            method: text("method"),
            path: text("path"),
            code: u16::try_from(number("code")).unwrap_or(500),
            times: u32::try_from(number("times")).unwrap_or(1),
        }),
        "delay-requests" => faults.delay_requests(Duration::from_millis(number("ms"))),
        "refuse-connections" => faults.refuse_connections(Duration::from_millis(number("ms"))),
        "hang-watches" => faults.hang_watches(on),
        "expire-watches" => faults.expire_watches(),
        "compact" => cluster.store(super::store::Store::compact),
        "cut-follows" => faults.cut_follows(if order["broken"] == true { Cut::Broken } else { Cut::Clean }),
        "cut-follows-after" => faults.cut_follows_after([number("bytes")]),
        "slow-follows" => faults.slow_follows(number("bytes_per_second")),
        "rotate" => faults.rotate(&text("pod"), order["skip"] == true),
        "lose-node" => faults.lose_node(),
        "return-node" => faults.return_node(),
        "refuse-scheduling" => faults.refuse_scheduling(on),
        "lose-images" => faults.lose_images(on),
        "fail-starts" => faults.fail_starts(on),
        "stick-phases" => faults.stick_phases(on),
        "jump-clock" => cluster.clock.jump(order["ms"].as_i64().unwrap_or_default()),
        "evict" => evict(cluster, &text("namespace"), &text("pod"), &text("message")),
        "out-of-memory" => out_of_memory(cluster, &text("namespace"), &text("pod")),
        _ => {
            return Failure::new(
                404,
                "NotFound",
                format!("no fault {fault:?}; see the control module for their names"),
            )
            .into();
        }
    }
    Answer::json(200, &json!({"ok": true}))
}

/// Evicts a pod as the kubelet does for too much disk.
pub(super) fn evict(cluster: &Cluster, namespace: &str, pod: &str, message: &str) {
    if let Some(uid) = uid_of(cluster, namespace, pod) {
        cluster.faults.evict(&uid, message);
    }
}

/// Kills the containers of a pod; their end says `OOMKilled`.
pub(super) fn out_of_memory(cluster: &Cluster, namespace: &str, pod: &str) {
    let Some(object) = cluster.get(&PODS, namespace, pod) else { return };
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    for container in object["spec"]["containers"].as_array().into_iter().flatten() {
        if let Some(container) = cluster.container(uid, container["name"].as_str().unwrap_or_default()) {
            container.kill_for_memory();
        }
    }
}

fn uid_of(cluster: &Cluster, namespace: &str, pod: &str) -> Option<String> {
    cluster.get(&PODS, namespace, pod)?["metadata"]["uid"].as_str().map(str::to_owned)
}
