//! Reading the frozen files of runs.

use std::{
    future::Future as _,
    io::{Cursor, Write as _},
    pin::pin,
    time::Duration,
};

use coderoom_protocol::ids::RunId;
use coderoom_worker::snapshot::{Manifest, ManifestFile};
use futures_util::StreamExt as _;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::bench::Bench;

#[tokio::test]
async fn snapshots_of_runs_are_fetched_a_few_at_once() {
    let bench = Bench::with(|settings| settings.max_snapshots_at_once = 2).await;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.txt", SimpleFileOptions::default()).unwrap();
    zip.write_all(b"frozen").unwrap();
    // Fills the snapshot, so that fetching it takes a while.
    zip.start_file("noise", SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
    zip.write_all(&vec![7; 20_000_000]).unwrap();
    let stored = zip.finish().unwrap().into_inner();
    bench.objects.put("code/test.zip", stored.into()).await.unwrap();
    let file = ManifestFile { path: "a.txt".into(), seq: 0, size: 6, sha256: String::new(), blob_key: None };
    let code_key = "code/test.zip".to_owned();
    let manifest = Manifest { version: 1, code_key, code_sha256: String::new(), files: vec![file.clone()] };
    let staging = bench.tasks.settings().staging.clone();
    let at_once = || std::fs::read_dir(&staging).unwrap().count();
    let readers = (0..12).map(|_| async {
        let mut text = bench.tasks.frozen_file(&manifest, &file).await.unwrap();
        assert_eq!(text.next().await.unwrap().unwrap(), "frozen");
    });
    let mut readers = pin!(futures_util::future::join_all(readers));
    let mut most = 0;
    let watched = futures_util::future::poll_fn(|context| {
        let all = readers.as_mut().poll(context);
        most = most.max(at_once());
        all
    });
    tokio::time::timeout(Duration::from_secs(30), watched).await.expect("everybody gets a turn");
    assert_eq!(most, 2, "snapshots on disk at once");
}

#[tokio::test]
async fn snapshot_that_waits_to_be_packed_takes_no_room() {
    let bench = Bench::with(|settings| settings.max_packing_at_once = 1).await;
    let task = bench.task().await;
    let noise: Vec<u8> = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    bench.tasks.create_blob(task, &bench.ada, "noise", noise.into()).await.unwrap();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.txt", SimpleFileOptions::default()).unwrap();
    bench.objects.put("code/test.zip", zip.finish().unwrap().into_inner().into()).await.unwrap();
    let file = ManifestFile { path: "a.txt".into(), seq: 0, size: 0, sha256: String::new(), blob_key: None };
    let code_key = "code/test.zip".to_owned();
    let manifest = Manifest { version: 1, code_key, code_sha256: String::new(), files: vec![file] };
    let staged = || std::fs::read_dir(&bench.tasks.settings().staging).unwrap().count();
    let slow = bench.tasks.pack(bench.bob.user, task, "").await.unwrap();
    let mut waiting = pin!(bench.tasks.pack_snapshot(bench.ada.user, RunId::new(), 1, manifest));
    // Much longer than fetching it takes.
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut waiting).await.is_err(), "it is not its turn");
    assert_eq!(staged(), 0, "snapshots on disk");
    drop(slow);
    let packed = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("its turn comes").unwrap();
    assert!(packed.bytes.all(async |piece| piece.is_ok()).await);
}
