//! Deletion: propagation policies, graceful pods, finalizers, namespaces.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    changes::removed,
    clock::seconds,
    cluster::Cluster,
    resources::{
        CONFIG_MAPS, EVENTS, JOBS, NAMESPACES, PODS, QUOTAS, ROLE_BINDINGS, ROLES, Resource, SECRETS, SERVICE_ACCOUNTS,
    },
    server::Answer,
};

/// How long the garbage collector takes to notice, before scaling; milliseconds.
const NOTICE_MS: u64 = 10;

/// How long it takes to let go of the pods of a Job, and then of the Job, before scaling; milliseconds.
const ORPHAN_MS: u64 = 45;
const NO_POLICY_WARNING: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to \
     remove them or set propagationPolicy=Orphan to suppress this warning";

/// The finalizer that the Job controller puts on its pods.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Deletes a Job; without a policy its pods are orphaned and run on.
pub(super) fn delete_job(cluster: &Arc<Cluster>, job: &Value, policy: Option<&str>) -> Answer {
    let text = |field: &str| job["metadata"][field].as_str().unwrap_or_default().to_owned();
    let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
    match policy {
        Some("Background") => {
            cluster.store(|store| store.remove(&JOBS, &namespace, &name));
            let shared = cluster.clone();
            cluster.spawn(async move {
                shared.pause(NOTICE_MS).await;
                delete_pods_of(&shared, &namespace, &uid);
            });
            removed(&JOBS, job)
        }
        Some("Foreground") => {
            let marked = mark_job(cluster, &namespace, &name, "foregroundDeletion");
            let shared = cluster.clone();
            cluster.spawn(async move {
                shared.pause(NOTICE_MS).await;
                delete_pods_of(&shared, &namespace, &uid);
                let mut revisions = shared.revisions();
                while !pods_of(&shared, &namespace, &uid).is_empty() {
                    if revisions.changed().await.is_err() {
                        return;
                    }
                }
                // The Job controller says so first.
                shared.pause(NOTICE_MS).await;
                shared.update(&JOBS, &namespace, &name, |job| {
                    if job["status"]["terminating"].as_u64().unwrap_or(0) > 0 {
                        job["status"]["terminating"] = json!(0);
                    }
                });
                shared.pause(NOTICE_MS).await;
                remove_same(&shared, &JOBS, &namespace, &name, &uid);
            });
            Answer::json(200, &marked.unwrap_or_default())
        }
        other => {
            let marked = mark_job(cluster, &namespace, &name, "orphan");
            let shared = cluster.clone();
            cluster.spawn(async move {
                shared.pause(ORPHAN_MS).await;
                for pod in pods_of(&shared, &namespace, &uid) {
                    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
                    shared.update(&PODS, &namespace, pod_name, |pod| {
                        pod["metadata"].as_object_mut().map(|meta| meta.remove("ownerReferences"));
                    });
                    release(&shared, &namespace, pod_name);
                }
                shared.pause(ORPHAN_MS).await;
                remove_same(&shared, &JOBS, &namespace, &name, &uid);
            });
            let mut answer = Answer::json(200, &marked.unwrap_or_default());
            if other.is_none() {
                answer.warnings.push(NO_POLICY_WARNING.to_owned());
            }
            answer
        }
    }
}

fn mark_job(cluster: &Cluster, namespace: &str, name: &str, finalizer: &str) -> Option<Value> {
    let now = cluster.clock.now();
    let marked = cluster.update(&JOBS, namespace, name, |job| {
        let meta = &mut job["metadata"];
        if meta["deletionTimestamp"].is_null() {
            meta["deletionTimestamp"] = json!(now);
            meta["deletionGracePeriodSeconds"] = json!(0);
            meta["generation"] = json!(meta["generation"].as_u64().unwrap_or(1) + 1);
            meta["finalizers"] = json!([finalizer]);
        }
    });
    marked.map(|job| Value::clone(&job))
}

fn remove_same(cluster: &Cluster, resource: &Resource, namespace: &str, name: &str, uid: &str) {
    cluster.store(|store| {
        if store.get(resource, namespace, name).is_some_and(|object| object["metadata"]["uid"] == uid) {
            store.remove(resource, namespace, name);
        }
    });
}

/// The pods that a Job owns.
pub(super) fn pods_of(cluster: &Cluster, namespace: &str, job_uid: &str) -> Vec<Arc<Value>> {
    let owned = |pod: &Arc<Value>| {
        pod["metadata"]["ownerReferences"]
            .as_array()
            .is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == job_uid))
    };
    let mut pods = cluster.list(&PODS, namespace);
    pods.retain(owned);
    pods
}

