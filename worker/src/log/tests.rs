//! The log over the real embedded services: whoever reads it, whenever, gets the same bytes.

use std::sync::Arc;

use coderoom_backing::{
    bus::Bus,
    clock::Clock,
    objects::Objects,
    queue::Queue,
    tables::{PostgresSettings, Tables},
    values,
};
use coderoom_protocol::{control::LogStream, ids::RunId, problem::ErrorCode};
use coderoom_services::Database;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    LogEvent, LogReader,
    write::{Closed, LogWriter, Output},
};
use crate::{
    announce::log_stream,
    limits::RunSettings,
    moves::{self, Outcome},
    runs::Runs,
    schema::MIGRATIONS,
};

struct Place {
    dir: TempDir,
    runs: Runs,
    run: RunId,
}

/// A directory with one running run that `me` has.
async fn place() -> Place {
    place_in(tempfile::tempdir().unwrap()).await
}

async fn place_in(dir: TempDir) -> Place {
    let file = dir.path().join("tables.sqlite");
    let tables = match Database::in_place_of(&file) {
        None => Tables::open_sqlite(&file).await.unwrap(),
        Some(url) => Tables::open_postgres(PostgresSettings::new(url)).await.unwrap(),
    };
    tables.migrate(MIGRATIONS).await.unwrap();
    let objects = Objects::open_directory(&dir.path().join("objects")).await.unwrap();
    let bus = Bus::open_local(&dir.path().join("streams")).await.unwrap();
    let run = RunId::new();
    for sql in [
        "INSERT INTO users (id, name, name_key, created_at) VALUES ('u', 'Ana', 'ana', 0)",
        "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at) VALUES ('t', 't', 'r', 'u', 0, 0)",
    ] {
        tables.execute(sql, values![]).await.unwrap();
    }
    let sql = "INSERT INTO runs (id, task_id, number, user_id, language, state, command, manifest_key, submitted_at, lease_owner)
               VALUES ($1, 't', 1, 'u', 'r', 2, 'x', 'x', 0, 'me')";
    tables.execute(sql, values![run.to_string()]).await.unwrap();
    let settings = RunSettings::new(dir.path().to_owned());
    let runs = Runs::new(tables, objects, bus, Queue::open_local(), Clock::default(), settings);
    Place { dir, runs, run }
}

impl Place {
    /// The same services with nothing cached, as another process sees them.
    fn fresh(&self) -> Runs {
        let runs = &self.runs;
        let settings = RunSettings::new(self.dir.path().to_owned());
        Runs::new(
            runs.tables().clone(),
            runs.objects().clone(),
            runs.bus().clone(),
            runs.queue().clone(),
            runs.clock().clone(),
            settings,
        )
    }

    async fn end(&self, closed: &Closed) {
        let outcome = Outcome { log_bytes: closed.size, log_sha256: closed.sha256.clone(), ..Outcome::default() };
        moves::finish(&self.runs, self.run, "me", &outcome).await.unwrap().expect("the run was mine");
        self.runs.announce_log_end(self.run).await;
        self.runs.bus().remove(&log_stream(self.run)).await.unwrap();
    }
}

fn bytes_of(size: usize) -> Vec<u8> {
    (0..).flat_map(|line: u32| format!("{line:09} the quick brown fox \u{1f98a}\n").into_bytes()).take(size).collect()
}

/// Output in pieces as a supervisor frames it, from `from` on.
async fn send(writer: &LogWriter, all: &[u8], from: usize, to: usize) {
    let (outputs, mut offset) = (writer.outputs(), from);
    for (index, part) in all[from..to].chunks(16_000).enumerate() {
        let stream = if index % 3 == 0 { LogStream::Err } else { LogStream::Out };
        let output = Output { offset: offset as u64, stream, at: index as i64, bytes: part.to_vec() };
        outputs.send(output).await.expect("the writer goes on");
        offset += part.len();
    }
}

