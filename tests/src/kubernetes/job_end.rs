//! How a Job ends: the pair of conditions, the event, and the pod failure policy.

use serde_json::{Value, json};

/// What has been decided of a Job.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) succeeded: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    pub(super) fn complete() -> Self {
        Self {
            succeeded: true,
            reason: "CompletionsReached",
            message: "Reached expected number of succeeded pods".to_owned(),
        }
    }

    pub(super) fn backoff_limit() -> Self {
        Self {
            succeeded: false,
            reason: "BackoffLimitExceeded",
            message: "Job has reached the specified backoff limit".to_owned(),
        }
    }

    pub(super) fn deadline() -> Self {
        Self {
            succeeded: false,
            reason: "DeadlineExceeded",
            message: "Job was active longer than specified deadline".to_owned(),
        }
    }

    /// Adds the first condition, and the last one when `last`.
    pub(super) fn put(&self, status: &mut Value, last: bool, now: &str) {
        let (first_type, last_type) =
            if self.succeeded { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") };
        for condition_type in [Some(first_type), last.then_some(last_type)].into_iter().flatten() {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            if conditions.iter().any(|one| one["type"] == condition_type) {
                continue;
            }
            let mut conditions = conditions;
            conditions.push(json!({
                "type": condition_type, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": self.reason,
                "message": self.message,
            }));
            status["conditions"] = json!(conditions);
        }
    }

    /// Type, reason and message of the event.
    pub(super) fn event(&self) -> (&'static str, &'static str, &str) {
        if self.succeeded { ("Normal", "Completed", "Job completed") } else { ("Warning", self.reason, &self.message) }
    }
}

/// What the Job's `podFailurePolicy` says of a pod that has ended: only rules that fail the Job.
pub(super) fn failure_policy(job: &Value, pod: &Value) -> Option<Verdict> {
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array()?;
    let subject = format!("pod {}/{}", pod["metadata"]["namespace"].as_str()?, pod["metadata"]["name"].as_str()?);
    rules.iter().enumerate().filter(|(_, rule)| rule["action"] == "FailJob").find_map(|(at, rule)| {
        let codes = &rule["onExitCodes"];
        let message = pod["status"]["containerStatuses"].as_array()?.iter().find_map(|container| {
            let name = container["name"].as_str()?;
            let code = container["state"]["terminated"]["exitCode"].as_i64().filter(|code| *code != 0)?;
            if codes["containerName"].as_str().is_some_and(|wanted| wanted != name) {
                return None;
            }
            let listed = codes["values"].as_array()?.iter().any(|value| value.as_i64() == Some(code));
            let hit = if codes["operator"] == "NotIn" { !listed } else { listed };
            hit.then(|| {
                format!(
                    "Container {name} for {subject} failed with exit code {code} matching FailJob rule at index {at}"
                )
            })
        });
        let message = message.or_else(|| {
            let patterns = rule["onPodConditions"].as_array()?;
            let kind = patterns.iter().find_map(|pattern| {
                let kind = pattern["type"].as_str()?;
                let conditions = pod["status"]["conditions"].as_array()?;
                conditions.iter().any(|one| one["type"] == kind && one["status"] == "True").then_some(kind)
            })?;
            let subject = subject.replacen("pod", "Pod", 1);
            Some(format!("{subject} has condition {kind} matching FailJob rule at index {at}"))
        })?;
        Some(Verdict { succeeded: false, reason: "PodFailurePolicy", message })
    })
}
