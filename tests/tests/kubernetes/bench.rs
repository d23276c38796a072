//! An executor on a cluster with an object store, and a run's frames read to the end.

use std::{
    collections::BTreeMap,
    env,
    io::{Cursor, Write},
    path::PathBuf,
    time::Duration,
};

use coderoom_backing::objects::{Objects, S3Settings};
use coderoom_protocol::{
    control::{Language, LogStream},
    ids::{RunId, TaskId, UserId},
    supervisor::{Body, Ending, Frame},
};
use coderoom_services::Ceph;
use coderoom_tests::kubernetes::{Simulator, options::Options};
use coderoom_worker::{
    executor::{
        Execution, Executor, RunLimits, StartRequest,
        kubernetes::{ClusterAccess, KubernetesExecutor, KubernetesSettings},
    },
    snapshot::{Manifest, ManifestFile, code_key, manifest_key},
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Where the supervisor lies in every image.
const SUPERVISOR: &str = "/usr/local/bin/coderoom-supervisor";
/// Longest time any run of these tests may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// An executor and what it stands on.
pub(crate) struct Bench {
    /// `None` on a real cluster.
    simulator: Option<Simulator>,
    pub(crate) executor: Executor,
    pub(crate) objects: Objects,
    pub(crate) settings: KubernetesSettings,
    _store: Option<Ceph>,
    _scratch: TempDir,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    pub(crate) ending: Ending,
    /// Number of the first frame that was read.
    pub(crate) first_frame: Option<u64>,
}

impl Said {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

impl Bench {
    /// On the simulator, or on the cluster that `CODEROOM_TEST_KUBECONFIG` names.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut KubernetesSettings)) -> Self {
        // Already installed is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scratch = tempfile::tempdir().expect("a directory");
        let (store, objects) = open_store().await;
        let mut settings = KubernetesSettings::new("demo", scratch.path().to_owned());
        let simulator = match env::var_os("CODEROOM_TEST_KUBECONFIG") {
            Some(path) => {
                settings.access = ClusterAccess::File { path: path.into(), context: None };
                settings.namespace = variable("CODEROOM_TEST_KUBERNETES_NAMESPACE");
                None
            }
            None => {
                let options =
                    Options { image_files: vec![(supervisor(), SUPERVISOR.to_owned())], ..Options::default() };
                let simulator = Simulator::start(options).await.expect("the simulator starts");
                settings.access = ClusterAccess::File { path: simulator.kubeconfig().to_owned(), context: None };
                Some(simulator)
            }
        };
        for language in ["python", "scala", "r"] {
            let image = env::var(format!("CODEROOM_TEST_IMAGE_{}", language.to_uppercase()));
            if let Ok(image) =
                image.or_else(|_| simulator.as_ref().map(|_| format!("localhost/{language}:1")).ok_or(()))
            {
                settings.images.insert(language.to_owned(), image);
            }
        }
        change(&mut settings);
        let executor = KubernetesExecutor::open(settings.clone(), objects.clone()).await.expect("the executor opens");
        let executor = Executor::Kubernetes(executor);
        Self { simulator, executor, objects, settings, _store: store, _scratch: scratch }
    }

    /// A second executor on the same cluster: another worker.
    pub(crate) async fn another_executor(&self) -> Executor {
        let executor =
            KubernetesExecutor::open(self.settings.clone(), self.objects.clone()).await.expect("the executor opens");
        Executor::Kubernetes(executor)
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().expect("only on the simulator")
    }

    /// Stores a snapshot of these files, and gives the request to run `command` in it.
    pub(crate) async fn request(&self, command: &str, files: &[(&str, &str)]) -> StartRequest {
        let (run, task) = (RunId::new(), TaskId::new());
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut listed = Vec::new();
        let files: BTreeMap<&str, &str> = files.iter().copied().collect();
        for (path, text) in files {
            zip.start_file(path, zip::write::SimpleFileOptions::default()).expect("a file in the zip");
            zip.write_all(text.as_bytes()).expect("its content");
            let (size, sha256) = (text.len() as u64, hex::encode(Sha256::digest(text)));
            listed.push(ManifestFile { path: path.to_owned(), seq: 1, size, sha256, blob_key: None });
        }
        let zip = zip.finish().expect("the zip").into_inner();
        let code_sha256 = hex::encode(Sha256::digest(&zip));
        let manifest = Manifest { version: 1, code_key: code_key(task, &code_sha256), code_sha256, files: listed };
        self.objects.put(&manifest.code_key, zip.into()).await.expect("the code is stored");
        let text = serde_json::to_vec(&manifest).expect("a manifest");
        self.objects.put(&manifest_key(run), text.into()).await.expect("the manifest is stored");
        StartRequest {
            run,
            task,
            user: UserId::new(),
            language: Language::Python,
            command: command.to_owned(),
            limits: RunLimits {
                wall_ms: 60_000,
                memory_bytes: 512 << 20,
                disk_bytes: 64 << 20,
                pids: 64,
                cpu_millis: 1000,
                log_bytes: 64 << 20,
                output_bytes: 8 << 20,
                grace_ms: 1000,
            },
            manifest_key: manifest_key(run),
        }
    }

    /// Runs `command` among `files` to its end and removes what is left.
    pub(crate) async fn run(&self, command: &str, files: &[(&str, &str)]) -> Said {
        let request = self.request(command, files).await;
        let mut execution = self.executor.start(&request).await.expect("the run starts");
        let said = read_to_end(&mut execution).await;
        execution.remove().await;
        said
    }

    /// Starts a run and waits until it has printed `words`.
    pub(crate) async fn start_and_await(&self, command: &str, words: &str) -> (StartRequest, Execution) {
        let request = self.request(command, &[]).await;
        let mut execution = self.executor.start(&request).await.expect("the run starts");
        await_words(&mut execution, words).await;
        (request, execution)
    }

    /// The name of a run's pod in the simulator.
    pub(crate) fn pod_of(&self, request: &StartRequest) -> String {
        let prefix = format!("run-{}-", request.run);
        let pods = self.simulator().pods("demo");
        let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
        names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).next().expect("the run has a pod")
    }
}

