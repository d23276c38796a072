//! What a Job looks like on the wire, and what must never be in it.

use std::path::PathBuf;

use coderoom_protocol::{
    control::Language,
    ids::{TaskId, UserId},
};
use serde_json::{Value, json};

use super::*;
use crate::executor::{
    RunLimits,
    kubernetes::{data_set::DataSet, settings::RunToleration},
};

fn request() -> StartRequest {
    StartRequest {
        run: RunId::new(),
        task: TaskId::new(),
        user: UserId::new(),
        language: Language::Python,
        command: "sh run.sh".to_owned(),
        limits: RunLimits::default(),
        manifest_key: String::new(),
    }
}

fn settings() -> KubernetesSettings {
    KubernetesSettings::new("runs", PathBuf::from("/tmp"))
}

fn json_of(settings: &KubernetesSettings, request: &StartRequest) -> Value {
    serde_json::to_value(job(settings, request, "registry.example/python:3", "{}".to_owned())).unwrap()
}

#[test]
fn plain_job_is_what_was_seen_to_work() {
    let request = request();
    let mut user = hex::encode(Sha256::digest(request.user.as_bytes()));
    user.truncate(16);
    let labels = json!({
        "app.kubernetes.io/component": "run",
        "app.kubernetes.io/instance": "coderoom",
        "app.kubernetes.io/managed-by": "coderoom",
        "coderoom/run": request.run.to_string(),
        "coderoom/task": request.task.to_string(),
        "coderoom/user": user,
    });
    let resources = json!({"cpu": "1000m", "memory": "1140850688", "ephemeral-storage": "1811939328"});
    let expected = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": format!("run-{}", request.run), "namespace": "runs", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "activeDeadlineSeconds": 1565,
                    "terminationGracePeriodSeconds": 65,
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "hostname": "run",
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "fsGroup": 65532,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "main",
                        "image": "registry.example/python:3",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["/usr/local/bin/coderoom-supervisor"],
                        "args": ["pod"],
                        "env": [
                            {"name": "CODEROOM_WORK", "value": "/work"},
                            {"name": "CODEROOM_TMP", "value": "/tmp"},
                            {"name": "CODEROOM_DATA", "value": "/datasets"},
                            {"name": "CODEROOM_SPEC", "value": "{}"},
                        ],
                        "resources": {"requests": resources, "limits": resources},
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "privileged": false,
                            "readOnlyRootFilesystem": true,
                            "runAsNonRoot": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "volumeMounts": [
                            {"name": "work", "mountPath": "/work"},
                            {"name": "tmp", "mountPath": "/tmp"},
                        ],
                    }],
                    "volumes": [
                        {"name": "work", "emptyDir": {"sizeLimit": "1073741824"}},
                        {"name": "tmp", "emptyDir": {"sizeLimit": "603979776"}},
                    ],
                },
            },
        },
    });
    assert_eq!(json_of(&settings(), &request), expected);
}

#[test]
fn every_setting_reaches_its_field() {
    let mut settings = settings();
    settings.runtime_class = Some("gvisor".into());
    settings.host_users = false;
    settings.service_account = Some("runs".into());
    settings.priority_class = Some("low".into());
    settings.kueue_queue = Some("team".into());
    settings.pull_secrets = vec!["registry".into()];
    settings.node_selector.insert("pool".into(), "runs".into());
    settings.tolerations = vec![RunToleration::parse("pool=runs:NoSchedule").unwrap()];
    settings.data_sets = vec![DataSet::parse("prices=claim:prices").unwrap()];
    settings.work_in_memory = true;
    let job = json_of(&settings, &request());
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["runtimeClassName"], "gvisor");
    assert_eq!(pod["hostUsers"], false);
    assert_eq!(pod["serviceAccountName"], "runs");
    assert_eq!(pod["priorityClassName"], "low");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["nodeSelector"], json!({"pool": "runs"}));
    let toleration = json!([{"key": "pool", "operator": "Equal", "value": "runs", "effect": "NoSchedule"}]);
    assert_eq!(pod["tolerations"], toleration);
    assert_eq!(job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team");
    assert_eq!(pod["volumes"][0]["emptyDir"]["medium"], "Memory");
    assert_eq!(pod["containers"][0]["resources"]["limits"]["memory"], "2214592512");
    let claim = json!({"claimName": "prices", "readOnly": true});
    assert_eq!(pod["volumes"][2]["persistentVolumeClaim"], claim);
    let mount = json!({"name": "data-prices", "mountPath": "/datasets/prices", "readOnly": true});
    assert_eq!(pod["containers"][0]["volumeMounts"][2], mount);
}

#[test]
fn job_is_ours_only_with_all_three_labels() {
    let (settings, request) = (settings(), request());
    let labels = labels(&settings, &request);
    assert!(is_ours(Some(&labels), &settings, request.run));
    assert!(!is_ours(Some(&labels), &settings, RunId::new()));
    assert!(!is_ours(None, &settings, request.run));
    let mut other = settings.clone();
    other.instance = "other".into();
    assert!(!is_ours(Some(&labels), &other, request.run));
}

#[test]
fn pod_outlives_every_limit_of_the_supervisor() {
    let mut request = request();
    request.limits.wall_ms = 1;
    request.limits.grace_ms = 1;
    let pod = &json_of(&settings(), &request)["spec"]["template"]["spec"];
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > 50);
    assert!(pod["activeDeadlineSeconds"].as_i64().unwrap() > 900);
    // Extremes do not overflow.
    request.limits.wall_ms = u64::MAX;
    request.limits.disk_bytes = u64::MAX;
    request.limits.memory_bytes = u64::MAX;
    json_of(&settings(), &request);
}
