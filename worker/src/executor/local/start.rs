//! How a run begins: its files, its walls, its process; and how a run of an earlier server process is taken up.

use std::{
    fs::{self, File},
    io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use coderoom_backing::objects::{Objects, ObjectsError};
use coderoom_protocol::{ids::RunId, run::Reason};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::{
    Inner, SandboxLevel, bwrap,
    execution::{LocalExecution, end_and_remove},
    interpreters,
    run_dir::{RunDir, RunState, start_time},
};
use crate::{
    executor::{StartError, StartRequest},
    snapshot::Manifest,
    supervisor::spec::{InitSpec, LaunchSpec, Rlimits},
};

/// Longest wait for the box to stand.
const BOX_PATIENCE: Duration = Duration::from_secs(15);
/// Processes of ours under the run's user.
const OWN_PROCESSES: u64 = 4;
/// How much of an error message of the box is passed on, in bytes.
const MAX_MESSAGE_BYTES: u64 = 2000;

pub(super) async fn start(inner: &Arc<Inner>, request: &StartRequest) -> Result<LocalExecution, StartError> {
    if inner.level < inner.settings.minimum_level {
        let problem = inner.problem.as_deref().unwrap_or_default();
        return Err(StartError {
            reason: Reason::SandboxUnavailable,
            detail: format!(
                "The sandbox reaches only the level {}, and {} is demanded. {problem}",
                inner.level.as_str(),
                inner.settings.minimum_level.as_str()
            ),
            retry: false,
        });
    }
    if !inner.starting().insert(request.run) {
        return Err(StartError {
            reason: Reason::Internal,
            detail: "this run is being started already".to_owned(),
            retry: true,
        });
    }
    let _starting = Starting(inner, request.run);
    if let Some(running) = adopt(inner, request.run).await? {
        return Ok(running);
    }
    interpreters::check(request.language)?;
    begin(inner, request, Files::Fetch).await
}

/// Takes a run out of the set when its start is over or was given up.
struct Starting<'a>(&'a Inner, RunId);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.starting().remove(&self.1);
    }
}

/// Where the files of a run come from.
#[derive(Clone, Copy)]
pub(super) enum Files {
    /// From object storage.
    Fetch,
    /// There are none: the test of the sandbox.
    None,
}

/// Starts without asking whether it may. What was made is removed again when it fails.
pub(super) async fn begin(
    inner: &Arc<Inner>,
    request: &StartRequest,
    files: Files,
) -> Result<LocalExecution, StartError> {
    let dir = inner.dir(request.run);
    // Left by a start that was cut off before it had begun anything.
    if let Some(left) = dir.read_state() {
        end_and_remove(inner, &dir, &left, None).await;
    }
    dir.remove().and_then(|()| dir.create()).map_err(|error| internal("make the run's directory", &error))?;
    let mut state = RunState {
        nonce: hex::encode(rand::random::<[u8; 16]>()),
        uid: None,
        cgroups: None,
        plain_work: None,
        pid: None,
        start_time: None,
    };
    let started = async {
        match files {
            Files::Fetch => fetch(&inner.settings.objects, &request.manifest_key, &dir).await?,
            Files::None => empty_snapshot(&dir).map_err(|error| internal("write snapshot", &error))?,
        }
        prepare(inner, request, &dir, &mut state)?;
        launch(inner, request, &dir, &mut state).await
    }
    .await;
    match started.and_then(|()| {
        LocalExecution::open(Arc::clone(inner), dir.clone(), state.clone())
            .map_err(|error| internal("open the run's spool", &error))
    }) {
        Ok(execution) => Ok(execution),
        Err(error) => {
            end_and_remove(inner, &dir, &state, None).await;
            Err(error)
        }
    }
}

/// Takes up a run by its directory. Its process may be gone; then its frames are still read to their end.
/// `None`: nothing of it ever ran here.
pub(super) async fn adopt(inner: &Arc<Inner>, run: RunId) -> Result<Option<LocalExecution>, StartError> {
    let dir = inner.dir(run);
    // Without a spool nothing was started yet.
    let Some(mut state) = dir.read_state().filter(|_| dir.spool().exists()) else { return Ok(None) };
    // The server went between starting the process and writing down which it is; its box may not stand yet.
    let deadline = Instant::now() + BOX_PATIENCE;
    let mut alive = dir.is_alive();
    while state.pid.is_none() && alive && Instant::now() < deadline {
        if let Some(pid) = dir.read_pid() {
            state.pid = Some(pid);
            state.start_time = start_time(pid);
            dir.write_state(&state).map_err(|error| internal("write the run's state", &error))?;
        } else {
            sleep(Duration::from_millis(1)).await;
            alive = dir.is_alive();
        }
    }
    // The process went too before it knew what to run: a box writes its first frame before it starts the command.
    if state.pid.is_none() && !alive && dir.spool_is_empty() {
        return Ok(None);
    }
    if let (Some(uids), Some(uid)) = (&inner.uids, state.uid) {
        uids.keep(uid);
    }
    let execution = LocalExecution::open(Arc::clone(inner), dir, state);
    execution.map(Some).map_err(|error| internal("open the run's spool", &error))
}

