//! The user's command and everything it starts: starting, signalling, reaping, killing.

use std::{
    fs, io,
    path::Path,
    process::{ChildStderr, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, test_kill_process_group, wait,
    },
};

use super::spec::InitSpec;

/// Where programs are looked for in the box.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A started command.
#[derive(Debug)]
pub struct UserCommand {
    /// Its process, which leads a session and group of its own.
    pub pid: Pid,
    /// What it prints; reading does not block.
    pub stdout: ChildStdout,
    /// What it prints as errors; reading does not block.
    pub stderr: ChildStderr,
}

/// This program again, wherever it lies and whoever may go there.
const OWN_PROGRAM: &str = "/proc/self/exe";

impl UserCommand {
    /// Starts `sh -c COMMAND` in the work directory with an environment made from nothing but what the spec names.
    pub fn start(spec: &InitSpec) -> anyhow::Result<Self> {
        let limits = serde_json::to_string(&spec.rlimits).context("encode limits")?;
        let mut child = Command::new(OWN_PROGRAM)
            .args(["enter", &limits, &spec.command])
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .env("HOME", &spec.work)
            .env("TMPDIR", &spec.tmp)
            .env("USER", "user")
            .env("PYTHONUNBUFFERED", "1")
            .env("CODEROOM_MEMORY_BYTES", spec.limits.memory_bytes.to_string())
            .current_dir(&spec.work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start the command")?;
        let pid = Pid::from_child(&child);
        let stdout = child.stdout.take().context("take standard output")?;
        let stderr = child.stderr.take().context("take standard error")?;
        rustix::io::ioctl_fionbio(&stdout, true).context("set pipe to not block")?;
        rustix::io::ioctl_fionbio(&stderr, true).context("set pipe to not block")?;
        // A larger pipe means fewer wake-ups; the default works as well.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 256 * 1024);
        Ok(Self { pid, stdout, stderr })
    }

    /// Asks the command's group to end.
    pub fn terminate(&self) {
        // Before `enter` has made its session there is no such group yet.
        if kill_process_group(self.pid, Signal::TERM).is_err() {
            let _ = kill_process(self.pid, Signal::TERM);
        }
    }

    /// Whether a process of the command's group is left.
    #[must_use]
    pub fn group_is_alive(&self) -> bool {
        test_kill_process_group(self.pid).is_ok()
    }
}

/// Collects ended processes, orphans too; gives the status of `of` if it is among them.
pub fn reap(of: Pid) -> Option<WaitStatus> {
    let mut status = None;
    while let Ok(Some((pid, ended))) = wait(WaitOptions::NOHANG) {
        if pid == of {
            status = Some(ended);
        }
    }
    status
}

/// Kills every process but this one and waits until they are gone; gives up after `patience`.
/// Gives the status of `of` if it was still running.
pub fn kill_everything(of: Option<Pid>, patience: Duration) -> Option<WaitStatus> {
    let (deadline, mut status) = (Instant::now() + patience, None);
    loop {
        kill_once();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, ended))) if Some(pid) == of => status = Some(ended),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return status,
            }
        }
        if Instant::now() >= deadline {
            return status;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends KILL to every process of the run but this one.
pub fn kill_once() {
    if getpid() == Pid::INIT {
        // As process 1 this names every process of the namespace but ourselves.
        let _ = kill_process_group(Pid::INIT, Signal::KILL);
    } else {
        for pid in descendants() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Processes below this one; orphans come back to it because it is their subreaper.
fn descendants() -> Vec<Pid> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, parent_of(pid).ok()?))
        })
        .collect();
    let mut found = vec![getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

fn parent_of(pid: i32) -> io::Result<i32> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    // The name in brackets may hold anything; the last bracket ends it, then come state and parent.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    rest.split_whitespace().nth(1).and_then(|field| field.parse().ok()).ok_or_else(|| io::Error::other("odd stat"))
}

/// What all ended processes used: CPU time in milliseconds, and memory of the largest in bytes.
#[must_use]
pub fn usage() -> (Option<u64>, Option<u64>) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return (None, None) };
    let ms =
        |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1000 + time.tv_usec() / 1000).unwrap_or_default();
    let memory = u64::try_from(usage.max_rss()).unwrap_or_default() * 1024;
    (Some(ms(usage.user_time()) + ms(usage.system_time())), Some(memory))
}
