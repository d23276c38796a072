//! How well runs are contained on this machine, found by doing: a test program is run in the real sandbox, tries what
//! must be impossible, and what it could do is told.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use coderoom_protocol::{
    control::{Language, LogStream},
    ids::{RunId, TaskId, UserId},
    run::Reason,
    supervisor::{Body, Ending},
};
use sha2::{Digest as _, Sha256};

use super::{
    Inner, LocalExecutor, LocalSettings, SandboxError, SandboxLevel, Walls,
    bwrap::{SUPERVISOR, anybody_can_run, find_program},
    cgroup::Cgroups,
    start::{Files, begin, level_of},
    sweep,
    uids::{LOCKS, Uids},
};
use crate::{
    executor::{RunLimits, StartRequest},
    supervisor::self_test::{COMPLETE, FINDING},
};

/// Longest time a command of the test may take, on the slowest and busiest of machines.
const WALL_MS: u64 = 60_000;
/// Longest wait for its end.
const PATIENCE: Duration = Duration::from_millis(WALL_MS + 10_000);

/// Opens the executor at the highest level that holds here.
pub(super) async fn open(mut settings: LocalSettings) -> Result<LocalExecutor, SandboxError> {
    let fail = |what: &str| {
        let what = what.to_owned();
        move |source| SandboxError { what, source }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.runs_dir)
        .map_err(fail("make the directory of runs"))?;
    settings.runs_dir = settings.runs_dir.canonicalize().map_err(fail("find the directory of runs"))?;
    settings.supervisor = settings.supervisor.canonicalize().map_err(fail("find the program coderoom-supervisor"))?;

    let root = rustix::process::geteuid().is_root();
    let uid_map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let uids = root.then(|| Uids::new(settings.first_uid, settings.uid_count, &uid_map, Path::new(LOCKS))).flatten();
    let mut problems: Vec<String> = Vec::new();
    let mut walls = Walls {
        bwrap: settings.bwrap.clone().or_else(|| find_program("bwrap")),
        cgroups: None,
        copy_supervisor: uids.is_some() && !anybody_can_run(&settings.supervisor),
    };
    if walls.bwrap.is_none() {
        problems.push("bubblewrap is not installed; on Debian or Ubuntu: apt-get install bubblewrap.".to_owned());
    }
    if root && uids.is_none() {
        walls.bwrap = None;
        problems.push(
            "The server is root in a container with too few user ids to run code as another user; \
                       start it as an ordinary user, or map at least 65,536 ids."
                .to_owned(),
        );
    }
    let tag = tag(&settings.runs_dir);
    match settings.use_cgroups.then(|| Cgroups::find(&tag, settings.cgroup_parent.as_deref())) {
        None => problems.push("Control groups are switched off by a setting.".to_owned()),
        Some(Ok(found)) => walls.cgroups = Some(found),
        Some(Err(problem)) => problems.push(format!(
            "Control groups cannot be used ({problem}); start the server as root, \
             or by systemd with Delegate=yes: systemd-run --user --scope --property=Delegate=yes coderoom serve."
        )),
    }
    // From the strongest down; whatever does not hold is taken away.
    loop {
        let level = level_of(&walls);
        let inner = Arc::new(Inner {
            settings: settings.clone(),
            walls: walls.clone(),
            level,
            problem: (!problems.is_empty()).then(|| problems.join(" ")),
            uids: uids.clone(),
            starting: Mutex::default(),
        });
        sweep::keep_uids(&inner);
        if level == SandboxLevel::None {
            tracing::warn!(sandbox.problem = inner.problem, "code cannot be contained on this machine");
            return Ok(LocalExecutor { inner });
        }
        match try_out(&inner).await {
            Ok(()) => return Ok(LocalExecutor { inner }),
            Err(problem) if walls.cgroups.is_some() && problem.blames_cgroups => {
                walls.cgroups = None;
                problems.push(problem.sentence);
            }
            Err(problem) => {
                walls.bwrap = None;
                problems.push(problem.sentence);
            }
        }
    }
}

