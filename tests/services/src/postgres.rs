//! A private PostgreSQL.

use std::{fs, path::PathBuf};

use rustix::process::Signal;

use crate::{
    directory::Directory,
    ports::free_ports,
    process::{Process, User},
    wait::{start_on_free_ports, until_ready},
};

/// What a killed process must not lose is in the kernel's hands before a commit returns, so `fsync` is off: only a power
/// failure could tell, and tests run three times as fast.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 128MB
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum_naptime = 60min
";

/// The password of the superuser `postgres`.
const PASSWORD: &str = "test-postgres-password";

/// A running PostgreSQL. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    directory: Directory,
    user: User,
    port: u16,
}

impl Postgres {
    /// Makes a new cluster and starts it: half a second on an idle machine.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        start_on_free_ports(Self::try_start)
    }

    fn try_start() -> Result<Self, String> {
        let user = User::of_package("postgres");
        let directory = Directory::new(&user);
        let password = directory.write("password", PASSWORD);
        let data = directory.at("data");
        user.run(programs()?.join("initdb"), |command| {
            command.args(["-U", "postgres", "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
            command.arg("--no-instructions").arg("-D").arg(&data).arg("--pwfile").arg(&password);
        })?;
        let [port] = free_ports();
        let settings = directory.write("coderoom.conf", &format!("{SETTINGS}\nport = {port}\n"));
        let include = format!("\ninclude '{}'\n", settings.display());
        let file = data.join("postgresql.conf");
        let whole = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))? + &include;
        fs::write(&file, whole).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut started = Self { process: None, directory, user, port };
        started.run()?;
        Ok(started)
    }

    fn run(&mut self) -> Result<(), String> {
        let programs = programs()?;
        let mut command = self.user.command(programs.join("postgres"));
        command.arg("-D").arg(self.directory.at("data"));
        let mut process = Process::start("postgres", command, &self.directory.at("log"))?;
        until_ready("postgres", || {
            process.check().map_err(|ended| format!("{ended}\n{}", self.directory.tail("log")))?;
            Ok(self.answers())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Whether it lets clients in within a second.
    #[must_use]
    pub fn answers(&self) -> bool {
        let port = self.port.to_string();
        let look = |command: &mut std::process::Command| {
            command.args(["-q", "-t", "1", "-h", "127.0.0.1", "-p", &port]);
        };
        programs().and_then(|programs| self.user.run(programs.join("pg_isready"), look)).is_ok()
    }

    /// `postgres://` address of its superuser and the database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// SIGKILL to all of its processes.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGSTOP to all of its processes: connections stay open, nobody answers.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Ends a [`Self::pause`].
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Stops it in good order (clients are cut off).
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::INT);
        }
    }

    /// Starts it again on the same data and port, after [`Self::kill`] or [`Self::stop`]; stops it first when it runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }
}

/// Where the newest installed version has its programs: Debian puts them apart, others on the path.
pub(crate) fn programs() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let newest =
        numbered.map(|(version, path)| (version, path.join("bin"))).filter(|(_, bin)| bin.join("initdb").exists());
    let found = newest.max().map(|(_, bin)| bin);
    let elsewhere =
        ["/usr/bin", "/usr/local/bin"].map(PathBuf::from).into_iter().find(|bin| bin.join("initdb").exists());
    found.or(elsewhere).ok_or_else(|| "PostgreSQL is not installed: run `scripts/install test`".to_owned())
}
