//! Archives in and out: what is refused leaves no trace, what is taken comes back byte for byte.

use std::{
    io::{Cursor, Read, Write},
    time::Duration,
};

use bytes::Bytes;
use coderoom_backing::{tables::Sql, values};
use coderoom_protocol::{
    control::TreeChanged,
    ids::TaskId,
    problem::{ErrorCode, WireError},
    tree::{NodeKind, TreeChange},
};
use coderoom_server::tasks::{Archive, ImportTarget};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::bench::Bench;

/// Entries as (name, content); a name that ends in a slash is a folder.
fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        if name.ends_with('/') {
            zip.add_directory(*name, SimpleFileOptions::default()).unwrap();
        } else {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

async fn import(bench: &Bench, task: TaskId, target: ImportTarget<'_>, zip: Vec<u8>) -> Result<TreeChanged, WireError> {
    let pieces: Vec<_> = zip.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    bench.tasks.import(task, &bench.ada, target, stream::iter(pieces)).await
}

/// Everything in an archive, in its order.
async fn unpacked(archive: Archive) -> Vec<(String, Vec<u8>)> {
    let bytes: Vec<Bytes> = archive.bytes.try_collect().await.unwrap();
    let mut zip = ZipArchive::new(Cursor::new(bytes.concat())).unwrap();
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.push((file.name().unwrap().into_owned(), content));
    }
    files
}

/// The import is refused with this code, and there is no trace of it.
async fn check_refused(
    bench: &Bench,
    task: TaskId,
    target: ImportTarget<'_>,
    zip: Vec<u8>,
    code: ErrorCode,
    why: &str,
) {
    let (paths, revision) = (bench.paths(task).await, bench.tasks.revision(task).await.unwrap());
    let error = import(bench, task, target, zip).await.unwrap_err();
    assert_eq!(error.code, code, "{why}: {error}");
    assert!(error.message.contains(why), "{why:?} is not said by: {error}");
    assert_eq!(bench.paths(task).await, paths);
    assert_eq!(bench.tasks.revision(task).await.unwrap(), revision);
    let rows = bench.tables.query("SELECT 1 FROM tasks WHERE import_of IS NOT NULL", vec![]).await.unwrap();
    assert!(rows.is_empty(), "the hidden task is gone");
    let staged = std::fs::read_dir(bench.directory.path().join("staging")).unwrap().count();
    assert_eq!(staged, 0, "nothing is left of the upload");
}

