//! One container: a local process in bubblewrap, with the volumes at their paths and its output in a log file.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::watch,
};

use super::{
    cluster::Cluster,
    log_file::{Line, LogFile},
    memory_group::MemoryGroup,
};

/// Bytes read from a container's pipe at once.
const READ_BYTES: usize = 256 << 10;
/// Longest wait for a container's program to be there.
const LONGEST_START: Duration = Duration::from_secs(5);
/// Longest termination message in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// All that is needed to start a container.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) hostname: String,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) directory: String,
    /// (host path, path inside, read-only)
    pub(super) mounts: Vec<(PathBuf, String, bool)>,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) read_only_root: bool,
    pub(super) memory_bytes: Option<u64>,
    /// Where its log and its termination message go.
    pub(super) files: PathBuf,
}

/// How a container ended.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    pub(super) code: i32,
    /// Something in it was killed for memory.
    pub(super) oom: bool,
    pub(super) finished_ns: i128,
    /// What it left at the termination message path.
    pub(super) message: String,
}

/// A started container; its process may have ended.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    /// `containerd://` and 64 hex digits.
    pub(super) id: String,
    pub(super) started_ns: i128,
    pub(super) log: LogFile,
    /// Process id of bubblewrap, whose child is process 1 of the container.
    outer: u32,
    exit: watch::Sender<Option<Exit>>,
    /// Set by a test that wants the end to look like one for memory.
    shown_as_oom: AtomicBool,
}