/// Tells control groups of this directory of runs from those of other servers on the machine.
fn tag(runs_dir: &Path) -> String {
    hex::encode(Sha256::digest(runs_dir.as_os_str().as_encoded_bytes()).get(..4).unwrap_or_default())
}

struct Problem {
    sentence: String,
    blames_cgroups: bool,
}

/// Runs the tests in boxes as strong as `inner` says.
async fn try_out(inner: &Arc<Inner>) -> Result<(), Problem> {
    let (ending, text) = run(inner, &format!("{SUPERVISOR} self-test"), 64 << 20).await.map_err(|why| Problem {
        sentence: explain(&why),
        blames_cgroups: why.contains("cgroup") || why.contains("control groups"),
    })?;
    let findings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(FINDING)).collect();
    if !findings.is_empty() {
        let sentence = format!("A test program in the sandbox could {}.", findings.join(", "));
        return Err(Problem { sentence, blames_cgroups: false });
    }
    if !text.lines().any(|line| line == COMPLETE) {
        let sentence = format!(
            "The test program in the sandbox did not get to its end ({}): {}",
            ending.reason.as_str(),
            text.trim()
        );
        return Err(Problem { sentence, blames_cgroups: false });
    }
    if inner.walls.cgroups.is_some() {
        // More than memory and disk together; tail keeps all of it in memory.
        let (ending, _) = run(inner, "head -c 400000000 /dev/zero | tail -c 400000000 >/dev/null", 16 << 20)
            .await
            .map_err(|sentence| Problem { sentence, blames_cgroups: true })?;
        if ending.reason != Reason::OutOfMemory {
            let reason = ending.reason.as_str();
            let sentence = format!("The memory limit of control groups did not hold in a test ({reason}).");
            return Err(Problem { sentence, blames_cgroups: true });
        }
    }
    Ok(())
}

/// Runs one command to its end; how it ended and what it printed.
async fn run(inner: &Arc<Inner>, command: &str, memory_bytes: u64) -> Result<(Ending, String), String> {
    let request = StartRequest {
        run: RunId::new(),
        task: TaskId::new(),
        user: UserId::new(),
        language: Language::Python,
        command: command.to_owned(),
        limits: RunLimits {
            wall_ms: WALL_MS,
            memory_bytes,
            disk_bytes: 1 << 20,
            pids: 16,
            cpu_millis: 1000,
            log_bytes: 64 * 1024,
            output_bytes: 0,
            grace_ms: 100,
        },
        manifest_key: String::new(),
    };
    let mut execution = begin(inner, &request, Files::None).await.map_err(|error| error.detail)?;
    let mut text = Vec::new();
    let read = async {
        while let Ok(Some(frame)) = execution.next_frame().await {
            match frame.body {
                Body::Output { bytes, stream: LogStream::Out | LogStream::Err, .. } => text.extend(bytes),
                Body::End(ending) => return Some(ending),
                _ => {}
            }
        }
        None
    };
    let ending = tokio::time::timeout(PATIENCE, read).await.ok().flatten();
    let ending = match ending {
        Some(ending) => ending,
        None => execution.lost_ending().await,
    };
    execution.remove().await;
    Ok((ending, String::from_utf8_lossy(&text).into_owned()))
}

/// What to do about the usual messages of bubblewrap.
fn explain(message: &str) -> String {
    let namespaces = ["namespace", "uid map", "Operation not permitted", "clone"];
    if namespaces.iter().any(|word| message.contains(word)) {
        return format!(
            "The sandbox cannot make user namespaces ({message}); set kernel.unprivileged_userns_clone=1 or \
             kernel.apparmor_restrict_unprivileged_userns=0, and in a container allow them in its seccomp profile."
        );
    }
    format!("The sandbox does not start: {message}")
}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> Self {
        Self::other(error)
    }
}
