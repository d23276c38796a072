//! A run from submit to its end, in the real sandbox.

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use coderoom_backing::bus::BusEvent;
use coderoom_protocol::run::{Reason, RunState};
use coderoom_worker::{
    announce::{TaskEvent, log_stream, task_topic},
    snapshot::output_key,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, until};

#[tokio::test(flavor = "multi_thread")]
async fn program_that_ends_well_is_done_with_its_log() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo hello; echo trouble >&2; echo bye").await;
    let run = place.ended(run).await;
    assert_eq!((run.state, run.reason, run.exit_code), (RunState::Done, Some(Reason::ExitCode), Some(0)));
    assert_eq!(run.message.as_deref(), Some("The program ended with exit code 0."));
    assert!(run.started_at.is_some_and(|at| at >= run.submitted_at) && run.ended_at >= run.started_at);
    assert!(run.sandbox.is_some() && run.queue_position.is_none() && !run.has_output);
    let log = place.log(run.id).await;
    assert_eq!(log.len() as u64, run.log_bytes);
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["bye", "hello", "trouble"]);
    until("nothing is left on the bus and in the executor's directory", async || {
        let stream = place.bus.last(&log_stream(run.id)).await.unwrap();
        let dir = place.dir.path().join("runs").join(run.id.to_string());
        if stream.is_none() && !dir.exists() { Ok(()) } else { Err(format!("{stream:?}, {}", dir.exists())) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_code_is_told_in_words() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo no; exit 3").await;
    let run = place.ended(run).await;
    assert_eq!((run.state, run.reason, run.exit_code), (RunState::Failed, Some(Reason::ExitCode), Some(3)));
    assert_eq!(run.message.as_deref(), Some("The program ended with exit code 3."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_in_output_is_kept() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "mkdir -p output/a; echo 42 > output/a/answer.txt").await;
    let run = place.ended(run).await;
    assert!(run.has_output, "{run:?}");
    let key = place.runs.output(run.id).await.unwrap().expect("a key");
    let zip = place.objects.get(&key).await.unwrap().expect("an object");
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let name = zip.file_names().flatten().find(|name| name.ends_with("a/answer.txt")).expect("the file").into_owned();
    assert_eq!(std::io::read_to_string(zip.by_name(&name).unwrap()).unwrap(), "42\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_beyond_the_storage_of_the_tasks_maker_is_not_kept_and_the_run_says_so() {
    let place = Place::with(|settings| settings.max_storage_bytes = 5000).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let task = place.task(ana).await;
    let _engine = place.engine(|_| ()).await;
    let command = "mkdir output; head -c 3000 /dev/urandom > output/noise";
    let kept = place.submit(task, ana, command).await.unwrap().run.id;
    let kept = place.ended(kept).await;
    assert!(kept.has_output, "{kept:?}");
    // Whoever runs it: it is kept with the task.
    let lost = place.submit(task, bo, command).await.unwrap().run.id;
    let lost = place.ended(lost).await;
    assert_eq!((lost.state, lost.has_output), (RunState::Done, false), "{lost:?}");
    let message = lost.message.unwrap();
    assert!(message.starts_with("The program ended with exit code 0. Its output of 3"), "{message}");
    assert!(message.ends_with(". Delete files or tasks first."), "{message}");
    assert_eq!(place.objects.get(&output_key(lost.id)).await.unwrap(), None);
    let other = place.submit_alone(bo, command).await;
    assert!(place.ended(other).await.has_output, "other people's tasks have their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_runs_of_a_user_are_stopped_with_the_reason() {
    let place = Place::with(|settings| settings.max_running_per_user = 1).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let _engine = place.engine(|_| ()).await;
    let running = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    let of_bo = place.submit_alone(bo, "echo begun; exec sleep 100").await;
    place.printed(running).await;
    place.printed(of_bo).await;
    let waiting = place.submit_alone(ana, "echo never").await;
    let stopped = place.runs.stop_all_of(ana, bo, "Ana was suspended.").await.unwrap();
    assert_eq!(stopped.iter().map(|run| run.id).collect::<Vec<_>>(), [running, waiting]);
    for run in [running, waiting] {
        let run = place.ended(run).await;
        assert_eq!((run.state, run.reason), (RunState::Stopped, Some(Reason::StoppedBy)));
        assert_eq!(run.message.as_deref(), Some("Stopped by Bo. Ana was suspended."));
    }
    assert_eq!(place.run(of_bo).await.state, RunState::Running, "those of others go on");
    assert_eq!(place.runs.stop_all_of(ana, bo, "again").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_program_is_stopped_within_a_second_and_keeps_its_log() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(run).await;
    let asked = std::time::Instant::now();
    let (first, second) = (place.runs.stop(run, bo).await.unwrap(), place.runs.stop(run, ana).await.unwrap());
    assert_eq!(first.state, RunState::Running);
    assert_eq!((first.phase.as_str(), second.stopped_by.as_deref()), ("stopping", Some("Bo")));
    let stopped = place.ended(run).await;
    let took = asked.elapsed();
    assert_eq!((stopped.state, stopped.reason), (RunState::Stopped, Some(Reason::StoppedBy)));
    assert_eq!(stopped.message.as_deref(), Some("Stopped by Bo."), "the first wish counts");
    assert_eq!(place.log(run).await, "begun\n");
    // A second on an idle machine; the tests may share theirs.
    assert!(took < Duration::from_secs(4), "stopping took {took:?}");
    assert_eq!(place.runs.stop(run, ana).await.unwrap(), stopped, "stopping what has ended changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn program_that_ignores_the_wish_is_killed_after_the_grace_period() {
    let place = Place::with(|settings| settings.limits.grace_ms = 300).await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "trap '' TERM; echo begun; while :; do sleep 1; done").await;
    place.printed(run).await;
    place.runs.stop(run, ana).await.unwrap();
    assert_eq!(place.ended(run).await.state, RunState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn wish_to_stop_is_read_from_the_row_when_its_announcement_is_lost() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    place.printed(run).await;
    let sql = "UPDATE runs SET stop_by = $2, stop_at = 1 WHERE id = $1";
    place.tables.execute(sql, coderoom_backing::values![run.to_string(), ana.to_string()]).await.unwrap();
    assert_eq!(place.ended(run).await.state, RunState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_longer_than_its_limit_is_ended_with_the_reason() {
    let place = Place::with(|settings| settings.limits.wall_ms = 500).await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|_| ()).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    let run = place.ended(run).await;
    assert_eq!((run.state, run.reason), (RunState::Failed, Some(Reason::TimeLimit)));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_supervisor_hangs_is_ended_as_too_long_and_not_as_stopped() {
    let place = Place::with(|settings| (settings.limits.wall_ms, settings.limits.grace_ms) = (3000, 100)).await;
    let ana = place.user("Ana").await;
    let _engine = place.engine(|settings| settings.wall_slack = Duration::from_secs(1)).await;
    let run = place.submit_alone(ana, "echo begun; exec sleep 100").await;
    let supervisor = until("the supervisor's number is known", async || {
        let state = place.dir.path().join("runs").join(run.to_string()).join("state.json");
        let state: serde_json::Value =
            std::fs::read(state).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let pid = state["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        pid.ok_or_else(|| state.to_string())
    })
    .await;
    kill_process(supervisor, Signal::STOP).unwrap();
    let run = place.ended(run).await;
    assert_eq!((run.state, run.reason), (RunState::Failed, Some(Reason::TimeLimit)), "{run:?}");
    assert_eq!(run.stopped_by, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_snapshot_fails_the_run_with_its_reason() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let run = place.submit_alone(ana, "echo never").await;
    let manifest = place.runs.manifest(run).await.unwrap().unwrap();
    place.objects.delete(&manifest.code_key).await.unwrap();
    let _engine = place.engine(|_| ()).await;
    let run = place.ended(run).await;
    assert_eq!((run.state, run.reason), (RunState::Failed, Some(Reason::SnapshotMissing)));
    assert!(run.message.unwrap().contains("could not be read back"));
    assert_eq!(place.log(run.id).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_jumps_ends_no_run_and_no_lease() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let _engine = place
        .engine(|settings| {
            settings.sole_worker = false;
            settings.renew = Duration::from_millis(100);
        })
        .await;
    let run = place.submit_alone(ana, "echo begun; sleep 2; echo ended").await;
    place.printed(run).await;
    for jump_ms in [300_000, -600_000, 300_000] {
        place.clock.jump(jump_ms);
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(place.run(run).await.state, RunState::Running, "after a jump of {jump_ms} ms");
    }
    let run = place.ended(run).await;
    assert_eq!(run.state, RunState::Done);
    assert_eq!(place.log(run.id).await, "begun\nended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn room_hears_each_step_and_the_end_last() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let mut room = place.bus.subscribe(&task_topic(task)).await.unwrap();
    // Before there is an engine: its first look could claim the run between commit and announcement.
    place.submit(task, ana, "echo hi; sleep 0.5").await.unwrap();
    let _engine = place.engine(|_| ()).await;
    let mut numbers: Vec<u8> = Vec::new();
    loop {
        // Behind the end it listens for a while to what must not come any more.
        let has_ended = numbers.last().is_some_and(|number| *number >= 3);
        let patience = if has_ended { Duration::from_millis(500) } else { Duration::from_secs(20) };
        match tokio::time::timeout(patience, room.next()).await {
            Ok(BusEvent::Message(json)) => {
                if let TaskEvent::Run { run } = serde_json::from_slice(&json).unwrap() {
                    numbers.push(run.state.into());
                }
            }
            Ok(BusEvent::Lost) => {}
            Err(_) if has_ended => break,
            Err(_) => panic!("no event for 20 s after {numbers:?}"),
        }
    }
    assert!(numbers.is_sorted() && numbers.contains(&1) && numbers.contains(&2), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn room_hears_no_older_step_after_the_end_of_a_short_run() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let mut room = place.bus.subscribe(&task_topic(task)).await.unwrap();
    let _engine = place.engine(|_| ()).await;
    // A run that ends while its start is being noted, a few times.
    for delay in ["0", "0.02", "0.05", "0.1", "0.15"] {
        let run = place.submit(task, ana, &format!("sleep {delay}")).await.unwrap().run.id;
        place.ended(run).await;
    }
    let mut last = BTreeMap::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(500), room.next()).await {
        let BusEvent::Message(json) = event else { continue };
        let TaskEvent::Run { run } = serde_json::from_slice(&json).unwrap() else { continue };
        let state = u8::from(run.state);
        let before = last.insert(run.number, state);
        assert!(before.is_none_or(|before| before <= state), "run {} went from {before:?} to {state}", run.number);
    }
    assert_eq!(last.into_values().collect::<Vec<_>>(), [u8::from(RunState::Done); 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn program_of_a_deleted_task_is_killed() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let engine = place.engine(|_| ()).await;
    let task = place.task(ana).await;
    let run = place.submit(task, ana, "echo begun; exec sleep 100").await.unwrap().run.id;
    place.printed(run).await;
    place.runs.forget_task(task).await.unwrap();
    until("the engine lets go of the run and its directory is gone", async || {
        let dir = place.dir.path().join("runs").join(run.to_string());
        if engine.running() == 0 && !dir.exists() { Ok(()) } else { Err(format!("{} run", engine.running())) }
    })
    .await;
}
