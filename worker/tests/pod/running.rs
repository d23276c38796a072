//! What a pod does from its files to its output.

use std::time::{Duration, Instant};

use coderoom_protocol::run::Reason;
use coderoom_worker::supervisor::pod_spec::Pace;
use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Pod, is_empty, said, zip_files};

#[test]
fn files_are_fetched_and_output_is_stored() {
    let script = "cat blob/b.bin; echo oops >&2; mkdir output; echo kept > output/a.txt; pwd; exit 3";
    let pod = Pod::new("sh run.sh", &[("run.sh", script), ("a/b.txt", "")], &[("blob/b.bin", b"blob\n")]);
    let said = pod.run();
    assert_eq!(said.phases, ["fetching files", "started"]);
    assert_eq!(said.out(), format!("blob\n{}\n", pod.dir("work").display()));
    assert_eq!((said.err.as_slice(), said.sys.as_slice()), (&b"oops\n"[..], &b""[..]));
    assert_eq!((said.ending.reason, said.ending.exit_code), (Reason::ExitCode, Some(3)));
    let stored = pod.store.get("output.zip").unwrap();
    assert_eq!(said.ending.output_bytes, stored.len() as u64);
    assert_eq!(zip_files(stored), [("a.txt".to_owned(), "kept\n".to_owned())]);
    assert!(is_empty(&pod.dir("tmp")), "nothing is left in the directory for temporary files");
}

#[test]
fn command_has_the_images_environment_and_none_of_ours() {
    let said = Pod::new("env", &[], &[]).run();
    let names: Vec<String> = said.out().lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    assert!(said.out().contains("FROM_IMAGE=yes"));
    let foreign = |name: &String| name.starts_with("KUBERNETES_") || name == "CODEROOM_SPEC" || name == "CODEROOM_WORK";
    assert!(!names.iter().any(foreign), "{names:?}");
    assert!(names.iter().any(|name| name == "PYTHONUNBUFFERED"));
}

#[test]
fn output_is_paced_and_whole() {
    let mut pod = Pod::new("head -c 1500000 /dev/zero | tr '\\0' '\\n'; echo end", &[], &[]);
    // Every byte is escaped, so that twice as much is written.
    pod.spec.pace = Pace { bytes_per_second: 2 << 20, burst_bytes: 1 << 20 };
    let since = Instant::now();
    let said = pod.run();
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(900), "3 MB at 2 MiB a second after the first took {took:?}");
    assert_eq!(said.out.len(), 1_500_004);
    assert!(said.out.ends_with(b"\nend\n") && !said.ending.truncated);
    assert!(said.longest_line < 16 * 1024, "{} bytes in one line", said.longest_line);
}

#[test]
fn term_ends_it_with_a_last_frame() {
    let pod = Pod::new("trap 'echo tidy; exit 1' TERM; echo ready; sleep 30 & wait", &[], &[]);
    let child = pod.start();
    let pid = Pid::from_child(&child);
    let stopper = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(15);
        // The shell has begun when it has a child of its own.
        while !has_grandchild(pid) {
            assert!(Instant::now() < deadline, "the command did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(pid, Signal::TERM).unwrap();
    });
    let said = said(child);
    stopper.join().unwrap();
    assert_eq!(said.ending.reason, Reason::StoppedBy);
    assert_eq!(said.out(), "ready\ntidy\n");
}

fn has_grandchild(pid: Pid) -> bool {
    let children = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children(pid.as_raw_nonzero().get())
        .split_whitespace()
        .any(|child| !children(child.parse().unwrap()).trim().is_empty())
}

#[test]
fn data_sets_appear_among_the_files() {
    let texts = [("data/own.txt", "own\n")];
    let mut pod = Pod::new("cat data/prices/p.txt data/own.txt", &texts, &[]);
    std::fs::create_dir(pod.dir("data").join("prices")).unwrap();
    std::fs::write(pod.dir("data").join("prices/p.txt"), "42\n").unwrap();
    pod.spec.data = vec!["prices".to_owned()];
    assert_eq!(pod.run().out(), "42\nown\n");
}

#[test]
fn output_that_cannot_be_stored_is_said() {
    let mut pod = Pod::new("mkdir output; echo 1 > output/a", &[], &[]);
    pod.spec.output_url = None;
    let said = pod.run();
    assert_eq!((said.ending.exit_code, said.ending.output_bytes), (Some(0), 0));
    assert!(String::from_utf8_lossy(&said.sys).starts_with("output/ could not be stored"));
}
