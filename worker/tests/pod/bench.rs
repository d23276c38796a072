//! A pod of one process: directories, a spec, and what came out.

use std::{
    collections::BTreeMap,
    io::Read as _,
    os::unix::{fs::PermissionsExt, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use coderoom_protocol::{
    control::LogStream,
    supervisor::{Body, Decoder, Ending, Item},
};
use coderoom_worker::{
    executor::RunLimits,
    snapshot::{Manifest, ManifestFile},
    supervisor::{
        pod_spec::{DATA_VARIABLE, FetchPlan, Pace, Plan, PodSpec, SPEC_VARIABLE, TMP_VARIABLE, WORK_VARIABLE},
        spec::Rlimits,
    },
};
use sha2::{Digest as _, Sha256};

use super::store::Store;

pub(crate) const NONCE: &str = "00112233445566778899aabbccddeeff";
/// Somebody who may nothing, where the test is root.
const NOBODY: u32 = 65534;

pub(crate) struct Pod {
    pub(crate) store: Store,
    pub(crate) root: tempfile::TempDir,
    pub(crate) spec: PodSpec,
}

/// What a pod said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) phases: Vec<String>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    pub(crate) sys: Vec<u8>,
    pub(crate) ending: Ending,
    pub(crate) longest_line: usize,
}

impl Said {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Pod {
    /// A pod with these texts and blobs that runs `command`.
    pub(crate) fn new(command: &str, texts: &[(&str, &str)], blobs: &[(&str, &[u8])]) -> Self {
        let store = Store::start();
        let root = tempfile::tempdir().unwrap();
        let anybody = |mode| PermissionsExt::from_mode(mode);
        std::fs::set_permissions(root.path(), anybody(0o755)).unwrap();
        for folder in ["work", "tmp", "data"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            std::fs::set_permissions(root.path().join(folder), anybody(0o777)).unwrap();
        }
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let (mut files, mut urls) = (Vec::new(), BTreeMap::new());
        for (path, text) in texts {
            zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
            let (size, sha256) = (text.len() as u64, sha256(text.as_bytes()));
            files.push(ManifestFile { path: (*path).to_owned(), seq: 1, size, sha256, blob_key: None });
        }
        for (path, bytes) in blobs {
            let (size, sha256) = (bytes.len() as u64, sha256(bytes));
            let key = format!("blobs/{sha256}");
            urls.insert(key.clone(), store.put(&key, bytes));
            files.push(ManifestFile { path: (*path).to_owned(), seq: 0, size, sha256, blob_key: Some(key) });
        }
        let code = zip.finish().unwrap().into_inner();
        urls.insert("code.zip".to_owned(), store.put("code.zip", &code));
        let manifest = Manifest { version: 1, code_key: "code.zip".into(), code_sha256: sha256(&code), files };
        let limits = RunLimits { wall_ms: 20_000, grace_ms: 300, log_bytes: 16 << 20, ..RunLimits::default() };
        let spec = PodSpec {
            nonce: NONCE.to_owned(),
            command: command.to_owned(),
            limits,
            rlimits: Rlimits::default(),
            plan: Plan::Inline(FetchPlan { manifest, urls }),
            output_url: Some(store.url("output.zip")),
            pace: Pace { bytes_per_second: 64 << 20, burst_bytes: 1 << 20 },
            data: Vec::new(),
        };
        Self { store, root, spec }
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts it, as nobody where that is possible: root could read everything.
    pub(crate) fn start(&self) -> Child {
        // The build's directory may be closed to others.
        let program = self.dir("coderoom-supervisor");
        std::fs::copy(env!("CARGO_BIN_EXE_coderoom-supervisor"), &program).unwrap();
        let mut command = Command::new(program);
        command.arg("pod").env_clear().env("PATH", "/usr/bin:/bin").env("FROM_IMAGE", "yes");
        command.env("KUBERNETES_SERVICE_HOST", "10.0.0.1").env(SPEC_VARIABLE, self.spec.to_variable().unwrap());
        for (name, folder) in [(WORK_VARIABLE, "work"), (TMP_VARIABLE, "tmp"), (DATA_VARIABLE, "data")] {
            command.env(name, self.dir(folder));
        }
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn run(&self) -> Said {
        said(self.start())
    }
}

pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// Reads everything a pod says; frames must be numbered without gaps.
pub(crate) fn said(mut child: Child) -> Said {
    let mut bytes = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(child.wait().unwrap().success(), "the supervisor failed");
    let longest_line = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
    let (mut phases, mut streams, mut ending) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()], None);
    let (mut next_seq, mut next_offset) = (0, 0);
    Decoder::new(NONCE).feed(&bytes, |item| {
        let Item::Frame(frame) = item else { panic!("noise: {item:?}") };
        assert_eq!(frame.seq, next_seq, "a frame is missing");
        next_seq += 1;
        match frame.body {
            Body::Phase(phase) => phases.push(phase),
            Body::Started => {}
            Body::Output { offset, stream, bytes } => {
                assert_eq!(offset, next_offset, "output is missing");
                next_offset += bytes.len() as u64;
                streams[match stream {
                    LogStream::Out => 0,
                    LogStream::Err => 1,
                    LogStream::Sys => 2,
                }]
                .extend(bytes);
            }
            Body::End(end) => ending = Some(end),
        }
    });
    let ending = ending.expect("an end frame");
    assert_eq!(ending.log_bytes, next_offset);
    let [out, err, sys] = streams;
    Said { phases, out, err, sys, ending, longest_line }
}

pub(crate) fn zip_files(bytes: Vec<u8>) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.name().unwrap().into_owned(), text)
        })
        .collect()
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}