/// Takes the tracking finalizer off the Job's pods and deletes them.
pub(super) fn delete_pods_of(cluster: &Arc<Cluster>, namespace: &str, job_uid: &str) {
    for pod in pods_of(cluster, namespace, job_uid) {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        release(cluster, namespace, name);
        delete_pod(cluster, namespace, name, None);
    }
}

/// Takes the tracking finalizer off a pod; a pod that only waited for that is gone then.
pub(super) fn release(cluster: &Cluster, namespace: &str, name: &str) {
    if cluster.get(&PODS, namespace, name).is_some_and(|pod| held(&pod) && free(&pod)) {
        cluster.store(|store| store.remove(&PODS, namespace, name));
        return;
    }
    cluster.update(&PODS, namespace, name, |pod| {
        pod["metadata"].as_object_mut().map(|meta| meta.remove("finalizers"));
    });
}

/// Whether a pod is deleted and its grace is over, so that only finalizers hold it.
fn free(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null() && pod["metadata"]["deletionGracePeriodSeconds"] == 0
}

fn held(pod: &Value) -> bool {
    pod["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Removes a pod whose grace is over and that no finalizer holds.
pub(super) fn finish_if_free(cluster: &Cluster, resource: &Resource, namespace: &str, name: &str) {
    if resource == &PODS && cluster.get(&PODS, namespace, name).is_some_and(|pod| free(&pod) && !held(&pod)) {
        cluster.store(|store| store.remove(&PODS, namespace, name));
    }
}

/// Deletes a pod: at once when nothing of it runs or `grace` is 0, else after its grace, by the kubelet.
pub(super) fn delete_pod(cluster: &Cluster, namespace: &str, name: &str, grace: Option<u64>) -> Option<Value> {
    let now = cluster.clock.now_ns();
    let marked = cluster.update(&PODS, namespace, name, |pod| {
        let over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
            || pod["spec"]["nodeName"].is_null();
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        let grace = if over { 0 } else { grace.unwrap_or(own) };
        let meta = &mut pod["metadata"];
        let before = meta["deletionGracePeriodSeconds"].as_u64();
        if before.is_some_and(|before| before <= grace) {
            return;
        }
        if before.is_none() {
            meta["generation"] = json!(meta["generation"].as_u64().unwrap_or(1) + 1);
        }
        meta["deletionTimestamp"] = json!(seconds(now + i128::from(grace) * 1_000_000_000));
        meta["deletionGracePeriodSeconds"] = json!(grace);
    });
    finish_if_free(cluster, &PODS, namespace, name);
    marked.map(|pod| Value::clone(&pod))
}

/// The kubelet's last word on a deleted pod: the grace is over.
pub(super) fn end_grace(cluster: &Cluster, namespace: &str, name: &str) {
    let now = cluster.clock.now();
    cluster.update(&PODS, namespace, name, |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(now);
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    });
    finish_if_free(cluster, &PODS, namespace, name);
}

/// Deletes a namespace with all that is in it; it is gone when its pods are.
pub(super) fn delete_namespace(cluster: &Arc<Cluster>, name: &str) -> Answer {
    let now = cluster.clock.now();
    let marked = cluster.update(&NAMESPACES, "", name, |space| {
        space["metadata"]["deletionTimestamp"] = json!(now);
        space["status"]["phase"] = json!("Terminating");
    });
    for job in cluster.list(&JOBS, name) {
        let _ = delete_job(cluster, &job, Some("Background"));
    }
    for pod in cluster.list(&PODS, name) {
        let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
        release(cluster, name, pod_name);
        delete_pod(cluster, name, pod_name, None);
    }
    let (shared, name) = (cluster.clone(), name.to_owned());
    cluster.spawn(async move {
        let mut revisions = shared.revisions();
        while !shared.list(&PODS, &name).is_empty() {
            if revisions.changed().await.is_err() {
                return;
            }
        }
        for resource in [&JOBS, &EVENTS, &QUOTAS, &SECRETS, &CONFIG_MAPS, &SERVICE_ACCOUNTS, &ROLES, &ROLE_BINDINGS] {
            for object in shared.list(resource, &name) {
                let object_name = object["metadata"]["name"].as_str().unwrap_or_default();
                shared.store(|store| store.remove(resource, &name, object_name));
            }
        }
        shared.store(|store| store.remove(&NAMESPACES, "", &name));
    });
    Answer::json(200, &marked.map(|space| Value::clone(&space)).unwrap_or_default())
}
