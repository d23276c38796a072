//! Processes of a service: direct children of this process that die with it, and signals to all of their descendants.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{SyncSender, sync_channel},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// How long a service may take to stop when asked to, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Who a service runs as: the user its package made when this process is root (no service needs root, and PostgreSQL
/// refuses it), else whoever we are.
#[derive(Clone, Debug)]
pub(crate) struct User(Option<(String, u32, u32)>);

impl User {
    /// Whoever we are.
    pub(crate) fn ourselves() -> Self {
        Self(None)
    }

    /// The package's user, or ourselves when we are not root.
    pub(crate) fn of_package(name: &str) -> Self {
        if !geteuid().is_root() {
            return Self(None);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = fields.into_iter().find(|fields| fields.first() == Some(&name) && fields.len() > 3);
        let ids = found.and_then(|fields| Some((fields[2].parse().ok()?, fields[3].parse().ok()?)));
        let (user, group) = ids.unwrap_or_else(|| panic!("there is no user {name}: run `scripts/install test`"));
        Self(Some((name.to_owned(), user, group)))
    }

    /// Numbers of user and group when they are not ours.
    pub(crate) fn ids(&self) -> Option<(u32, u32)> {
        self.0.as_ref().map(|(_, user, group)| (*user, *group))
    }

    /// A command as this user, with an empty environment but PATH and LANG, that is killed when this process dies.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some((name, _, group)) = &self.0 {
            command.args([&format!("--reuid={name}"), &format!("--regid={group}"), "--init-groups"]);
        }
        command.arg("--").arg(program.as_ref());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
        // A Ctrl-C at the terminal is for the tests, which then stop their services.
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(
        &self,
        program: impl AsRef<Path>,
        configure: impl FnOnce(&mut Command),
    ) -> Result<String, String> {
        let name = program.as_ref().display().to_string();
        let mut command = self.command(program);
        configure(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = spawn(command).and_then(Child::wait_with_output).map_err(|error| format!("{name}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(text)
        } else {
            Err(format!("{name}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
        }
    }
}

/// Spawns from one thread that lives as long as this process: the death signal belongs to the thread that forked, and
/// threads of a test end with the test.
fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, SyncSender<io::Result<Child>>);
    static SPAWNER: OnceLock<SyncSender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        // A full queue makes the caller wait its turn.
        let (sender, requests) = sync_channel::<Request>(1);
        let serve = move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        };
        std::thread::Builder::new().name("spawn-services".into()).spawn(serve).expect("a thread");
        sender
    });
    let (reply, answer) = sync_channel(1);
    spawner.send((command, reply)).expect("the thread lives as long as the process");
    answer.recv().expect("the thread answers")
}

/// A running process of a service. Dropping it kills it and all its descendants.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    /// Starts a process; what it prints goes to `log`.
    pub(crate) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("start {name}: {error}");
        let out = File::options().create(true).append(true).open(log).map_err(failed)?;
        command.stdout(out.try_clone().map_err(failed)?).stderr(out);
        spawn(command).map(|child| Self { child, name }).map_err(failed)
    }

    /// `Err` with its exit status when it has ended.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended: {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGSTOP to it and all its descendants.
    pub(crate) fn pause(&self) {
        // The parent first, so that it makes no new children meanwhile.
        signal(self.pid(), Signal::STOP);
        for pid in descendants(self.pid()) {
            signal(pid, Signal::STOP);
        }
    }

    /// SIGCONT to all that [`Self::pause`] stopped.
    pub(crate) fn resume(&self) {
        for pid in descendants(self.pid()) {
            signal(pid, Signal::CONT);
        }
        signal(self.pid(), Signal::CONT);
    }

    /// SIGKILL to it and all its descendants; waits until all are gone.
    pub(crate) fn kill(&mut self) {
        signal(self.pid(), Signal::STOP);
        let children = descendants(self.pid());
        for pid in &children {
            signal(*pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let deadline = Instant::now() + STOP_PATIENCE;
        while children.iter().any(|pid| lives(*pid)) {
            assert!(Instant::now() < deadline, "a child of {} survived SIGKILL", self.name);
            sleep(LOOK_AGAIN);
        }
    }

    /// Asks it to stop and waits for its end; kills it when it takes too long.
    pub(crate) fn stop(&mut self, how: Signal) {
        self.resume();
        signal(self.pid(), how);
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.check().is_ok() && Instant::now() < deadline {
            sleep(LOOK_AGAIN);
        }
        self.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(pid: u32, what: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may be gone already.
        let _ = kill_process(pid, what);
    }
}

/// State and parent of a process, from /proc.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command in parentheses may have spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process runs. A zombie does not: orphans may wait for their new parent for a second.
fn lives(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// All children, their children, and so on.
fn descendants(of: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, state_and_parent(pid)?.1))).collect();
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}
