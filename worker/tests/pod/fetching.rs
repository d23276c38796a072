//! Files come whole or not at all.

use std::time::{Duration, Instant};

use coderoom_protocol::run::Reason;
use coderoom_worker::supervisor::pod_spec::{FetchPlan, Plan};

use super::bench::{Pod, Said};

fn plan(pod: &mut Pod) -> &mut FetchPlan {
    match &mut pod.spec.plan {
        Plan::Inline(plan) => plan,
        Plan::Stored { .. } => unreachable!("made inline"),
    }
}

fn refused(said: &Said, words: &str) {
    assert_eq!(said.ending.reason, Reason::SnapshotMissing, "{said:?}");
    let detail = said.ending.detail.as_deref().unwrap();
    assert!(detail.contains(words), "{detail:?} lacks {words:?}");
    assert!(!detail.contains("signature"), "an address is in {detail:?}");
    assert!(said.out.is_empty());
}

#[test]
fn store_that_fails_for_a_while_is_asked_again() {
    let pod = Pod::new("cat t.txt b.bin", &[("t.txt", "text\n")], &[("b.bin", b"a blob\n")]);
    pod.store.fail(&[503, 0, 500, 429]);
    let said = pod.run();
    assert_eq!((said.out().as_str(), said.ending.exit_code), ("text\na blob\n", Some(0)));
}

#[test]
fn missing_object_ends_the_run() {
    let mut pod = Pod::new("echo ran", &[("t.txt", "text\n")], &[]);
    let url = pod.store.url("nowhere");
    plan(&mut pod).urls.insert("code.zip".into(), url);
    refused(&pod.run(), "code.zip is not in object storage");
}

#[test]
fn refusal_ends_the_run_at_once() {
    let pod = Pod::new("echo ran", &[("t.txt", "text\n")], &[]);
    pod.store.fail(&[403]);
    let since = Instant::now();
    refused(&pod.run(), "403");
    assert!(since.elapsed() < Duration::from_secs(10));
}

#[test]
fn content_that_is_not_what_was_stored_is_refused() {
    let pod = Pod::new("echo ran", &[], &[("b.bin", b"a blob\n")]);
    let key = pod.store.state.lock().unwrap().objects.keys().find(|key| key.starts_with("blobs/")).unwrap().clone();
    pod.store.put(&key, b"b blob\n");
    refused(&pod.run(), "b.bin is not what was stored");
    pod.store.put(&key, b"a longer blob\n");
    std::fs::remove_file(pod.dir("work").join("b.bin")).unwrap();
    refused(&pod.run(), "larger than it should be");
}

#[test]
fn long_plan_is_fetched_and_checked() {
    let mut pod = Pod::new("cat t.txt", &[("t.txt", "text\n")], &[]);
    let (json, sha256) = plan(&mut pod).to_object().unwrap();
    let url = pod.store.put("plan.json", &json);
    pod.spec.plan = Plan::Stored { url: url.clone(), sha256 };
    assert_eq!(pod.run().out(), "text\n");
    std::fs::remove_file(pod.dir("work").join("t.txt")).unwrap();
    pod.spec.plan = Plan::Stored { url, sha256: "0".repeat(64) };
    refused(&pod.run(), "not what was stored");
}
