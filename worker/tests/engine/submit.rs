//! Submitting: what is stored, what is refused, and what happens at the same moment.

use coderoom_backing::values;
use coderoom_protocol::{ids::TaskId, problem::ErrorCode, run::RunState};
use coderoom_worker::snapshot::FrozenFile;

use crate::place::{Place, submission, text};

#[tokio::test]
async fn submission_is_stored_whole_and_numbered() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let mut wanted = submission(task, ana, "echo hi");
    wanted.files.push(text("a/b.py", "print(1)\n"));
    wanted.files.push(FrozenFile::Blob { path: "data.bin".into(), size: 3, sha256: "ab".repeat(32) });
    wanted.remarks = "try 3".into();
    let submitted = place.runs.submit(wanted).await.unwrap();
    let paths: Vec<&str> = submitted.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a/b.py", "data.bin", "run.sh"]);
    let run = submitted.run;
    assert_eq!((run.number, run.state, run.queue_position), (1, RunState::Queued, Some(1)));
    assert_eq!((run.user_name.as_str(), run.remarks.as_str()), ("Ana", "try 3"));
    assert_eq!(run.phase, "waiting, next in line");
    let manifest = place.runs.manifest(run.id).await.unwrap().unwrap();
    let zip = place.objects.get(&manifest.code_key).await.unwrap().expect("the zip is stored");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let content = std::io::read_to_string(zip.by_name("a/b.py").unwrap()).unwrap();
    assert_eq!((zip.len(), content.as_str()), (2, "print(1)\n"));
    let blob = manifest.files.iter().find(|file| file.path == "data.bin").unwrap();
    assert_eq!(blob.blob_key.as_deref(), Some(format!("blobs/ab/{}", "ab".repeat(32)).as_str()));
}

#[tokio::test]
async fn unchanged_text_is_stored_once_and_in_any_order() {
    let place = Place::with(|settings| settings.snapshot_memory_bytes = 10).await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let task = place.task(ana).await;
    let mut keys = Vec::new();
    for user in [ana, bo] {
        let mut wanted = submission(task, user, "echo hi");
        wanted.files.push(text("z.py", "1"));
        if user == bo {
            wanted.files.reverse();
        }
        let run = place.runs.submit(wanted).await.unwrap().run.id;
        keys.push(place.runs.manifest(run).await.unwrap().unwrap().code_key);
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(place.objects.list("code/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_submits_at_once_have_one_winner_and_the_loser_learns_its_number() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    for number in 1..=10 {
        let (one, two) = tokio::join!(place.submit(task, ana, "echo 1"), place.submit(task, ana, "echo 2"));
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        let (won, lost) = (won.unwrap().run, lost.unwrap_err());
        assert_eq!((won.number, lost.code), (number, ErrorCode::RunActive));
        assert_eq!(lost.message, format!("Your run {number} in this task is waiting. Stop it, or wait for its end."));
        place.runs.stop(won.id, ana).await.unwrap();
    }
}

#[tokio::test]
async fn two_users_may_each_have_a_run_in_one_task() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let task = place.task(ana).await;
    let one = place.submit(task, ana, "echo 1").await.unwrap().run;
    let two = place.submit(task, bo, "echo 1").await.unwrap().run;
    assert_eq!((one.number, two.number), (1, 2));
}

#[tokio::test]
async fn unfinished_runs_of_a_user_are_limited_over_all_tasks() {
    let place = Place::with(|settings| settings.max_unfinished_per_user = 2).await;
    let ana = place.user("Ana").await;
    for _ in 0..2 {
        let task = place.task(ana).await;
        place.submit(task, ana, "echo 1").await.unwrap();
    }
    let third = place.task(ana).await;
    let refused = place.submit(third, ana, "echo 1").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TooManyRuns);
    assert_eq!(refused.message, "You have 2 unfinished runs, and 2 is the most. Stop one, or wait for an end.");
}

#[tokio::test]
async fn bad_submissions_are_refused_with_their_reason() {
    let place = Place::with(|settings| settings.max_command_bytes = 20).await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let mut cases = Vec::new();
    for command in ["  ", "a\0b", "123456789012345678901"] {
        let mut wanted = submission(task, ana, "echo 1");
        wanted.command = command.into();
        cases.push((wanted, ErrorCode::Invalid));
    }
    cases.push((submission(TaskId::new(), ana, "echo 1"), ErrorCode::NotFound));
    for (wanted, code) in cases {
        assert_eq!(place.runs.submit(wanted).await.unwrap_err().code, code);
    }
    let rows = place.tables.query("SELECT id FROM runs", values![]).await.unwrap();
    assert!(rows.is_empty(), "nothing is stored of what was refused");
}

#[tokio::test]
async fn rerun_has_the_same_files_and_a_new_number() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let task = place.task(ana).await;
    let first = place.submit(task, ana, "echo 1").await.unwrap();
    let again = place.runs.rerun(first.run.id, bo).await.unwrap();
    assert_eq!((again.run.number, again.run.user, &again.files), (2, bo, &first.files));
    assert_eq!(place.runs.rerun(first.run.id, bo).await.unwrap_err().code, ErrorCode::RunActive);
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    for _ in 0..5 {
        let run = place.submit(task, ana, "echo 1").await.unwrap().run.id;
        place.runs.stop(run, ana).await.unwrap();
    }
    let numbers = async |before| -> Vec<u32> {
        place.runs.list(task, before, 2).await.unwrap().iter().map(|run| run.number).collect()
    };
    assert_eq!(numbers(None).await, [5, 4]);
    assert_eq!(numbers(Some(4)).await, [3, 2]);
    assert_eq!(numbers(Some(2)).await, [1]);
    assert!(numbers(Some(1)).await.is_empty());
}

#[tokio::test]
async fn forgotten_task_leaves_no_rows_and_no_objects_of_its_runs() {
    let place = Place::new().await;
    let ana = place.user("Ana").await;
    let task = place.task(ana).await;
    let run = place.submit(task, ana, "echo 1").await.unwrap().run.id;
    place.runs.forget_task(task).await.unwrap();
    assert_eq!(place.runs.get(run).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(place.objects.list("runs/").await.unwrap().is_empty());
    // An engine that had it may write on for a moment: the sweep looks again.
    let noted = place.tables.query("SELECT run_id FROM run_remains", values![]).await.unwrap();
    assert_eq!(noted.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), [run.to_string()]);
}
