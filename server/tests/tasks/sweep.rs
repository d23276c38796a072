//! The sweep takes what nobody refers to, and only that.

use coderoom_backing::values;
use coderoom_protocol::ids::{RunId, TaskId};
use coderoom_server::tasks::Swept;
use coderoom_worker::snapshot::{Manifest, ManifestFile, blob_key, code_key};

use super::bench::Bench;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

async fn blob(bench: &Bench, task: TaskId, path: &str, content: &[u8]) -> String {
    let made = bench.tasks.create_blob(task, &bench.ada, path, content.to_vec().into()).await.unwrap();
    bench.tasks.file(task, made.file).await.unwrap().unwrap().blob_sha256.unwrap()
}

async fn is_stored(bench: &Bench, sha256: &str) -> bool {
    bench.objects.size(&blob_key(sha256)).await.unwrap().is_some()
}

/// A run of the task whose snapshot has this blob.
pub(crate) async fn run_with(bench: &Bench, task: TaskId, sha256: &str) -> RunId {
    let run = RunId::new();
    let file =
        ManifestFile { path: "b".into(), seq: 0, size: 1, sha256: sha256.into(), blob_key: Some(blob_key(sha256)) };
    let code_key = code_key(task, "x");
    bench.objects.put(&code_key, "zip".into()).await.unwrap();
    let manifest = Manifest { version: 1, code_key, code_sha256: "x".into(), files: vec![file] };
    let key = format!("runs/{run}/manifest.json");
    bench.objects.put(&key, serde_json::to_vec(&manifest).unwrap().into()).await.unwrap();
    let sql = "INSERT INTO runs (id, task_id, number, user_id, language, state, command, manifest_key, submitted_at) \
               VALUES ($1, $2, 1, $3, 'python', 3, 'x', $4, 0)";
    let values = values![run.to_string(), task.to_string(), bench.ada.user.to_string(), key];
    bench.tables.execute(sql, values).await.unwrap();
    run
}

#[tokio::test]
async fn blob_goes_an_hour_after_its_last_file() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let (kept, gone) = (blob(&bench, task, "kept", b"\xff1").await, blob(&bench, task, "gone", b"\xff2").await);
    let replaced = blob(&bench, task, "kept2", b"\xff3").await;
    blob(&bench, task, "kept2", b"\xff1").await;
    bench.clock.jump(2 * DAY_MS);
    bench.tasks.delete_path(task, &bench.ada, "gone", None).await.unwrap();
    bench.tasks.sweep().await.unwrap();
    assert!(is_stored(&bench, &gone).await, "let go of just now");
    bench.clock.jump(2 * DAY_MS);
    bench.tasks.sweep().await.unwrap();
    assert!(is_stored(&bench, &kept).await);
    assert!(!is_stored(&bench, &gone).await);
    assert!(!is_stored(&bench, &replaced).await);
    assert_eq!(bench.tasks.sweep().await.unwrap(), Swept::default());
    assert_eq!(blob(&bench, task, "again", b"\xff2").await, gone, "the same content may come back");
    assert!(is_stored(&bench, &gone).await);
}

#[tokio::test]
async fn blob_stays_while_another_task_or_a_snapshot_has_it() {
    let bench = Bench::new().await;
    let (first, second) = (bench.task().await, bench.task().await);
    let sha256 = blob(&bench, first, "b", b"\xff").await;
    blob(&bench, second, "b", b"\xff").await;
    run_with(&bench, first, &sha256).await;
    bench.tasks.delete_path(first, &bench.ada, "b", None).await.unwrap();
    bench.clock.jump(2 * DAY_MS);
    bench.tasks.sweep().await.unwrap();
    assert!(is_stored(&bench, &sha256).await, "the second task has it");
    bench.tasks.delete_path(second, &bench.ada, "b", None).await.unwrap();
    bench.clock.jump(2 * DAY_MS);
    bench.tasks.sweep().await.unwrap();
    assert!(is_stored(&bench, &sha256).await, "a snapshot of the first task has it");
    assert_eq!(bench.objects.list("code/").await.unwrap().len(), 1, "and what the run was given is there");
    bench.tasks.delete(first).await.unwrap();
    bench.clock.jump(2 * DAY_MS);
    let swept = bench.tasks.sweep().await.unwrap();
    assert_eq!(swept, Swept { blobs: 1, run_objects: 1, codes: 1, imports: 0 });
    assert!(!is_stored(&bench, &sha256).await);
    assert!(bench.objects.list("runs/").await.unwrap().is_empty(), "what the run left is gone too");
    assert!(bench.objects.list("code/").await.unwrap().is_empty(), "and what it was given");
}

#[tokio::test]
async fn import_that_a_crash_cut_off_is_removed() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let hidden = TaskId::new();
    let sql = "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at, import_of) VALUES ($1, '', 'python', $2, $3, $3, $4)";
    let values = values![hidden.to_string(), bench.ada.user.to_string(), bench.clock.now_ms(), task.to_string()];
    bench.tables.execute(sql, values).await.unwrap();
    assert!(bench.tasks.tree(hidden).await.is_err(), "it is no task for anybody");
    assert_eq!(
        bench
            .tasks
            .list(&bench.root, &coderoom_server::tasks::TaskFilter { all: true, ..Default::default() })
            .await
            .unwrap()
            .tasks
            .len(),
        1
    );
    assert_eq!(bench.tasks.sweep().await.unwrap().imports, 0, "it may still be at work");
    bench.clock.jump(2 * DAY_MS);
    assert_eq!(bench.tasks.sweep().await.unwrap().imports, 1);
}

#[tokio::test]
async fn upload_waits_for_the_deletion_of_the_same_content() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let sha256 = blob(&bench, task, "b", b"\xff").await;
    bench.tasks.delete_path(task, &bench.ada, "b", None).await.unwrap();
    let mark = "UPDATE blob_claims SET deleting = $1";
    bench.tables.execute(mark, values![bench.clock.now_ms()]).await.unwrap();
    let upload = blob(&bench, task, "b", b"\xff");
    let finish_deleting = async {
        // As the sweep does it: the object first, then the claim.
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        assert!(bench.tasks.file_at(task, "b").await.unwrap().is_none(), "the upload waits");
        bench.objects.delete(&blob_key(&sha256)).await.unwrap();
        bench.tables.execute("DELETE FROM blob_claims WHERE deleting > 0", vec![]).await.unwrap();
    };
    let (again, ()) = tokio::join!(upload, finish_deleting);
    assert_eq!(again, sha256);
    assert!(is_stored(&bench, &sha256).await);
    let claims = bench.tables.query("SELECT 1 FROM blob_claims", vec![]).await.unwrap();
    assert_eq!(claims.len(), 1, "the upload has a claim of its own");
}