#[tokio::test]
async fn imported_files_come_back_byte_for_byte() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let binary: Vec<u8> = (0..=255).collect();
    let entries: [(&str, &[u8]); 7] = [
        ("数据/", b""),
        ("数据/说明.txt", "你好\r\nline two\r\n".as_bytes()),
        ("empty.txt", b""),
        ("bom.csv", b"\xef\xbb\xbfa;b\r\n"),
        ("bin/all.bin", &binary),
        ("no-newline", b"x"),
        ("nested.zip", b"PK\x03\x04\xff is just bytes"),
    ];
    let changed = import(&bench, task, ImportTarget::default(), zip_of(&entries)).await.unwrap();
    assert_eq!(changed.changes.len(), 6);
    assert_eq!(bench.text(task, "数据/说明.txt").await, "你好\r\nline two\r\n");
    assert_eq!(bench.tasks.file_at(task, "bin/all.bin").await.unwrap().unwrap().kind, NodeKind::Blob);
    assert_eq!(bench.tasks.file_at(task, "empty.txt").await.unwrap().unwrap().kind, NodeKind::Text);
    assert_eq!(bench.main(task).await.as_deref(), Some("run.py"), "main stays");
    let back = unpacked(bench.tasks.pack(bench.ada.user, task, "").await.unwrap()).await;
    for (name, content) in entries.iter().filter(|(name, _)| !name.ends_with('/')) {
        let found = back.iter().find(|(path, _)| path == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(found.1, *content, "{name}");
    }
    assert_eq!(back.len(), 8, "with the default files");
    let folder = bench.tasks.pack(bench.ada.user, task, "数据").await.unwrap();
    assert_eq!(folder.name, "数据");
    assert_eq!(unpacked(folder).await[0].0, "说明.txt", "paths begin inside the folder");
    let single = unpacked(bench.tasks.pack(bench.ada.user, task, "bin/all.bin").await.unwrap()).await;
    assert_eq!(single, [("all.bin".to_owned(), binary)]);
    assert_eq!(bench.tasks.pack(bench.ada.user, task, "nothing").await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bench.tasks.pack(bench.ada.user, task, "Bin").await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn import_goes_into_a_folder_and_is_announced() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let mut heard = bench.hear(task).await;
    let target = ImportTarget { folder: Some("lib/v2"), ..ImportTarget::default() };
    import(&bench, task, target, zip_of(&[("run.py", b"x"), ("a/b", b"y")])).await.unwrap();
    assert_eq!(bench.paths(task).await, ["lib/v2/a/b", "lib/v2/run.py", "run.py", "run.sh"]);
    assert_eq!(heard.tree().await.1.len(), 2);
}

#[tokio::test]
async fn archives_that_break_a_rule_are_refused_whole() {
    let bench = Bench::with(|settings| settings.max_files = 20).await;
    let task = bench.task().await;
    let check = async |zip: Vec<u8>, why: &str| {
        check_refused(&bench, task, ImportTarget::default(), zip, ErrorCode::BadArchive, why).await;
    };
    let with = |name: &str| zip_of(&[("good.txt", b"good"), (name, b"evil")]);
    check(with("../evil"), "..").await;
    check(with("a/../../evil"), "..").await;
    check(with("/etc/passwd"), "slash at the beginning").await;
    check(with("a\\b"), "backslash").await;
    check(with("a//b"), "empty component").await;
    check(with("./a"), "..").await;
    check(with("a\nb"), "control character").await;
    check(with("d/".repeat(40).trim_end_matches('/')), "levels").await;
    check(with(&"n".repeat(256)), "255 bytes").await;
    check(with("Good.txt"), "letter case").await;
    check(with("good.txt/x"), "is a file").await;
    check(zip_of(&[("a/x", b""), ("A/y", b"")]), "letter case").await;
    check(zip_of(&[("a", b""), ("a/", b"")]), "is a file").await;
    check(zip_of(&[("a/", b""), ("a", b"")]), "is a folder").await;
    check(b"this is no zip".to_vec(), "cannot be read").await;
    check(Vec::new(), "cannot be read").await;
    let whole = zip_of(&[("good.txt", &[b'x'; 5_000])]);
    check(whole[..whole.len() - 30].to_vec(), "cannot be read").await;

    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.start_file("good.txt", SimpleFileOptions::default()).unwrap();
    link.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    check(link.finish().unwrap().into_inner(), "link").await;

    check(
        zip_of(&[("\u{fc}.txt", b"x")]).into_iter().map(|byte| if byte == 0xc3 { 0xff } else { byte }).collect(),
        "UTF-8",
    )
    .await;

    let mut encrypted = whole.clone();
    let central = find(&encrypted, b"PK\x01\x02");
    encrypted[6] |= 1;
    encrypted[central + 8] |= 1;
    check(encrypted, "encrypted").await;

    // The same name twice: the writer refuses it, so a name is changed after the fact.
    let twice = zip_of(&[("one.txt", b"1"), ("two.txt", b"2")]);
    check(replace(twice, b"two.txt", b"one.txt"), "already").await;
    // The names before the content and in the directory differ.
    let mut two_names = zip_of(&[("one.txt", b"1")]);
    two_names[30..37].copy_from_slice(b"two.txt");
    check(two_names, "cannot be read").await;
}

#[tokio::test]
async fn bombs_are_refused() {
    let bench = Bench::with(|settings| {
        settings.max_task_bytes = 1 << 30;
        settings.max_files = 20;
    })
    .await;
    let task = bench.task().await;
    let none = ImportTarget::default();
    let zeros = vec![0; 20 << 20];
    check_refused(&bench, task, none, zip_of(&[("bomb", &zeros)]), ErrorCode::BadArchive, "times as much").await;

    // It says that it is small, in both places, and is not.
    let mut liar = zip_of(&[("liar", &[b'x'; 100_000])]);
    let central = find(&liar, b"PK\x01\x02");
    liar[22..26].copy_from_slice(&10_u32.to_le_bytes());
    liar[central + 24..central + 28].copy_from_slice(&10_u32.to_le_bytes());
    check_refused(&bench, task, none, liar, ErrorCode::BadArchive, "larger than").await;

    let mut damaged = zip_of(&[("damaged", b"0123456789012345678901234567890123456789")]);
    let at = find(&damaged, b"damaged") + 7;
    damaged[at + 4] ^= 0x55;
    check_refused(&bench, task, none, damaged, ErrorCode::BadArchive, "damaged").await;

    let names: Vec<String> = (0..60).map(|number| format!("f{number}/")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    check_refused(&bench, task, none, zip_of(&many), ErrorCode::TooManyFiles, "20 files").await;
    let names: Vec<String> = (0..21).map(|number| format!("f{number}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    check_refused(&bench, task, none, zip_of(&many), ErrorCode::TooManyFiles, "20 files").await;
    // With those that are there already.
    check_refused(&bench, task, none, zip_of(&many[..19]), ErrorCode::TooManyFiles, "room for 18").await;
    import(&bench, task, none, zip_of(&many[..18])).await.unwrap();
}

#[tokio::test]
async fn total_and_upload_sizes_hold_to_the_byte() {
    let bench = Bench::with(|settings| {
        settings.max_task_bytes = 10_000;
        settings.max_archive_bytes = 50_000;
        settings.max_text_bytes = 2_000;
    })
    .await;
    let task = bench.task().await;
    let free = 10_000 - bench.tasks.tree(task).await.unwrap().1.size as usize;
    let none = ImportTarget::default();
    let content = vec![0xfe; free + 1];
    check_refused(&bench, task, none, zip_of(&[("b", &content)]), ErrorCode::TaskTooLarge, "are free").await;
    check_refused(&bench, task, none, vec![0; 50_001], ErrorCode::BodyTooLarge, "in parts").await;
    let declared = ImportTarget { declared: Some(50_001), ..none };
    check_refused(&bench, task, declared, Vec::new(), ErrorCode::BodyTooLarge, "in parts").await;
    let (at, over) = ("t".repeat(2_000), "t".repeat(2_001));
    import(&bench, task, none, zip_of(&[("at", at.as_bytes()), ("over", over.as_bytes())])).await.unwrap();
    assert_eq!(bench.tasks.file_at(task, "at").await.unwrap().unwrap().kind, NodeKind::Text);
    assert_eq!(bench.tasks.file_at(task, "over").await.unwrap().unwrap().kind, NodeKind::Blob);
    import(&bench, task, none, zip_of(&[("rest", &content[..free - 4_001])])).await.unwrap();
    assert_eq!(bench.tasks.tree(task).await.unwrap().1.size, 10_000);
}

#[tokio::test]
async fn files_that_are_there_give_way_only_when_asked() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.write(task, "data/a.txt", "old").await;
    bench.tasks.create_blob(task, &bench.ada, "data/b.bin", vec![0xff].into()).await.unwrap();
    let old_main = bench.tasks.file_at(task, "run.py").await.unwrap().unwrap().id;
    let zip = || zip_of(&[("run.py", b"print(1)"), ("data/a.txt", b"\xff"), ("data/b.bin", b"text now"), ("c", b"")]);
    let none = ImportTarget::default();
    check_refused(&bench, task, none, zip(), ErrorCode::PathTaken, "run.py").await;
    let replace = ImportTarget { replace: true, ..none };
    check_refused(&bench, task, replace, zip_of(&[("RUN.py", b"")]), ErrorCode::CaseConflict, "letter case").await;
    check_refused(&bench, task, replace, zip_of(&[("data", b"")]), ErrorCode::FileFolderConflict, "is a folder").await;
    check_refused(&bench, task, replace, zip_of(&[("run.py", b"\xff")]), ErrorCode::MainFile, "main file").await;
    let changed = import(&bench, task, replace, zip()).await.unwrap();
    let deleted = changed.changes.iter().filter(|change| matches!(change, TreeChange::Deleted { .. })).count();
    assert_eq!((deleted, changed.changes.len()), (3, 8), "three go, four come, one becomes main");
    assert_eq!(bench.main(task).await.as_deref(), Some("run.py"));
    assert_ne!(bench.tasks.file_at(task, "run.py").await.unwrap().unwrap().id, old_main);
    assert_eq!(bench.text(task, "data/b.bin").await, "text now");
    assert_eq!(bench.tasks.file_at(task, "data/a.txt").await.unwrap().unwrap().kind, NodeKind::Blob);
}

#[tokio::test]
async fn upload_that_breaks_off_changes_nothing() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let zip = zip_of(&[("a", b"x")]);
    let cut = stream::iter([Ok(Bytes::from(zip)), Err(std::io::Error::other("gone"))]);
    let error = bench.tasks.import(task, &bench.ada, ImportTarget::default(), cut).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);
    assert_eq!(bench.paths(task).await.len(), 2);
}

#[tokio::test]
async fn fifty_thousand_files_are_imported_and_packed_in_seconds() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let names: Vec<String> = (0..49_998).map(|number| format!("d{}/{number}.txt", number / 500)).collect();
    let contents: Vec<String> = (0..49_998).map(|number| format!("file {number}\n")).collect();
    let entries: Vec<_> = names.iter().zip(&contents).map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let zip = zip_of(&entries);
    let began = std::time::Instant::now();
    let changed = import(&bench, task, ImportTarget::default(), zip).await.unwrap();
    let imported = began.elapsed();
    assert!(changed.changes.len() <= 1_000, "the answer names {} changes", changed.changes.len());
    assert_eq!(changed.changes.len() as u64 + changed.omitted, 49_998);
    assert_eq!(changed.revision, 1 + 50);
    let archive = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
    let size: usize = archive.bytes.map(|piece| piece.unwrap().len()).fold(0, async |sum, size| sum + size).await;
    let packed = began.elapsed() - imported;
    assert!(size > 1_000_000);
    eprintln!("imported in {imported:?}, packed in {packed:?}");
}