/// Copies the snapshot's objects into the run's directory.
async fn fetch(objects: &Objects, manifest_key: &str, dir: &RunDir) -> Result<(), StartError> {
    let json = objects.get(manifest_key).await.map_err(|error| not_fetched(manifest_key, &error))?;
    let json = json.ok_or_else(|| missing(manifest_key))?;
    let manifest: Manifest = serde_json::from_slice(&json).map_err(|error| StartError {
        reason: Reason::SnapshotMissing,
        detail: format!("{manifest_key} cannot be read: {error}"),
        retry: false,
    })?;
    let snapshot = dir.snapshot();
    let file = snapshot.join("manifest.json");
    tokio::fs::write(&file, &json).await.map_err(|error| internal("write manifest", &error))?;
    let mut fetched = vec![file];
    let mut wanted = Vec::new();
    if manifest.files.iter().any(|file| file.blob_key.is_none()) {
        wanted.push((manifest.code_key.as_str(), snapshot.join("code.zip")));
    }
    for file in &manifest.files {
        if let Some(key) = &file.blob_key {
            // The name comes from the manifest; nothing that is not a hash becomes a path.
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(missing(key));
            }
            wanted.push((key, snapshot.join("blobs").join(&file.sha256)));
        }
    }
    wanted.sort_by(|(_, one), (_, other)| one.cmp(other));
    wanted.dedup_by(|(_, one), (_, other)| one == other);
    for (key, file) in wanted {
        match objects.fetch_to_file(key, &file).await {
            Ok(true) => fetched.push(file),
            Ok(false) => return Err(missing(key)),
            Err(error) => return Err(not_fetched(key, &error)),
        }
    }
    for file in fetched {
        // The run's user reads them through a descriptor of their folder.
        fs::set_permissions(file, fs::Permissions::from_mode(0o644))
            .map_err(|error| internal("open the snapshot to the run", &error))?;
    }
    Ok(())
}

fn empty_snapshot(dir: &RunDir) -> io::Result<()> {
    let manifest = Manifest { version: 1, code_key: String::new(), code_sha256: String::new(), files: Vec::new() };
    let file = dir.snapshot().join("manifest.json");
    fs::write(&file, serde_json::to_vec(&manifest)?)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644))
}

/// Makes the run's walls and writes them down, so that whoever comes after a crash finds them.
fn prepare(inner: &Inner, request: &StartRequest, dir: &RunDir, state: &mut RunState) -> Result<(), StartError> {
    if let Some(uids) = &inner.uids {
        state.uid = Some(uids.take().ok_or_else(|| StartError {
            reason: Reason::Internal,
            detail: "every user id of the pool is in use".to_owned(),
            retry: true,
        })?);
    }
    if let Some(cgroups) = &inner.walls.cgroups {
        let made = cgroups.create(&request.run.to_string(), &request.limits);
        state.cgroups = Some(made.map_err(|error| internal("make the run's control groups", &error))?);
    }
    if inner.walls.bwrap.is_none() {
        let work = std::env::temp_dir().join(format!("coderoom-{}", request.run));
        state.plain_work = Some(work.clone());
        plain_work(&work, state.uid).map_err(|error| internal("make the run's work directory", &error))?;
    }
    dir.write_state(state).map_err(|error| internal("write the run's state", &error))
}

fn plain_work(work: &Path, uid: Option<u32>) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(work)?;
    if uid.is_some() {
        std::os::unix::fs::chown(work, uid, uid)?;
    }
    Ok(())
}