impl Container {
    /// Starts it; its program may not be there yet ([`Self::await_process`]). The error is the text that the runtime would give.
    pub(super) fn start(cluster: &Arc<Cluster>, plan: &Plan) -> Result<Arc<Self>, String> {
        let program = plan.command.first().ok_or("no command specified")?;
        if cluster.faults.read(|faults| faults.start_errors) || !can_run(cluster, plan, program) {
            return Err(not_found_text(program));
        }
        let log = LogFile::create(&plan.files).map_err(|error| error.to_string())?;
        let message = plan.files.join("termination-log");
        std::fs::write(&message, b"").map_err(|error| error.to_string())?;
        give_to(&message, plan.user, plan.group, 0o666);
        let memory = plan.memory_bytes.and_then(MemoryGroup::create);
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "[ -z \"$0\" ] || echo $$ > \"$0\" 2>/dev/null; exec \"$@\""])
            .arg(memory.as_ref().map(MemoryGroup::processes_file).unwrap_or_default())
            .args(bwrap_arguments(cluster, plan, &message))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let outer = child.id().ok_or("the container is gone already")?;
        let id: [u8; 32] = rand::random();
        let container = Arc::new(Self {
            name: plan.name.clone(),
            id: format!("containerd://{}", hex::encode(id)),
            started_ns: cluster.clock.now_ns(),
            log,
            outer,
            exit: watch::Sender::new(None),
            shown_as_oom: AtomicBool::new(false),
        });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (watched, of) = (container.clone(), cluster.clone());
        cluster.spawn(async move {
            let copies =
                async { tokio::join!(copy(&of, &watched, "stdout", stdout), copy(&of, &watched, "stderr", stderr)) };
            let (code, _) = tokio::join!(wait(&mut child), copies);
            watched.log.end();
            let oom = memory.as_ref().is_some_and(MemoryGroup::killed) || watched.shown_as_oom.load(Ordering::Relaxed);
            let message = std::fs::read(&message).unwrap_or_default();
            let message =
                String::from_utf8_lossy(message.get(..LONGEST_MESSAGE.min(message.len())).unwrap_or_default())
                    .into_owned();
            watched.exit.send_replace(Some(Exit { code, oom, finished_ns: of.clock.now_ns(), message }));
        });
        Ok(container)
    }

    /// Waits until process 1 is the container's own program: only then may it be said to run.
    pub(super) async fn await_process(&self) {
        let began = Instant::now();
        while self.exit().is_none() && began.elapsed() < LONGEST_START {
            let name = self.process().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
            if name.is_some_and(|name| !matches!(name.trim(), "bwrap" | "setpriv")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Process 1 of the container, as this process counts.
    fn process(&self) -> Option<u32> {
        // bubblewrap's only child is process 1 of the container.
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.outer)).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// How it ended, if it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> Exit {
        let mut exits = self.exit.subscribe();
        let exit = exits.wait_for(Option::is_some).await.expect("the container holds the sender");
        exit.clone().expect("checked")
    }

    /// Sends TERM to process 1, which may ignore it.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills all of it.
    pub(super) fn kill(&self) {
        if self.exit().is_none() {
            self.signal(Signal::KILL);
        }
    }

    /// Kills all of it, to be shown as a kill for memory.
    pub(super) fn kill_for_memory(&self) {
        self.shown_as_oom.store(true, Ordering::Relaxed);
        self.kill();
    }

    fn signal(&self, signal: Signal) {
        // Before process 1 is there, bubblewrap itself is meant.
        let inner = self.process().unwrap_or(self.outer);
        if let Some(pid) = i32::try_from(inner).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

async fn wait(child: &mut Child) -> i32 {
    match child.wait().await {
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        Err(_) => 255,
    }
}

async fn copy(cluster: &Cluster, container: &Container, stream: &'static str, from: Option<impl AsyncRead + Unpin>) {
    let Some(mut from) = from else { return };
    let mut line = Line::new(stream);
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(read) = from.read(&mut buffer).await {
        let bytes = buffer.get(..read).unwrap_or_default();
        container.log.take(&cluster.clock, &mut line, bytes, read == 0);
        if read == 0 {
            break;
        }
    }
}

fn not_found_text(program: &str) -> String {
    format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to \
         start container process: exec: {program:?}: stat {program}: no such file or directory: unknown"
    )
}

/// Whether the program is in the image or in a volume.
fn can_run(cluster: &Cluster, plan: &Plan, program: &str) -> bool {
    let exists = |path: &str| {
        let mounted = plan.mounts.iter().map(|(host, inside, _)| (host, inside.as_str()));
        let image = cluster.options.image_files.iter().map(|(host, inside)| (host, inside.as_str()));
        let below = mounted.chain(image).find_map(|(host, inside)| {
            let rest = Path::new(path).strip_prefix(inside).ok()?;
            Some(if rest.as_os_str().is_empty() { host.clone() } else { host.join(rest) })
        });
        below.unwrap_or_else(|| PathBuf::from(path)).exists()
    };
    if program.contains('/') {
        return exists(program);
    }
    let path = plan.environment.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    path.split(':').any(|directory| exists(&format!("{directory}/{program}")))
}

/// `PATH` in a container whose image sets none.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn bwrap_arguments(cluster: &Cluster, plan: &Plan, message: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add =
        |words: &[&dyn AsRef<std::ffi::OsStr>]| arguments.extend(words.iter().map(|word| word.as_ref().to_owned()));
    add(&[&"bwrap", &"--unshare-pid", &"--unshare-ipc", &"--unshare-uts", &"--hostname", &plan.hostname]);
    add(&[&"--die-with-parent", &"--as-pid-1", &"--new-session", &"--clearenv"]);
    let root = rustix::process::geteuid().is_root();
    if !root {
        add(&[&"--unshare-user", &"--uid", &plan.user.to_string(), &"--gid", &plan.group.to_string()]);
    }
    add(&[&"--ro-bind", &"/usr", &"/usr", &"--ro-bind", &"/etc", &"/etc"]);
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        if let Ok(target) = std::fs::read_link(Path::new("/").join(name)) {
            add(&[&"--symlink", &target, &format!("/{name}")]);
        } else {
            add(&[&"--ro-bind-try", &format!("/{name}"), &format!("/{name}")]);
        }
    }
    add(&[&"--proc", &"/proc", &"--dev", &"/dev", &"--bind", &message, &"/dev/termination-log"]);
    if !plan.read_only_root {
        add(&[&"--perms", &"1777", &"--tmpfs", &"/tmp"]);
    }
    for (host, inside) in &cluster.options.image_files {
        // Nothing can be added to the read-only /usr itself: its directory is made anew, with what was there.
        let parent = Path::new(inside).parent().unwrap_or(Path::new("/"));
        if !Path::new(inside).exists() && parent.starts_with("/usr") && parent.exists() {
            add(&[&"--tmpfs", &parent]);
            for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
                add(&[&"--ro-bind-try", &entry.path(), &entry.path()]);
            }
        }
        add(&[&"--ro-bind", host, inside]);
    }
    for (host, inside, read_only) in &plan.mounts {
        add(&[if *read_only { &"--ro-bind" } else { &"--bind" }, host, inside]);
    }
    if plan.read_only_root {
        add(&[&"--remount-ro", &"/"]);
    }
    for (name, value) in &plan.environment {
        add(&[&"--setenv", name, value]);
    }
    add(&[&"--chdir", &plan.directory, &"--"]);
    if root {
        add(&[&"/usr/bin/setpriv", &"--reuid", &plan.user.to_string(), &"--regid", &plan.group.to_string()]);
        add(&[&"--clear-groups", &"--no-new-privs", &"--"]);
    }
    arguments.extend(plan.command.iter().map(OsString::from));
    arguments
}

/// Gives a file of a pod to the user it runs as, as far as we may.
pub(super) fn give_to(path: &Path, user: u32, group: u32, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::os::unix::fs::chown(path, Some(user), Some(group));
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
}
