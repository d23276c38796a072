//! What is stored and in no file counts as storage of the task's maker until it is removed; what is refused is removed at once.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use coderoom_backing::values;
use coderoom_protocol::{
    control::Language,
    ids::TaskId,
    problem::{ErrorCode, WireError},
    task::NewTask,
};
use coderoom_server::tasks::ImportTarget;
use coderoom_worker::snapshot::blob_key;
use futures_util::{StreamExt as _, future::join_all, stream};
use sha2::{Digest as _, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{bench::Bench, sweep::run_with, web::Site};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Content that is no text and that nothing else has.
fn noise(seed: u8, size: usize) -> Bytes {
    let mut bytes = vec![0xff, seed];
    bytes.resize(size, seed);
    bytes.into()
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn put(bench: &Bench, task: TaskId, path: &str, content: &Bytes) -> Result<(), WireError> {
    bench.tasks.create_blob(task, &bench.ada, path, content.clone()).await.map(drop)
}

async fn check_full(bench: &Bench, task: TaskId, why: &str) {
    let error = put(bench, task, "more", &noise(250, 10)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::QuotaReached, "{why}: {error}");
}

async fn is_stored(bench: &Bench, content: &[u8]) -> bool {
    bench.objects.size(&blob_key(&hash(content))).await.unwrap().is_some()
}

/// All claims: whose, and whether it counts as somebody's.
async fn claims(bench: &Bench) -> Vec<(TaskId, bool)> {
    let rows = bench.tables.query("SELECT task_id, maker FROM blob_claims ORDER BY at, task_id", vec![]).await.unwrap();
    rows.iter().map(|row| (row.parse(0).unwrap(), row.opt_text(1).unwrap().is_some())).collect()
}

/// Somebody else is about to use the content.
async fn claim(bench: &Bench, content: &[u8]) -> TaskId {
    let other = TaskId::new();
    let sql = "INSERT INTO blob_claims (sha256, task_id, at) VALUES ($1, $2, $3)";
    bench.tables.execute(sql, values![hash(content), other.to_string(), bench.clock.now_ms()]).await.unwrap();
    other
}

fn zip_of(entries: &[(&str, &[u8])]) -> Bytes {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

async fn import(bench: &Bench, task: TaskId, entries: &[(&str, &[u8])]) -> Result<(), WireError> {
    let target = ImportTarget { replace: true, ..ImportTarget::default() };
    bench.tasks.import(task, &bench.ada, target, stream::iter([Ok(zip_of(entries))])).await.map(drop)
}

#[tokio::test]
async fn deleted_and_overwritten_blobs_count_for_an_hour() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 100_000).await;
    let task = bench.task().await;
    put(&bench, task, "deleted", &noise(1, 40_000)).await.unwrap();
    bench.tasks.delete_path(task, &bench.ada, "deleted", None).await.unwrap();
    put(&bench, task, "overwritten", &noise(2, 40_000)).await.unwrap();
    put(&bench, task, "overwritten", &noise(3, 40_000)).await.unwrap();
    check_full(&bench, task, "two were let go of and one is there").await;
    assert!(!is_stored(&bench, &noise(250, 10)).await, "what was refused is gone at once");
    put(&bench, task, "more", &noise(250, 10)).await.unwrap_err();
    bench.tasks.sweep().await.unwrap();
    check_full(&bench, task, "a submit may be about to freeze them").await;
    bench.clock.jump(HOUR_MS + 60_000);
    assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 2);
    put(&bench, task, "more", &noise(250, 10)).await.unwrap();
    assert!(is_stored(&bench, &noise(3, 40_000)).await);
    assert!(!is_stored(&bench, &noise(2, 40_000)).await);
}

#[tokio::test]
async fn blobs_of_deleted_tasks_count_for_an_hour() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 100_000).await;
    let (first, second) = (bench.task().await, bench.task().await);
    put(&bench, first, "b", &noise(1, 100_000)).await.unwrap();
    bench.tasks.delete(first).await.unwrap();
    check_full(&bench, second, "it is still stored").await;
    bench.clock.jump(HOUR_MS + 60_000);
    assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 1);
    put(&bench, second, "more", &noise(2, 10)).await.unwrap();
}

