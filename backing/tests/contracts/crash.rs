//! What the embedded twins hold when their process is killed: this test program runs itself as the victim, reads
//! what it says was done, kills it, and looks at what is there.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use coderoom_backing::{
    bus::Bus,
    objects::Objects,
    tables::{Statement, Tables, TablesError},
    values,
};

/// Set for the victim: the directory to work in.
const DIRECTORY: &str = "BACKING_CRASH_DIRECTORY";

/// Bytes of a victim's entries in a stream.
const ENTRY_BYTES: u64 = 3000;

/// Starts the test `victim` of this program in a process of its own.
fn start(victim: &str, directory: &Path) -> (Child, impl Iterator<Item = u64> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([victim, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = lines.filter_map(|line| line.ok()?.strip_prefix("done ")?.parse().ok());
    (child, numbers)
}

/// Lets the victim get so far, kills it, and gives the last number it said was done.
fn kill_after(victim: &str, directory: &Path, count: usize) -> u64 {
    let (mut child, mut numbers) = start(victim, directory);
    let mut last = numbers.by_ref().nth(count).expect("the victim works");
    child.kill().unwrap();
    last = numbers.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

fn done(number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\ndone {number}").unwrap();
    out.flush().unwrap();
}

fn victims_directory() -> std::path::PathBuf {
    std::env::var_os(DIRECTORY).expect("only run by another test").into()
}

#[tokio::test]
#[ignore = "a victim, started by another test"]
async fn victim_commits() {
    let tables = Tables::open_sqlite(&victims_directory().join("t.db")).await.unwrap();
    tables.execute("CREATE TABLE IF NOT EXISTS t (a BIGINT NOT NULL, half BIGINT NOT NULL)", vec![]).await.unwrap();
    let last = tables.query("SELECT COALESCE(MAX(a), 0) FROM t", vec![]).await.unwrap()[0].int(0).unwrap();
    for number in last + 1.. {
        let half = |half: i64| Statement::new("INSERT INTO t VALUES ($1, $2)", values![number, half]);
        tables.batch(vec![half(1), half(2)]).await.unwrap();
        done(number.unsigned_abs());
    }
}

#[tokio::test]
async fn acknowledged_commits_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let acknowledged = kill_after("crash::victim_commits", directory.path(), 20 + round * 17);
        let tables = Tables::open_sqlite(&directory.path().join("t.db")).await.unwrap();
        let found = tables.query("SELECT COUNT(DISTINCT a), COUNT(*), MAX(a) FROM t", vec![]).await.unwrap();
        let (distinct, rows, last) = (found[0].uint(0).unwrap(), found[0].uint(1).unwrap(), found[0].uint(2).unwrap());
        assert!(last >= acknowledged, "round {round}: {acknowledged} was acknowledged, {last} is the last stored");
        assert_eq!((distinct, rows), (last, last * 2), "round {round}: every batch is whole");
        assert_eq!(tables.query("PRAGMA integrity_check", vec![]).await.unwrap()[0].text(0).unwrap(), "ok");
    }
}

#[tokio::test]
async fn second_process_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, mut numbers) = start("crash::victim_commits", directory.path());
    numbers.next().unwrap();
    let file = directory.path().join("t.db");
    let refused = Tables::open_sqlite(&file).await;
    let expected = format!("another process (pid {})", child.id());
    assert!(matches!(&refused, Err(TablesError::Unavailable(why)) if why.contains(&expected)), "{refused:?}");
    assert!(numbers.next().is_some(), "the first process goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    Tables::open_sqlite(&file).await.unwrap();
}

#[tokio::test]
#[ignore = "a victim, started by another test"]
async fn victim_appends() {
    let bus = Bus::open_local(&victims_directory()).await.unwrap();
    let last = bus.last("s").await.unwrap().unwrap_or(0);
    for number in last / ENTRY_BYTES + 1.. {
        let byte = u8::try_from(number % 251).unwrap();
        let bytes = Bytes::from(vec![byte; usize::try_from(ENTRY_BYTES).unwrap()]);
        bus.append("s", number * ENTRY_BYTES, bytes).await.unwrap();
        done(number * ENTRY_BYTES);
    }
}

