//! A task of 1 GiB as a zip, down and up: the server's memory.

use std::{
    io::{Seek, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::StreamExt;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::Finding;
use crate::{
    person::Person,
    process::resident_bytes,
    server::{Deployment, Server},
};

const FILES: usize = 16;
const FILE_BYTES: usize = 63 << 20;

/// Watches the highest resident memory of a process while something happens.
async fn peak_during<T>(pid: u32, work: impl Future<Output = T>) -> (u64, T) {
    let peak = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let (watching, until) = (Arc::clone(&peak), Arc::clone(&done));
    let watch = tokio::spawn(async move {
        while !until.load(Relaxed) {
            watching.fetch_max(resident_bytes(pid), Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let value = work.await;
    done.store(true, Relaxed);
    let _ = watch.await;
    (peak.load(Relaxed), value)
}

/// Zip in, zip out.
pub async fn gibibyte() -> Vec<Finding> {
    let server = Server::start(Deployment::Embedded).await;
    let person = Person::admin(&server);
    let task = person.create_task("large", "python").await;
    let archive = tokio::task::spawn_blocking(|| {
        let mut zip = ZipWriter::new(tempfile::tempfile().expect("a temporary file"));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        let mut random = StdRng::seed_from_u64(1);
        let mut block = vec![0_u8; 1 << 20];
        for file in 0..FILES {
            zip.start_file(format!("data/part{file}.bin"), options).expect("an entry");
            for _ in 0..FILE_BYTES >> 20 {
                random.fill_bytes(&mut block);
                zip.write_all(&block).expect("disk space");
            }
        }
        let mut file = zip.finish().expect("disk space");
        file.rewind().expect("a file");
        file
    })
    .await
    .expect("an archive");
    person.send(Method::GET, "/api/v1/tasks").await;
    let before = resident_bytes(server.pid());
    let body = reqwest::Body::from(tokio::fs::File::from_std(archive));
    let (up, answer) =
        peak_during(server.pid(), person.send_bytes(Method::POST, &format!("/api/v1/tasks/{task}/import"), body)).await;
    assert!(answer.status().is_success(), "import: {} {}", answer.status(), answer.text().await.unwrap_or_default());
    let between = resident_bytes(server.pid());
    let (down, bytes) = peak_during(server.pid(), async {
        let mut stream = person.send(Method::GET, &format!("/api/v1/tasks/{task}/archive")).await.bytes_stream();
        let mut bytes = 0;
        while let Some(piece) = stream.next().await {
            bytes += piece.expect("a piece").len();
        }
        bytes
    })
    .await;
    assert!(bytes >= FILES * FILE_BYTES, "the whole archive came back: {bytes}");
    let mib = |peak: u64, before: u64| peak.saturating_sub(before) as f64 / f64::from(1 << 20);
    vec![
        Finding::at_most("zip of 1 GiB up: extra memory", mib(up, before), 64.0, "MiB"),
        Finding::at_most("zip of 1 GiB down: extra memory", mib(down, between), 64.0, "MiB"),
    ]
}