#[tokio::test]
async fn content_that_was_let_go_of_counts_once() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 100_000).await;
    let (first, second) = (bench.task().await, bench.task().await);
    let content = noise(1, 40_000);
    for (task, path) in [(first, "a"), (first, "b"), (second, "c")] {
        put(&bench, task, path, &content).await.unwrap();
    }
    check_full(&bench, first, "each file counts").await;
    for (task, path) in [(first, "a"), (first, "b")] {
        bench.tasks.delete_path(task, &bench.ada, path, None).await.unwrap();
    }
    put(&bench, first, "d", &noise(2, 50_000)).await.unwrap();
    bench.tasks.delete_path(second, &bench.ada, "c", None).await.unwrap();
    put(&bench, first, "e", &noise(3, 1_000)).await.unwrap();
    put(&bench, second, "again", &content).await.unwrap();
    put(&bench, first, "f", &noise(4, 9_000)).await.unwrap();
    check_full(&bench, first, "40, 50, 1 and 9 kB").await;
}

#[tokio::test]
async fn what_a_run_was_given_counts_as_storage_of_that_tasks_maker_alone() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 100_000).await;
    let task = bench.task().await;
    let new = NewTask { name: "bob's".into(), language: Language::Python, remarks: String::new() };
    let bobs = bench.tasks.create(&bench.bob, &new).await.unwrap();
    let content = noise(1, 100_000);
    for task in [task, bobs] {
        put(&bench, task, "b", &content).await.unwrap();
        bench.tasks.delete_path(task, &bench.ada, "b", None).await.unwrap();
    }
    run_with(&bench, task, &hash(&content)).await;
    check_full(&bench, bobs, "it may still be removed").await;
    for _ in 0..3 {
        bench.clock.jump(HOUR_MS + 60_000);
        assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 0);
        put(&bench, bobs, "more", &noise(2, 10)).await.unwrap();
        check_full(&bench, task, "the run has it").await;
    }
    bench.tasks.delete(task).await.unwrap();
    // Bob's claim is looked at once a day as long as a run has it.
    bench.clock.jump(30 * HOUR_MS);
    assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 1);
    assert!(!is_stored(&bench, &content).await);
}

#[tokio::test]
async fn refused_upload_leaves_what_others_have() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 50_000).await;
    let task = bench.task().await;
    let (in_file, under_way, new) = (noise(1, 50_000), noise(2, 10), noise(3, 10));
    put(&bench, task, "b", &in_file).await.unwrap();
    let other = claim(&bench, &under_way).await;
    for content in [&in_file, &under_way, &new] {
        assert_eq!(put(&bench, task, "c", content).await.unwrap_err().code, ErrorCode::QuotaReached);
    }
    assert!(is_stored(&bench, &in_file).await);
    assert!(is_stored(&bench, &under_way).await, "the other one counts on it");
    assert!(!is_stored(&bench, &new).await);
    let claims = claims(&bench).await;
    assert_eq!(claims.iter().filter(|(holder, _)| *holder == task || *holder == other).count(), 2);
    assert_eq!(claims.len(), 3, "that of the refused upload stays for the sweep: {claims:?}");
    assert_eq!(claims.iter().filter(|(_, counts)| *counts).count(), 1, "and counts: {claims:?}");
    bench.clock.jump(HOUR_MS + 60_000);
    assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 1);
}

/// Several bring the same bytes at once, some are refused after they stored them: each file that is there has its object.
#[tokio::test]
async fn release_never_takes_what_is_uploaded_beside_it() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let mut refused = 0;
    for round in 0..30 {
        let content = noise(round, 3_000);
        // Only one of two paths that differ by case can be, and of those that came before only one is looked for early.
        let paths: Vec<_> =
            (0..6).map(|n| format!("{}{round}/{}", if n % 2 == 0 { "d" } else { "D" }, n / 2)).collect();
        let done = join_all(paths.iter().map(|path| put(&bench, task, path, &content))).await;
        refused += done.iter().filter(|done| done.is_err()).count();
        assert!(done.iter().any(Result::is_ok), "{done:?}");
        assert!(is_stored(&bench, &content).await, "round {round}: a file is without its content");
        let gone = noise(round, 3_001);
        let [kept, new, clashing] = ["kept", "new", "Kept"].map(|name| format!("{name}{round}"));
        let entries = [(new.as_str(), &gone[..]), (clashing.as_str(), b"x")];
        let (kept, imported) = tokio::join!(put(&bench, task, &kept, &gone), import(&bench, task, &entries));
        assert!(kept.is_ok() != imported.is_ok(), "{kept:?} {imported:?}");
        assert!(is_stored(&bench, &gone).await, "round {round}");
    }
    assert!(refused >= 60, "{refused}");
}