#[tokio::test]
async fn reader_that_goes_away_frees_the_packer() {
    let bench = Bench::with(|settings| settings.max_packing_at_once = 1).await;
    let task = bench.task().await;
    let noise: Vec<u8> = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    bench.tasks.create_blob(task, &bench.ada, "noise", noise.clone().into()).await.unwrap();
    for _ in 0..3 {
        let mut archive = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
        let first = archive.bytes.next().await.unwrap().unwrap();
        assert!(!first.is_empty());
    }
    let files = unpacked(bench.tasks.pack(bench.ada.user, task, "noise").await.unwrap()).await;
    assert_eq!(files[0].1, noise);
}

#[tokio::test]
async fn slow_readers_hold_up_only_themselves() {
    let bench = Bench::with(|settings| (settings.max_packing_at_once, settings.max_packing_per_user) = (3, 2)).await;
    let task = bench.task().await;
    let noise: Vec<u8> = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    bench.tasks.create_blob(task, &bench.ada, "noise", noise.into()).await.unwrap();
    let first = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
    let _second = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
    let refused = bench.tasks.pack(bench.ada.user, task, "").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TooManyRequests);
    assert!(!unpacked(bench.tasks.pack(bench.bob.user, task, "").await.unwrap()).await.is_empty());
    drop(first);
    let again = async {
        while bench.tasks.pack(bench.ada.user, task, "").await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again)
        .await
        .expect("a reader who left gives the turn back");
}

