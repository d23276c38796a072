//! What a group commit costs: `cargo run --profile release-lite -p coderoom-backing --example commit_cost [DIRECTORY]`.
//!
//! Each commit is one `batch` that, for every one of N files, moves the file's number and inserts a row of edits,
//! as the product does. It prints wall time and CPU time (user + system, all threads) per commit, and the slowest.
//!
//! Seen on 2 busy cores, ext4 (commits are durable): 1 row 120 us CPU, 10 rows 230 us, 100 rows 1,750 us; so about
//! 110 us a commit and 12 to 17 us a row. Pages of 1 to 8 KiB make no difference.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::{fs, path::PathBuf, time::Instant};

use bytes::Bytes;
use coderoom_backing::{
    tables::{Statement, Tables},
    values,
};

const FILES: i64 = 100;

/// CPU time of this process in microseconds, from `/proc/self/schedstat` of each thread.
fn cpu_us() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let run_ns = threads.map(|thread| {
        let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap()
    });
    run_ns.sum::<f64>() / 1000.0
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let at = std::env::args().nth(1).map_or_else(|| directory.path().to_owned(), PathBuf::from);
    let tables = Tables::open_sqlite(&at.join("cost.db")).await.unwrap();
    let files = "CREATE TABLE files (id TEXT NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, seq BIGINT NOT NULL)";
    let edits =
        "CREATE TABLE edits (file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE, epoch BIGINT NOT NULL,
        seq BIGINT NOT NULL, count BIGINT NOT NULL, data BLOB NOT NULL, at BIGINT NOT NULL,
        PRIMARY KEY (file_id, epoch, seq)) WITHOUT ROWID";
    tables.execute(files, vec![]).await.unwrap();
    tables.execute(edits, vec![]).await.unwrap();
    let id = |file: i64| format!("0192f0c1-5f3e-7abc-8def-{file:012}");
    let make = |file| Statement::new("INSERT INTO files VALUES ($1, 1, 0)", values![id(file)]);
    tables.batch((0..FILES).map(make).collect()).await.unwrap();
    println!("{:>5} {:>9} {:>12} {:>12} {:>12} {:>12}", "rows", "commits", "wall us", "cpu us", "p99 us", "max us");
    let mut seq = 0;
    for (rows, commits) in [(1, 4000), (10, 2000), (100, 500)] {
        let mut batches = Vec::with_capacity(commits);
        for _ in 0..commits {
            seq += 1;
            let mut batch = Vec::new();
            for file in 0..rows {
                batch.push(Statement::new(
                    "UPDATE files SET seq = seq + $3 WHERE id = $1 AND epoch = $2 RETURNING seq",
                    values![id(file), 1, 1],
                ));
            }
            for file in 0..rows {
                batch.push(Statement::new(
                    "INSERT INTO edits (file_id, epoch, seq, count, data, at) VALUES ($1, $2, $3, $4, $5, $6)",
                    values![id(file), 1, seq, 1, Bytes::from_static(&[7; 24]), 1_700_000_000_000_i64 + seq],
                ));
            }
            batches.push(batch);
        }
        let (mut slowest, cpu, wall) = (Vec::with_capacity(commits), cpu_us(), Instant::now());
        for batch in batches {
            let begin = Instant::now();
            tables.batch(batch).await.unwrap();
            slowest.push(begin.elapsed().as_micros());
        }
        let (cpu, wall) = (cpu_us() - cpu, wall.elapsed().as_micros());
        slowest.sort_unstable();
        let per = |total: f64| total / commits as f64;
        let (p99, max) = (slowest[commits * 99 / 100], slowest[commits - 1]);
        println!("{rows:>5} {commits:>9} {:>12.0} {:>12.0} {p99:>12} {max:>12}", per(wall as f64), per(cpu));
    }
}