#[tokio::test]
async fn import_over_the_main_file_is_refused_before_it_is_unpacked() {
    let bench = Bench::with(|settings| settings.max_text_bytes = 100_000).await;
    let task = bench.task().await;
    let data = noise(1, 200_000);
    for main in [&b"\xff"[..], &vec![b'x'; 100_001]] {
        let error = import(&bench, task, &[("d.bin", &data), ("run.py", main)]).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::MainFile);
        assert!(claims(&bench).await.is_empty(), "nothing was claimed");
        assert!(bench.objects.list("blobs/").await.unwrap().is_empty());
    }
    import(&bench, task, &[("d.bin", &data), ("run.py", b"new")]).await.unwrap();
    assert_eq!(bench.text(task, "run.py").await, "new");
    assert_eq!(claims(&bench).await, [(task, false)], "the import's claim became the task's");
}

#[tokio::test]
async fn refused_import_is_released() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 50_000).await;
    let task = bench.task().await;
    let kept = noise(1, 50_000);
    put(&bench, task, "kept", &kept).await.unwrap();
    let error =
        import(&bench, task, &[("a", &noise(2, 10)), ("b", &noise(2, 10)), ("c", &noise(3, 10)), ("d", &kept)]).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::QuotaReached);
    assert_eq!(bench.objects.list("blobs/").await.unwrap().len(), 1, "that of the file");
    assert_eq!(claims(&bench).await, [(task, false)]);
    // Damaged in the middle.
    let mut zip = zip_of(&[("a", &noise(4, 10)), ("run.sh2", b"0123456789012345678901234567890123456789")]).to_vec();
    let at = zip.windows(7).position(|window| window == b"run.sh2").unwrap() + 7;
    zip[at + 4] ^= 0x55;
    let damaged = bench.tasks.import(task, &bench.ada, ImportTarget::default(), stream::iter([Ok(zip.into())])).await;
    assert_eq!(damaged.unwrap_err().code, ErrorCode::BadArchive);
    assert_eq!(bench.objects.list("blobs/").await.unwrap().len(), 1);
    assert_eq!(claims(&bench).await, [(task, false)]);
}

#[tokio::test]
async fn upload_over_the_main_file_is_refused_before_it_is_stored() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    ada.put(&format!("{task}/files/run.py"), vec![0xff; 20_000]).await.is_problem("main_file");
    let app = &site.server.app;
    assert!(app.objects.list("blobs/").await.unwrap().is_empty());
    assert!(app.tables.query("SELECT 1 FROM blob_claims", vec![]).await.unwrap().is_empty());
}

#[tokio::test]
async fn archive_leaves_out_a_blob_that_is_gone_when_its_turn_comes() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let large: Vec<u8> = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    put(&bench, task, "a-large", &large.into()).await.unwrap();
    put(&bench, task, "b-gone", &noise(1, 10)).await.unwrap();
    put(&bench, task, "c-new", &noise(2, 10)).await.unwrap();
    let archive = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
    bench.tasks.delete_path(task, &bench.ada, "b-gone", None).await.unwrap();
    put(&bench, task, "c-new", &noise(3, 10)).await.unwrap();
    bench.clock.jump(HOUR_MS + 60_000);
    assert_eq!(bench.tasks.sweep().await.unwrap().blobs, 2);
    let pieces: Vec<Bytes> = archive.bytes.map(Result::unwrap).collect().await;
    let mut zip = zip::ZipArchive::new(Cursor::new(pieces.concat())).unwrap();
    let names: Vec<_> = (0..zip.len()).map(|index| zip.by_index(index).unwrap().name().unwrap().into_owned()).collect();
    assert_eq!(names, ["a-large", "c-new", "run.py", "run.sh"]);
}