async fn read_to_end(mut reader: LogReader, max_bytes: usize) -> (Vec<u8>, LogEvent) {
    let (mut bytes, mut next) = (Vec::new(), reader.offset());
    loop {
        match reader.next(max_bytes).await.unwrap() {
            LogEvent::Piece(piece) => {
                assert_eq!(piece.offset, next, "no gap and nothing twice");
                assert!(!piece.bytes.is_empty() && piece.bytes.len() <= max_bytes);
                next = piece.end();
                bytes.extend_from_slice(&piece.bytes);
            }
            end => return (bytes, end),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_the_same_live_and_afterwards_from_any_offset() {
    let place = place().await;
    let all = Arc::new(bytes_of(5_000_000));
    let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
    let mut followers = Vec::new();
    for (offset, max_bytes) in [(0, 65_536), (0, 1000), (7, 50_000), (1_234_567, 4096), (4_999_999, 1)] {
        let reader = LogReader::open(&place.runs, place.run, offset).await.unwrap();
        followers.push((offset, tokio::spawn(read_to_end(reader, max_bytes))));
    }
    send(&writer, &all, 0, all.len()).await;
    let closed = writer.close().await.unwrap();
    assert_eq!(closed, Closed { size: all.len() as u64, sha256: hex::encode(Sha256::digest(&*all)) });
    place.end(&closed).await;
    for (offset, follower) in followers {
        let (bytes, end) = follower.await.unwrap();
        assert!(bytes == all[offset as usize..], "follower from {offset}");
        let end_of_log = LogEvent::End { size: closed.size, sha256: closed.sha256.clone(), truncated: false };
        assert_eq!(end, end_of_log);
    }
    let runs = place.fresh();
    for offset in [0, 1, 999_999, 1_048_576, 4_999_999, 5_000_000, 6_000_000] {
        let (bytes, _) = read_to_end(LogReader::open(&runs, place.run, offset).await.unwrap(), 65_536).await;
        assert!(bytes == all[all.len().min(offset as usize)..], "reader from {offset} after the end");
    }
    let part = runs.read_log(place.run, 1_000_001, 70_000).await.unwrap();
    assert!(part == all[1_000_001..1_070_001]);
    assert_eq!(runs.log_status(place.run).await.unwrap().size, 5_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_that_died_is_continued_where_the_stored_log_ends() {
    let place = place().await;
    let all = bytes_of(3_000_000);
    let mut stored = 0;
    for (from, to) in [(0, 40_000), (0, 2_500_000), (1_000, 2_500_100)] {
        let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
        // The frames come from the first one again, also those that are stored.
        send(&writer, &all, from, to).await;
        // Dropped without closing, at any moment, as by a crash.
        drop(writer);
        let status = place.runs.log_status(place.run).await.unwrap();
        assert!(status.size >= stored && status.size <= to as u64);
        stored = status.size;
    }
    let writer = LogWriter::open(&place.fresh(), place.run).await.unwrap();
    send(&writer, &all, 0, all.len()).await;
    let closed = writer.close().await.unwrap();
    assert_eq!(closed.sha256, hex::encode(Sha256::digest(&all)));
    place.end(&closed).await;
    let (bytes, _) = read_to_end(LogReader::open(&place.runs, place.run, 0).await.unwrap(), 65_536).await;
    assert!(bytes == all);
}

#[tokio::test(flavor = "multi_thread")]
async fn bus_that_forgot_everything_costs_no_byte() {
    let place = place().await;
    let all = bytes_of(2_600_000);
    let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
    for step in 0..13 {
        send(&writer, &all, step * 200_000, (step + 1) * 200_000).await;
        place.runs.bus().remove(&log_stream(place.run)).await.unwrap();
    }
    let closed = writer.close().await.unwrap();
    place.end(&closed).await;
    let (bytes, _) = read_to_end(LogReader::open(&place.runs, place.run, 0).await.unwrap(), 65_536).await;
    assert!(bytes == all);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_segments_are_merged_and_readers_on_the_way_go_on() {
    let place = place().await;
    let all = bytes_of(40 * 1000);
    let mut reader = LogReader::open(&place.runs, place.run, 0).await.unwrap();
    for part in 0..40 {
        let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
        send(&writer, &all, part * 1000, (part + 1) * 1000).await;
        // Closing archives what there is; the reader then knows the small segments by name.
        let closed = writer.close().await.unwrap();
        assert_eq!(closed.size, (part as u64 + 1) * 1000);
        if part == 2 {
            while let LogEvent::Piece(_) = reader.try_next(100).await.unwrap() {}
        }
        if part == 39 {
            place.end(&closed).await;
        }
    }
    let segments = place.runs.objects().list(&format!("runs/{}/log/", place.run)).await.unwrap();
    assert!(segments.len() <= 9, "{} segments are left", segments.len());
    let (bytes, _) = read_to_end(LogReader::open(&place.fresh(), place.run, 0).await.unwrap(), 65_536).await;
    assert!(bytes == all);
    let from = usize::try_from(reader.offset()).unwrap();
    let (rest, _) = read_to_end(reader, 65_536).await;
    assert!(rest == all[from..]);
}

#[tokio::test]
async fn missing_output_is_noticed_instead_of_shown_as_whole() {
    let place = place().await;
    let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
    let output = Output { offset: 10, stream: LogStream::Out, at: 0, bytes: b"late".to_vec() };
    writer.outputs().send(output).await.unwrap();
    assert!(writer.close().await.is_err());
}

#[tokio::test]
async fn reader_of_a_deleted_run_is_told() {
    let place = place().await;
    let mut reader = LogReader::open(&place.runs, place.run, 0).await.unwrap();
    let sql = "DELETE FROM runs WHERE id = $1";
    place.runs.tables().execute(sql, values![place.run.to_string()]).await.unwrap();
    assert_eq!(reader.next(100).await.unwrap_err().code, ErrorCode::NotFound);
}

/// A small file system for the live parts; unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_under_the_live_part_holds_nothing_up_and_costs_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let streams = dir.path().join("streams");
    std::fs::create_dir(&streams).unwrap();
    let no_flags = rustix::mount::MountFlags::empty();
    if let Err(error) = rustix::mount::mount("tmpfs", &streams, "tmpfs", no_flags, c"size=4m") {
        println!("skipped: cannot mount a small disk: {error}");
        return;
    }
    let disk = SmallDisk(streams.clone());
    let place = place_in(dir).await;
    let all = bytes_of(2_000_000);
    let follower = tokio::spawn(read_to_end(LogReader::open(&place.runs, place.run, 0).await.unwrap(), 65_536));
    let writer = LogWriter::open(&place.runs, place.run).await.unwrap();
    send(&writer, &all, 0, 500_000).await;
    let filling = streams.join("filling");
    let mut file = std::fs::File::create(&filling).unwrap();
    for size in [65_536, 4096, 1] {
        while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
    }
    let more = send(&writer, &all, 500_000, all.len());
    let taken = tokio::time::timeout(std::time::Duration::from_secs(20), more).await;
    assert!(taken.is_ok(), "what has no room in the live part is archived from memory");
    let closed = writer.close().await.unwrap();
    drop(file);
    std::fs::remove_file(filling).unwrap();
    place.end(&closed).await;
    assert_eq!(closed.sha256, hex::encode(Sha256::digest(&all)));
    let (bytes, _) = follower.await.unwrap();
    assert!(bytes == all);
    drop((place, disk));
}
