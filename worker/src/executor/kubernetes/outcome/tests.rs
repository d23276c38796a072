//! Outcomes of pods that a real cluster showed (version 1.36; see `recorded/`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::*;
use crate::engine::drive::ending_of;

fn recorded(name: &str) -> PodView {
    let pods: BTreeMap<String, Pod> = serde_json::from_str(include_str!("../recorded/pods.json")).unwrap();
    PodView::of(&pods[name])
}

fn reason(name: &str) -> Reason {
    without_end(Some(&recorded(name)), None).0
}

#[test]
fn pod_that_ended_without_a_word_is_explained() {
    assert_eq!(reason("oom"), Reason::OutOfMemory);
    assert_eq!(reason("oom_of_a_child"), Reason::OutOfMemory);
    assert_eq!(reason("pod_deadline"), Reason::TimeLimit);
    assert_eq!(reason("evicted_empty_dir"), Reason::DiskLimit);
    assert_eq!(reason("container_status_unknown"), Reason::NodeLost);
    assert_eq!(reason("node_silent"), Reason::NodeLost);
    assert_eq!(reason("killed_by_deletion"), Reason::WorkerLost);
    assert_eq!(reason("exit_3"), Reason::Internal);
    assert_eq!(without_end(None, None).0, Reason::WorkerLost);
    let (reason, detail) = without_end(Some(&recorded("start_error")), None);
    assert_eq!(reason, Reason::Internal);
    assert!(detail.unwrap().starts_with("Its container could not be started: failed to create"));
}

#[test]
fn container_state_is_read_before_the_phase_follows() {
    let view = recorded("exit_3_phase_still_running");
    assert_eq!(view.phase, "Running");
    assert!(view.is_over());
    assert!(!recorded("running").is_over() && !recorded("creating").is_over() && !recorded("node_silent").is_over());
}

#[test]
fn obstacles_have_reasons_and_kinds_of_patience() {
    let is = |name: &str| obstacle(&recorded(name));
    let image = |obstacle: Option<Obstacle>| match obstacle {
        Some(Obstacle::Image((reason, Some(_)))) => Some((reason, "image")),
        Some(Obstacle::Lasting((reason, Some(_)))) => Some((reason, "lasting")),
        Some(Obstacle::Passing((reason, Some(_)))) => Some((reason, "passing")),
        _ => None,
    };
    assert_eq!(image(is("err_image_pull")), Some((Reason::ImageMissing, "image")));
    assert_eq!(image(is("image_pull_backoff")), Some((Reason::ImageMissing, "image")));
    assert_eq!(image(is("never_pull")), Some((Reason::ImageMissing, "lasting")));
    assert_eq!(image(is("invalid_image_name")), Some((Reason::ImageMissing, "lasting")));
    assert_eq!(image(is("config_error")), Some((Reason::Internal, "passing")));
    assert_eq!(image(is("unschedulable")), Some((Reason::Unschedulable, "passing")));
    assert_eq!([is("creating"), is("running"), is("unscheduled")], [None, None, None]);
}

#[test]
fn events_name_quota_and_refusal() {
    let quota = "Error creating: pods \"q2-4wlr8\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1";
    assert_eq!(obstacle_in_event("FailedCreate", quota).unwrap().0, Reason::Quota);
    let refused = "Error creating: pods \"psa-bad-hjtdk\" is forbidden: violates PodSecurity \"restricted:latest\"";
    assert_eq!(obstacle_in_event("FailedCreate", refused).unwrap().0, Reason::Internal);
    let volume = "MountVolume.SetUp failed for volume \"c\" : configmap \"absent\" not found";
    assert!(obstacle_in_event("FailedMount", volume).unwrap().1.unwrap().contains("absent"));
    assert_eq!(obstacle_in_event("Pulled", "x"), None);
}

#[test]
fn end_that_nobody_of_us_asked_for_is_the_clusters() {
    let corrected = |view: Option<&PodView>, by_us: bool| {
        let mut ending = ending_of(Reason::StoppedBy, None);
        correct(&mut ending, view, by_us);
        ending.reason
    };
    let running = recorded("running");
    assert_eq!(corrected(Some(&running), true), Reason::StoppedBy);
    assert_eq!(corrected(Some(&running), false), Reason::WorkerLost);
    assert_eq!(corrected(Some(&recorded("evicted_empty_dir")), false), Reason::DiskLimit);
    assert_eq!(corrected(Some(&recorded("pod_deadline")), false), Reason::TimeLimit);
    let mut preempted = running.clone();
    preempted.disruption =
        Some(("PreemptionByScheduler".into(), "preempting to accommodate a higher priority pod".into()));
    assert_eq!(corrected(Some(&preempted), false), Reason::Evicted);
    let mut drained = running;
    drained.disruption =
        Some(("DeletionByTaintManager".into(), "Taint manager: deleting due to NoExecute taint".into()));
    assert_eq!(corrected(Some(&drained), false), Reason::NodeLost);
}

#[test]
fn kill_for_memory_that_the_supervisor_did_not_see_is_named() {
    let mut ending = ending_of(Reason::Signal, None);
    ending.signal = Some(9);
    assert!(is_doubtful(&ending, false, 100));
    correct(&mut ending, Some(&recorded("oom")), false);
    assert_eq!(ending.reason, Reason::OutOfMemory);
    // The shell lived on, and the supervisor could not see why its child had not.
    let mut survived = ending_of(Reason::ExitCode, None);
    (survived.exit_code, survived.peak_memory_bytes) = (Some(7), Some(10));
    assert!(!is_doubtful(&survived, false, 100), "who used little was not killed for it");
    survived.peak_memory_bytes = Some(99);
    assert!(is_doubtful(&survived, false, 100));
    correct(&mut survived, Some(&recorded("oom_of_a_child")), false);
    assert_eq!(survived.reason, Reason::OutOfMemory);
    let mut fine = ending_of(Reason::ExitCode, None);
    fine.exit_code = Some(0);
    correct(&mut fine, Some(&recorded("oom_of_a_child")), false);
    assert_eq!(fine.reason, Reason::ExitCode, "a run that succeeded has succeeded");
    assert!(!is_doubtful(&fine, false, 100));
}

#[test]
fn long_words_are_cut_between_characters() {
    let words = "ä".repeat(MAX_WORDS_BYTES);
    assert!(said("x", &words).unwrap().len() <= MAX_WORDS_BYTES + 2);
    assert_eq!(said("x", "  "), None);
}