#[tokio::test]
async fn archive_with_a_missing_object_breaks_off_visibly() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.tasks.create_blob(task, &bench.ada, "blob", vec![0xff, 1, 2].into()).await.unwrap();
    for object in bench.objects.list("blobs/").await.unwrap() {
        bench.objects.delete(&object.key).await.unwrap();
    }
    let pieces: Vec<_> = bench.tasks.pack(bench.ada.user, task, "").await.unwrap().bytes.collect().await;
    assert!(pieces.last().unwrap().is_err());
}

#[tokio::test]
async fn archives_of_other_writers_are_read() {
    // As Python's zipfile writes to a pipe: sizes follow the content (data descriptor), stored without compression.
    let bench = Bench::new().await;
    let task = bench.task().await;
    let mut zip = ZipWriter::new_stream(Vec::new());
    for (name, method) in [("a.txt", CompressionMethod::Stored), ("b.txt", CompressionMethod::Deflated)] {
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(b"streamed").unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    import(&bench, task, ImportTarget::default(), bytes).await.unwrap();
    assert_eq!(bench.text(task, "a.txt").await, "streamed");
    assert_eq!(bench.text(task, "b.txt").await, "streamed");
}

/// 1 GiB in and out, in pieces that are made and thrown away.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and 3 GiB of disk; run by hand after changing how bytes flow"]
async fn gibibyte_goes_in_and_out_in_64_mib() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 1_000;
    let bench = Bench::new().await;
    let task = bench.task().await;
    let noise: Vec<u8> = (0..PIECE as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let piece = Bytes::from(noise);
    let mut zip = ZipWriter::new_stream(std::fs::File::create(bench.directory.path().join("up.zip")).unwrap());
    zip.start_file("noise", SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
    for _ in 0..PIECES {
        zip.write_all(&piece).unwrap();
    }
    zip.finish().unwrap();
    let before = peak_memory();
    let file = tokio::fs::File::open(bench.directory.path().join("up.zip")).await.unwrap();
    let stream = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10);
    bench.tasks.import(task, &bench.ada, ImportTarget::default(), stream).await.unwrap();
    let up = peak_memory() - before;
    let archive = bench.tasks.pack(bench.ada.user, task, "").await.unwrap();
    let size: usize = archive.bytes.map(|piece| piece.unwrap().len()).fold(0, async |sum, size| sum + size).await;
    let both = peak_memory() - before;
    eprintln!("{size} bytes packed; extra memory up {} MiB, up and down {} MiB", up >> 20, both >> 20);
    assert!(both < 64 << 20, "{both} bytes more than before");
}

/// Highest memory use of this process so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

fn find(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).unwrap()
}

