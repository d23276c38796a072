//! The Kubernetes simulator against what a real cluster was seen to do: each recording's requests are sent to the simulator,
//! and the answers and the order of watch events are compared.
//!
//! What may differ, and why, is in `deviations.rs`; anything else fails.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and says why")]

mod compare;
mod deviations;
mod digest;
mod normal;
mod replay;

use replay::{Replay, replay};

macro_rules! recordings {
    ($($name:ident: $file:literal $(, $setting:ident = $value:expr)*;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            replay(Replay { file: $file, $($setting: $value,)* ..Replay::default() }).await;
        })*
    };
}

recordings! {
    success_and_every_log_option: "01-success";
    exit_code_3: "02-exit-code-3";
    second_pod_with_backoff_limit_1: "02b-exit-3-backoff-limit-1";
    killed_for_memory: "03-oom-killed", out_of_memory = true;
    deadline_of_the_job_deletes_the_pod: "04-job-active-deadline";
    deadline_of_the_pod_keeps_it: "04b-pod-active-deadline";
    image_that_is_never_pulled: "05-err-image-never-pull";
    image_that_cannot_be_pulled: "05b-image-pull-backoff";
    invalid_image_name: "05c-invalid-image-name";
    command_not_found: "05d-start-error";
    missing_secret: "05e-create-container-config-error";
    missing_config_map_volume: "05f-missing-configmap-volume", lingers = true;
    init_container_fails: "05g-init-fails";
    unschedulable: "06-unschedulable";
    delete_in_foreground: "07a-delete-running-foreground";
    delete_in_background: "07b-delete-running-background";
    delete_without_policy_orphans: "07c-delete-running-no-policy", longest_wait_seconds = 2, true_delays = true;
    delete_what_ignores_term: "07e-delete-running-ignores-term";
    pod_deleted_by_hand: "07g-pod-deleted-not-job";
    pod_deleted_by_hand_replaced_when_failed: "07h-pod-deleted-replacement-policy-failed";
    log_of_a_running_container: "08-log-endpoint";
    quota: "10-quota", rewrite = ("sleep 25", "sleep 3");
    watch_semantics: "11-watch-semantics";
    rights_of_a_service_account: "12-rbac";
    pod_security: "13-pod-security-restricted";
    time_to_live: "15-ttl-after-finished";
    eviction: "16-evicted-emptydir-limit", evict = true, rewrite = ("count=100", "count=1");
    failure_policy: "19-pod-failure-policy";
    log_of_an_unscheduled_pod: "25-log-of-unscheduled-pod";
}
