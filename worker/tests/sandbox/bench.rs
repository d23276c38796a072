//! A local executor in a directory of its own, and runs to their end.

use std::{path::Path, time::Duration};

use coderoom_backing::objects::Objects;
use coderoom_protocol::{
    control::{Language, LogStream},
    ids::{RunId, TaskId, UserId},
    run::Reason,
    supervisor::{Body, Ending},
};
use coderoom_worker::{
    executor::{
        Execution, Executor, OutputArchive, RunLimits, StartError, StartRequest,
        local::{LocalExecutor, LocalSettings},
    },
    snapshot::{Manifest, ManifestFile, blob_key},
};
use sha2::{Digest as _, Sha256};

/// Longest time any run of these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An executor and what it stands on.
pub(crate) struct Bench {
    pub(crate) objects: Objects,
    pub(crate) executor: Executor,
    pub(crate) local: LocalExecutor,
    pub(crate) root: tempfile::TempDir,
}

/// How a run went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) phases: Vec<String>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    pub(crate) sys: Vec<u8>,
    /// Everything in order.
    pub(crate) log: Vec<u8>,
    pub(crate) ending: Ending,
    /// Files of the archive of `output/`.
    pub(crate) output: Vec<(String, Vec<u8>)>,
    pub(crate) took: Duration,
}

impl Outcome {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub(crate) fn reason(&self) -> Reason {
        self.ending.reason
    }
}

pub(crate) fn limits() -> RunLimits {
    RunLimits {
        wall_ms: 20_000,
        memory_bytes: 256 << 20,
        disk_bytes: 64 << 20,
        pids: 64,
        cpu_millis: 2000,
        log_bytes: 4 << 20,
        output_bytes: 8 << 20,
        grace_ms: 300,
    }
}

pub(crate) async fn settings(root: &Path) -> LocalSettings {
    let objects = Objects::open_directory(&root.join("objects")).await.unwrap();
    LocalSettings::new(root.join("runs"), env!("CARGO_BIN_EXE_coderoom-supervisor").into(), objects)
}

/// An executor; `None` where there is no bubblewrap, and the test says that it was skipped.
pub(crate) async fn bench() -> Option<Bench> {
    if !Path::new("/usr/bin/bwrap").exists() {
        eprintln!("skipped: bubblewrap is not installed");
        return None;
    }
    let bench = bench_with(|_| {}).await;
    assert_ne!(bench.executor.level(), "none", "{:?}", bench.local.problem());
    Some(bench)
}

/// An executor with other settings, whatever its level is.
pub(crate) async fn bench_with(change: impl FnOnce(&mut LocalSettings)) -> Bench {
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(root.path()).await;
    change(&mut settings);
    let objects = settings.objects.clone();
    let local = LocalExecutor::new(settings).await.unwrap();
    Bench { objects, executor: Executor::Local(local.clone()), local, root }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Bench {
    /// Whether limits hold for all processes of a run together; tests of those limits say that they were skipped.
    pub(crate) fn is_full(&self) -> bool {
        let full = self.executor.level() == "full";
        if !full {
            eprintln!("skipped: {:?}", self.local.problem());
        }
        full
    }

    /// Stores a snapshot of these texts and blobs, and asks for a run of it.
    pub(crate) async fn request(&self, command: &str, texts: &[(&str, &str)], blobs: &[(&str, &[u8])]) -> StartRequest {
        let run = RunId::new();
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let mut files = Vec::new();
        for (path, text) in texts {
            zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
            let (size, sha256) = (text.len() as u64, sha256(text.as_bytes()));
            files.push(ManifestFile { path: (*path).to_owned(), seq: 1, size, sha256, blob_key: None });
        }
        for (path, bytes) in blobs {
            let (size, sha256) = (bytes.len() as u64, sha256(bytes));
            let key = blob_key(&sha256);
            self.objects.put(&key, bytes.to_vec().into()).await.unwrap();
            files.push(ManifestFile { path: (*path).to_owned(), seq: 0, size, sha256, blob_key: Some(key) });
        }
        let code = zip.finish().unwrap().into_inner();
        let code_key = format!("runs/{run}/code.zip");
        let manifest = Manifest { version: 1, code_key: code_key.clone(), code_sha256: sha256(&code), files };
        self.objects.put(&code_key, code.into()).await.unwrap();
        let manifest_key = format!("runs/{run}/manifest.json");
        self.objects.put(&manifest_key, serde_json::to_vec(&manifest).unwrap().into()).await.unwrap();
        StartRequest {
            run,
            task: TaskId::new(),
            user: UserId::new(),
            language: Language::Python,
            command: command.to_owned(),
            limits: limits(),
            manifest_key,
        }
    }

    /// Runs a Python program to its end.
    pub(crate) async fn python(&self, code: &str) -> Outcome {
        self.python_within(code, |_| {}).await
    }

    /// The same with other limits.
    pub(crate) async fn python_within(&self, code: &str, change: impl FnOnce(&mut RunLimits)) -> Outcome {
        let mut request = self.request("python3 run.py", &[("run.py", code)], &[]).await;
        change(&mut request.limits);
        self.run(&request).await.unwrap()
    }

    /// Runs a shell command without files to its end.
    pub(crate) async fn sh(&self, command: &str) -> Outcome {
        let request = self.request(command, &[], &[]).await;
        self.run(&request).await.unwrap()
    }

    pub(crate) async fn run(&self, request: &StartRequest) -> Result<Outcome, StartError> {
        let execution = self.executor.start(request).await?;
        Ok(self.finish(execution, tokio::time::Instant::now()).await)
    }

    /// Follows to the end, checks that nothing is missing or doubled, and removes the run.
    pub(crate) async fn finish(&self, mut execution: Execution, since: tokio::time::Instant) -> Outcome {
        let (mut phases, mut log, mut seq) = (Vec::new(), Vec::new(), 0);
        let (mut out, mut err, mut sys) = (Vec::new(), Vec::new(), Vec::new());
        let mut ending = None;
        let frames = async {
            while let Some(frame) = execution.next_frame().await.unwrap() {
                assert_eq!(frame.seq, seq, "a frame is missing or doubled");
                seq += 1;
                match frame.body {
                    Body::Phase(words) => phases.push(words),
                    Body::Started => phases.push("Started".to_owned()),
                    Body::Output { offset, stream, bytes } => {
                        assert_eq!(offset, log.len() as u64, "a gap in the log");
                        log.extend_from_slice(&bytes);
                        match stream {
                            LogStream::Out => out.extend(bytes),
                            LogStream::Err => err.extend(bytes),
                            LogStream::Sys => sys.extend(bytes),
                        }
                    }
                    Body::End(end) => ending = Some(end),
                }
            }
        };
        tokio::time::timeout(PATIENCE, frames).await.expect("the run did not end in time");
        let ending = match ending {
            Some(ending) => {
                assert_eq!(ending.log_bytes, log.len() as u64);
                ending
            }
            None => execution.lost_ending().await,
        };
        let output = match execution.output_archive().await {
            Some(OutputArchive::File(archive)) => read_zip(&archive),
            Some(other) => panic!("a local run has its output in {other:?}"),
            None => Vec::new(),
        };
        let took = since.elapsed();
        execution.remove().await;
        Outcome { phases, out, err, sys, log, ending, output, took }
    }
}

fn read_zip(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let files = (0..zip.len()).map(|index| {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.name().unwrap().into_owned(), bytes)
    });
    files.collect()
}