fn replace(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    for at in 0..bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn import_holds_no_file_that_a_group_commit_needs_while_it_waits_for_it() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let (first, second) = (bench.write(task, "a.txt", "1").await, bench.write(task, "b.txt", "2").await);
    let hold = "UPDATE files SET seq = seq WHERE id = $1";
    // Where rows are replaced by new ones, a scan now comes to this one last.
    bench.tables.execute(hold, values![first.to_string()]).await.unwrap();
    // As the group commit: one file after the other, in the order of their ids.
    let mut commit = bench.tables.begin().await.unwrap();
    commit.execute(hold, values![first.to_string()]).await.unwrap();
    let target = ImportTarget { replace: true, ..ImportTarget::default() };
    let importing = import(&bench, task, target, zip_of(&[("a.txt", b"3"), ("b.txt", b"4")]));
    let committing = async {
        // The one writer of SQLite has made it wait already.
        let waiting = Sql {
            sqlite: "SELECT 1".into(),
            postgres:
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    .into(),
        };
        let is_waiting = async || {
            let row = bench.tables.query_opt(waiting.clone(), values![]).await.unwrap().expect("a count");
            row.int(0).unwrap() > 0
        };
        let waits = async {
            while !is_waiting().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waits).await.expect("the import comes to the first file");
        commit.execute(hold, values![second.to_string()]).await.unwrap();
        commit.commit().await.unwrap();
    };
    let (imported, ()) = tokio::join!(importing, committing);
    imported.unwrap();
    assert_eq!((bench.text(task, "a.txt").await, bench.text(task, "b.txt").await), ("3".into(), "4".into()));
}