async fn check_stream(bus: &Bus) -> u64 {
    let mut at = 0;
    for entry in bus.read("s", 0, usize::MAX).await.unwrap() {
        assert_eq!(entry.end, at + ENTRY_BYTES);
        let byte = u8::try_from(entry.end / ENTRY_BYTES % 251).unwrap();
        assert!(entry.bytes.iter().all(|b| *b == byte));
        at = entry.end;
    }
    assert_eq!(bus.last("s").await.unwrap(), Some(at).filter(|at| *at > 0));
    at
}

#[tokio::test]
async fn streams_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        // The second round crosses into the second file of the stream.
        let appended = kill_after("crash::victim_appends", directory.path(), 100 + round * 1000);
        let bus = Bus::open_local(directory.path()).await.unwrap();
        let end = check_stream(&bus).await;
        assert!(end >= appended, "round {round}: {appended} was appended, {end} is the end");
    }
}

#[tokio::test]
async fn torn_end_of_a_stream_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let bus = Bus::open_local(directory.path()).await.unwrap();
    for number in 1..=5_u64 {
        let bytes = Bytes::from(vec![u8::try_from(number).unwrap(); usize::try_from(ENTRY_BYTES).unwrap()]);
        bus.append("s", number * ENTRY_BYTES, bytes).await.unwrap();
    }
    drop(bus);
    let files: Vec<_> = std::fs::read_dir(directory.path().join("s")).unwrap().map(|e| e.unwrap().path()).collect();
    let whole = std::fs::read(&files[0]).unwrap();
    let frame = whole.len() / 5;
    for cut in [1, 15, 16, 17, frame - 1, frame, frame + 1] {
        std::fs::write(&files[0], &whole[..whole.len() - cut]).unwrap();
        let bus = Bus::open_local(directory.path()).await.unwrap();
        let kept = 5 - cut.div_ceil(frame) as u64;
        assert_eq!(check_stream(&bus).await, kept * ENTRY_BYTES, "cut by {cut}");
        // Goes on where it was cut.
        let bytes = Bytes::from(vec![u8::try_from(kept + 1).unwrap(); usize::try_from(ENTRY_BYTES).unwrap()]);
        bus.append("s", (kept + 1) * ENTRY_BYTES, bytes).await.unwrap();
        assert_eq!(check_stream(&bus).await, (kept + 1) * ENTRY_BYTES);
    }
    let mut damaged = whole.clone();
    damaged[frame * 3 + 40] ^= 1;
    std::fs::write(&files[0], &damaged).unwrap();
    let bus = Bus::open_local(directory.path()).await.unwrap();
    assert_eq!(check_stream(&bus).await, 3 * ENTRY_BYTES, "a damaged entry is not handed out");
}

#[tokio::test]
#[ignore = "a victim, started by another test"]
async fn victim_puts() {
    let objects = Objects::open_directory(&victims_directory()).await.unwrap();
    for number in 1.. {
        let bytes = Bytes::from(vec![u8::try_from(number % 251).unwrap(); 200_000]);
        objects.put("same/key", bytes.clone()).await.unwrap();
        objects.put(&format!("n/{number}"), bytes).await.unwrap();
        done(number);
    }
}

#[tokio::test]
async fn objects_are_whole_after_a_kill_and_leftovers_are_swept() {
    let directory = tempfile::tempdir().unwrap();
    let put = kill_after("crash::victim_puts", directory.path(), 20);
    std::fs::write(directory.path().join("incoming/left"), b"half").unwrap();
    let objects = Objects::open_directory(directory.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("incoming")).unwrap().count(), 0);
    let listed = objects.list("n/").await.unwrap();
    assert!(listed.len() as u64 >= put);
    for object in listed {
        let bytes = objects.get(&object.key).await.unwrap().unwrap();
        assert!(bytes.len() == 200_000 && bytes.iter().all(|byte| *byte == bytes[0]), "{} is torn", object.key);
    }
    let same = objects.get("same/key").await.unwrap().unwrap();
    assert!(same.len() == 200_000 && same.iter().all(|byte| *byte == same[0]));
}