/// Reads frames until one prints `words`; gives the offset behind it.
pub(crate) async fn await_words(execution: &mut Execution, words: &str) -> u64 {
    let (mut text, mut end) = (String::new(), 0);
    while !text.contains(words) {
        match frame(execution).await {
            Some(Frame { body: Body::Output { offset, bytes, .. }, .. }) => {
                end = offset + bytes.len() as u64;
                text += &String::from_utf8_lossy(&bytes);
            }
            Some(Frame { body: Body::End(ending), .. }) => {
                panic!("it ended before it said {words:?}: {ending:?} {text:?}")
            }
            Some(_) => {}
            None => panic!("it was lost before it said {words:?}: {:?}", execution.lost_ending().await),
        }
    }
    end
}

/// The next frame; `None` when there is none any more.
pub(crate) async fn frame(execution: &mut Execution) -> Option<Frame> {
    let next = tokio::time::timeout(PATIENCE, execution.next_frame()).await;
    next.expect("the next frame comes in time").expect("no error")
}

/// Reads all frames; checks that none comes twice and that output lies end to end.
pub(crate) async fn read_to_end(execution: &mut Execution) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut first_frame, mut next_offset) = (None, None);
    let (mut expected, mut was_phase) = (None, false);
    let ending = loop {
        let Some(frame) = frame(execution).await else { break execution.lost_ending().await };
        // A phase may be the executor's own: it has the number of the supervisor's next frame. What is lost shows in the offsets.
        let is_next = expected.is_none_or(|next| frame.seq >= next || (was_phase && frame.seq + 1 == next));
        assert!(is_next, "frame {} came where {expected:?} was next", frame.seq);
        (expected, was_phase) = (Some(frame.seq + 1), matches!(frame.body, Body::Phase(_)));
        first_frame = first_frame.or(Some(frame.seq));
        match frame.body {
            Body::Output { offset, stream, bytes } => {
                assert!(next_offset.is_none_or(|next| next == offset), "output at {offset}, not at {next_offset:?}");
                next_offset = Some(offset + bytes.len() as u64);
                match stream {
                    LogStream::Out => out.extend_from_slice(&bytes),
                    LogStream::Err => err.extend_from_slice(&bytes),
                    LogStream::Sys => {}
                }
            }
            Body::End(ending) => break ending,
            Body::Phase(_) | Body::Started => {}
        }
    };
    Said { out, err, ending, first_frame }
}

async fn open_store() -> (Option<Ceph>, Objects) {
    let (store, settings) = match env::var("CODEROOM_TEST_KUBERNETES_S3") {
        // Pods of a real cluster have to reach it.
        Ok(endpoint) => {
            let keys = ["CODEROOM_TEST_S3_ACCESS_KEY", "CODEROOM_TEST_S3_SECRET_KEY"].map(variable);
            (None, S3Settings::new(endpoint, variable("CODEROOM_TEST_KUBERNETES_BUCKET"), &keys[0], &keys[1]))
        }
        Err(_) => {
            let ceph = tokio::task::spawn_blocking(Ceph::start).await.expect("the store starts");
            let settings = S3Settings::new(ceph.url(), "runs", ceph.access_key(), ceph.secret_key());
            (Some(ceph), settings)
        }
    };
    let objects = Objects::open_s3(S3Settings { create_bucket: true, ..settings }).await.expect("the bucket opens");
    (store, objects)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see make test-kubernetes"))
}

/// The supervisor that was built beside these tests.
fn supervisor() -> PathBuf {
    let here = env::current_exe().expect("a path");
    let path = here.ancestors().nth(2).expect("a target directory").join("coderoom-supervisor");
    assert!(path.exists(), "{} is missing: build the binaries of the workspace first", path.display());
    path
}
