//! The Job controller: one pod for a Job, its status in the recorded steps, deadline, retries, time to live.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    admission,
    changes::{random_suffix, start},
    clock::parse,
    cluster::Cluster,
    garbage::{TRACKING, delete_job, delete_pod, pods_of, release},
    job_end::{Verdict, failure_policy},
    pod_security, quota,
    resources::{JOBS, PODS},
};

/// From a Job's creation to its pod's, before scaling; milliseconds.
const FIRST_SYNC_MS: u64 = 10;
/// From a change of a pod to the Job's status, before scaling; milliseconds.
const SYNC_MS: u64 = 1_000;
/// First retry of a pod that failed or could not be created, before scaling; milliseconds.
const RETRY_POD_MS: u64 = 10_000;
const RETRY_CREATE_MS: u64 = 1_000;

struct Controller {
    cluster: Arc<Cluster>,
    namespace: String,
    name: String,
    uid: String,
    /// Pods that are in the counts.
    counted: HashSet<String>,
    succeeded: u64,
    failed: u64,
    /// No new pod before this.
    next_pod_at: Instant,
    /// Creates that were refused.
    refused: u32,
    verdict: Option<Verdict>,
    deadline_fired: bool,
}

/// Cares for one Job until it is gone.
pub(super) async fn run(cluster: Arc<Cluster>, namespace: String, name: String, uid: String) {
    cluster.pause(FIRST_SYNC_MS).await;
    let mut controller = Controller {
        cluster: cluster.clone(),
        namespace,
        name,
        uid,
        counted: HashSet::new(),
        succeeded: 0,
        failed: 0,
        next_pod_at: Instant::now(),
        refused: 0,
        verdict: None,
        deadline_fired: false,
    };
    let mut revisions = cluster.revisions();
    loop {
        revisions.borrow_and_update();
        let Some(job) = controller.job() else { return };
        if is_finished(&job) {
            controller.time_to_live(&job).await;
            return;
        }
        let seen = controller.pods_digest();
        if job["metadata"]["deletionTimestamp"].is_null() && job["spec"]["suspend"] != true {
            controller.make_pods(&job);
        }
        controller.sync_status();
        // Wait for something of this Job to change, or for a time that matters.
        let deadline = controller.deadline(&job);
        let due = controller.next_pod_at.max(Instant::now() + Duration::from_millis(1));
        let waits_for_pod = controller.wants_pod(&job);
        loop {
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return },
                () = sleep_until(deadline) => { controller.deadline_fired = true; controller.expire(); break }
                () = tokio::time::sleep_until(due), if waits_for_pod => break,
            }
            match controller.job() {
                None => return,
                Some(now) if is_finished(&now) => break,
                Some(now)
                    if now["metadata"]["resourceVersion"] != job["metadata"]["resourceVersion"]
                        && now["status"] == job["status"] =>
                {
                    break;
                }
                Some(_) if controller.pods_digest() != seen => {
                    cluster.pause(SYNC_MS).await;
                    break;
                }
                Some(_) => {}
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn is_finished(job: &Value) -> bool {
    job["status"]["conditions"].as_array().is_some_and(|conditions| {
        conditions.iter().any(|one| matches!(one["type"].as_str(), Some("Complete" | "Failed")))
    })
}

impl Controller {
    fn job(&self) -> Option<Arc<Value>> {
        self.cluster.get_same(&JOBS, &self.namespace, &self.name, &self.uid)
    }

    fn pods(&self) -> Vec<Arc<Value>> {
        pods_of(&self.cluster, &self.namespace, &self.uid)
    }

    /// What of the pods matters to the Job.
    fn pods_digest(&self) -> Vec<String> {
        self.pods()
            .iter()
            .map(|pod| {
                format!(
                    "{}{}{}{}",
                    pod["metadata"]["name"],
                    pod["metadata"]["deletionTimestamp"],
                    pod["status"]["phase"],
                    is_ready(pod)
                )
            })
            .collect()
    }

    fn wants_pod(&self, job: &Value) -> bool {
        let active =
            self.pods().iter().filter(|pod| !is_over(pod) && pod["metadata"]["deletionTimestamp"].is_null()).count();
        let waits_for_end = job["spec"]["podReplacementPolicy"] == "Failed"
            && self.pods().iter().any(|pod| !is_over(pod) && !pod["metadata"]["deletionTimestamp"].is_null());
        // A pod that is being deleted counts as failed already, unless it is to be waited for: never a second one before that.
        let replacing = job["spec"]["podReplacementPolicy"] != "Failed";
        let uncounted = self.pods().iter().any(|pod| {
            let deleted = !pod["metadata"]["deletionTimestamp"].is_null();
            (is_over(pod) || (deleted && replacing)) && !self.counted.contains(&uid_of(pod))
        });
        active == 0
            && self.verdict.is_none()
            && !uncounted
            && !waits_for_end
            && self.succeeded < 1
            && job["metadata"]["deletionTimestamp"].is_null()
            && job["spec"]["suspend"] != true
            && self.failed <= job["spec"]["backoffLimit"].as_u64().unwrap_or(6)
    }

    fn make_pods(&mut self, job: &Value) {
        if !self.wants_pod(job) || Instant::now() < self.next_pod_at {
            return;
        }
        let template = &job["spec"]["template"];
        let name = format!("{}-{}", self.name, random_suffix());
        let violation = pod_security::violation(&self.cluster, &self.namespace, &template["spec"])
            .map(|text| format!("violates {text}"));
        let refusal = violation.or_else(|| quota::refuses_pod(&self.cluster, &self.namespace, &template["spec"]));
        if let Some(why) = refusal {
            let message = format!("Error creating: pods {name:?} is forbidden: {why}");
            self.cluster.event(job, "", "Warning", "FailedCreate", &message);
            self.next_pod_at = Instant::now() + self.cluster.scaled(RETRY_CREATE_MS << self.refused.min(8));
            self.refused += 1;
            return;
        }
        let mut pod = json!({
            "metadata": {
                "name": name, "generateName": format!("{}-", self.name), "namespace": self.namespace,
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": self.uid, "controller": true, "blockOwnerDeletion": true,
                }],
                "finalizers": [TRACKING],
            },
            "spec": template["spec"],
        });
        if template["metadata"]["annotations"].is_object() {
            pod["metadata"]["annotations"] = template["metadata"]["annotations"].clone();
        }
        admission::complete_new_pod(&mut pod);
        let created = self.cluster.create(&PODS, pod);
        start(&self.cluster, &PODS, &created);
        self.cluster.event(job, "", "Normal", "SuccessfulCreate", &format!("Created pod: {name}"));
    }

    /// Brings the Job's status up to what its pods are, in the steps a watch sees.
    fn sync_status(&mut self) {
        let Some(job) = self.job() else { return };
        if job["spec"]["suspend"] == true {
            return;
        }
        let now = self.cluster.clock.now();
        let replacing = job["spec"]["podReplacementPolicy"] != "Failed";
        let (mut active, mut ready, mut terminating) = (0, 0, 0);
        let (mut new_succeeded, mut new_failed) = (Vec::new(), Vec::new());
        let mut policy = None;
        for pod in self.pods() {
            let deleted = !pod["metadata"]["deletionTimestamp"].is_null();
            if is_over(&pod) || (deleted && replacing && job["metadata"]["deletionTimestamp"].is_null()) {
                if !self.counted.contains(&uid_of(&pod)) {
                    policy = policy.or_else(|| failure_policy(&job, &pod));
                    let list = if pod["status"]["phase"] == "Succeeded" { &mut new_succeeded } else { &mut new_failed };
                    list.push((uid_of(&pod), pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
                }
                terminating += u64::from(deleted && !is_over(&pod));
            } else if deleted {
                terminating += 1;
            } else {
                active += 1;
                ready += u64::from(is_ready(&pod));
            }
        }
        let limit = job["spec"]["backoffLimit"].as_u64().unwrap_or(6);
        if self.verdict.is_none() {
            self.verdict = if !new_succeeded.is_empty() {
                Some(Verdict::complete())
            } else if let Some(verdict) = policy {
                Some(verdict)
            } else {
                (self.failed + new_failed.len() as u64 > limit).then(Verdict::backoff_limit)
            };
        }
        let verdict = self.verdict.clone();
        let counts = (self.succeeded, self.failed);
        let uncounted = (names(&new_succeeded), names(&new_failed));
        self.cluster.update(&JOBS, &self.namespace, &self.name, |job| {
            let status = &mut job["status"];
            if status["startTime"].is_null() {
                status["startTime"] = json!(now);
            }
            put_count(status, "active", active);
            put_count(status, "succeeded", counts.0);
            put_count(status, "failed", counts.1);
            status["terminating"] = json!(terminating);
            status["ready"] = json!(ready);
            let mut lists = json!({});
            for (field, uids) in [("succeeded", &uncounted.0), ("failed", &uncounted.1)] {
                if !uids.is_empty() {
                    lists[field] = json!(uids);
                }
            }
            status["uncountedTerminatedPods"] = lists;
            if let Some(verdict) = &verdict {
                verdict.put(status, false, &now);
            }
        });
        if !new_succeeded.is_empty() || !new_failed.is_empty() {
            for (uid, name) in new_succeeded.iter().chain(&new_failed) {
                self.counted.insert(uid.clone());
                release(&self.cluster, &self.namespace, name);
            }
            self.succeeded += new_succeeded.len() as u64;
            self.failed += new_failed.len() as u64;
            self.next_pod_at =
                Instant::now() + self.cluster.scaled(RETRY_POD_MS << self.failed.saturating_sub(1).min(6));
        }
        self.write_end(terminating, &now);
    }

    /// The counts, and the last condition once nothing is terminating.
    fn write_end(&self, terminating: u64, now: &str) {
        let verdict = self.verdict.clone();
        let ending = verdict.clone().filter(|_| terminating == 0);
        let before = self.job();
        let after = self.cluster.update(&JOBS, &self.namespace, &self.name, |job| {
            let status = &mut job["status"];
            put_count(status, "succeeded", self.succeeded);
            put_count(status, "failed", self.failed);
            status["uncountedTerminatedPods"] = json!({});
            if let Some(verdict) = &ending {
                verdict.put(status, true, now);
                if verdict.succeeded {
                    status["completionTime"] = json!(now);
                }
            }
        });
        if let (Some(before), Some(after), Some(verdict)) = (before, after, verdict)
            && !is_finished(&before)
            && is_finished(&after)
        {
            let (kind, reason, message) = verdict.event();
            self.cluster.event(&after, "", kind, reason, message);
        }
    }

    fn deadline(&self, job: &Value) -> Option<Instant> {
        let seconds = job["spec"]["activeDeadlineSeconds"].as_i64().filter(|_| !self.deadline_fired)?;
        // startTime is cut to whole seconds, so that it fires up to a second early.
        let end = parse(job["status"]["startTime"].as_str()?)? + i128::from(seconds) * 1_000_000_000;
        let left = u64::try_from((end - self.cluster.clock.now_ns()).max(0)).unwrap_or(0);
        Some(Instant::now() + Duration::from_nanos(left))
    }

    /// The Job's own deadline: its pods are deleted, and with them their logs.
    fn expire(&mut self) {
        self.verdict = Some(Verdict::deadline());
        let Some(job) = self.job() else { return };
        for pod in self.pods().iter().filter(|pod| !is_over(pod)) {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            delete_pod(&self.cluster, &self.namespace, name, None);
            self.cluster.event(&job, "", "Normal", "SuccessfulDelete", &format!("Deleted pod: {name}"));
        }
    }

    async fn time_to_live(&self, job: &Value) {
        let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() else { return };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if let Some(job) = self.job() {
            let _ = delete_job(&self.cluster, &job, Some("Foreground"));
        }
    }
}

fn names(pods: &[(String, String)]) -> Vec<String> {
    pods.iter().map(|(uid, _)| uid.clone()).collect()
}

fn put_count(status: &mut Value, field: &str, count: u64) {
    if count > 0 {
        status[field] = json!(count);
    } else if let Some(fields) = status.as_object_mut() {
        fields.remove(field);
    }
}

fn uid_of(pod: &Value) -> String {
    pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"]
        .as_array()
        .is_some_and(|conditions| conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}