fn launch_spec(inner: &Inner, request: &StartRequest, dir: &RunDir, state: &RunState) -> LaunchSpec {
    let limits = &request.limits;
    let processes = limits.pids.saturating_add(OWN_PROCESSES);
    let boxed = inner.walls.bwrap.as_deref();
    // Where groups hold the processes this would only be in the way. Without a box and a user of its own
    // the run would be counted together with all that the server's user has.
    let count_by_user = state.cgroups.is_none() && (boxed.is_some() || state.uid.is_some());
    LaunchSpec {
        cgroup_procs: state.cgroups.iter().flat_map(super::cgroup::RunCgroups::procs_files).collect(),
        rlimits: Rlimits { nofile: Some(inner.settings.max_open_files), ..Rlimits::default() },
        uid: state.uid,
        supervisor: inner.settings.supervisor.clone(),
        bwrap: boxed.map(|program| bwrap::spec(program, limits, &inner.settings.readable, inner.walls.copy_supervisor)),
        snapshot_dir: dir.snapshot(),
        output_file: dir.output(),
        info_file: dir.info(),
        init: InitSpec {
            nonce: state.nonce.clone(),
            command: request.command.clone(),
            limits: limits.clone(),
            work: state.plain_work.clone().unwrap_or_else(|| PathBuf::from("/work")),
            tmp: state.plain_work.clone().unwrap_or_else(|| PathBuf::from("/tmp")),
            rlimits: Rlimits {
                // Set inside the box, where only what runs in its user namespace counts.
                nproc: count_by_user.then_some(processes),
                address_space: state.cgroups.is_none().then_some(limits.memory_bytes),
                file_size: Some(limits.disk_bytes),
                ..Rlimits::default()
            },
            env: Vec::new(),
        },
    }
}

/// Starts the process and waits until the box stands.
async fn launch(inner: &Inner, request: &StartRequest, dir: &RunDir, state: &mut RunState) -> Result<(), StartError> {
    let spec = serde_json::to_vec(&launch_spec(inner, request, dir, state))
        .map_err(|error| internal("encode the launch", &error.into()))?;
    let mut child = spawn(inner, dir).map_err(|error| internal("start the supervisor", &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it is gone already, its message says more than the broken pipe.
        let _ = stdin.write_all(&spec).await;
    }
    let deadline = Instant::now() + BOX_PATIENCE;
    let pid = loop {
        if let Some(pid) = dir.read_pid() {
            break pid;
        }
        let over = child.try_wait().map_err(|error| internal("wait for the box", &error))?.is_some();
        if over || Instant::now() >= deadline {
            let _ = child.start_kill();
            return Err(StartError { reason: Reason::SandboxUnavailable, detail: message(dir), retry: true });
        }
        sleep(Duration::from_millis(1)).await;
    };
    // Reaps it when it ends; the run does not end with this task.
    tokio::spawn(async move { child.wait().await });
    state.pid = Some(pid);
    state.start_time = start_time(pid);
    dir.write_state(state).map_err(|error| internal("write the run's state", &error))
}

fn spawn(inner: &Inner, dir: &RunDir) -> io::Result<Child> {
    let mut command = std::process::Command::new(&inner.settings.supervisor);
    command.arg0("coderoom-supervisor").arg("launch").env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(dir.create_spool()?).stderr(File::create(dir.errors())?);
    Command::from(command).kill_on_drop(false).spawn()
}

/// What the box said when it could not be made.
fn message(dir: &RunDir) -> String {
    let mut text = String::new();
    if let Ok(file) = File::open(dir.errors()) {
        let _ = io::Read::read_to_string(&mut io::Read::take(file, MAX_MESSAGE_BYTES), &mut text);
    }
    match text.trim() {
        "" => "the sandbox did not start and gave no reason".to_owned(),
        text => text.to_owned(),
    }
}

fn internal(what: &str, error: &io::Error) -> StartError {
    StartError { reason: Reason::Internal, detail: format!("{what}: {error}"), retry: true }
}

fn missing(key: &str) -> StartError {
    StartError { reason: Reason::SnapshotMissing, detail: format!("{key} is not in object storage"), retry: false }
}

fn not_fetched(key: &str, error: &ObjectsError) -> StartError {
    let retry = !error.is_permanent();
    let reason = if retry { Reason::Internal } else { Reason::SnapshotMissing };
    StartError { reason, detail: format!("fetch {key}: {error}"), retry }
}

/// The level that these walls give, if they hold.
pub(super) fn level_of(walls: &super::Walls) -> SandboxLevel {
    match (&walls.bwrap, &walls.cgroups) {
        (Some(_), Some(_)) => SandboxLevel::Full,
        (Some(_), None) => SandboxLevel::Namespaces,
        (None, _) => SandboxLevel::None,
    }
}
