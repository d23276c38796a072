//! A private Redis. It keeps nothing on disk: what is in it may be lost at any moment, and a restart loses all of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    directory::Directory,
    ports::free_ports,
    process::{Process, User},
    wait::{start_on_free_ports, until_ready},
};

const PASSWORD: &str = "test-redis-password";

/// How long one look at it may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A running Redis. Dropping it kills it.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    directory: Directory,
    user: User,
    port: u16,
}

impl Redis {
    /// Starts it empty: less than a tenth of a second.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        start_on_free_ports(|| {
            let user = User::of_package("redis");
            let directory = Directory::new(&user);
            let [port] = free_ports();
            let mut started = Self { process: None, directory, user, port };
            started.run()?;
            Ok(started)
        })
    }

    fn run(&mut self) -> Result<(), String> {
        let mut command = self.user.command("/usr/bin/redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""]);
        command.args(["--appendonly", "no", "--requirepass", PASSWORD, "--maxmemory", "512mb"]);
        command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(self.directory.path());
        let mut process = Process::start("redis", command, &self.directory.at("log"))?;
        until_ready("redis", || {
            process.check().map_err(|ended| format!("{ended}\n{}", self.directory.tail("log")))?;
            Ok(self.answers())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// One command without a line break in it; `None` when there is no answer.
    fn call(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
        stream.write_all(format!("AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.strip_prefix("+OK\r\n")?.strip_suffix("+OK\r\n").map(str::to_owned)
    }

    /// Whether it answers within two seconds.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.call("PING").as_deref() == Some("+PONG\r\n")
    }

    /// `redis://` address with its password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Loses everything that is in it, while it runs.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn flush(&self) {
        assert_eq!(self.call("FLUSHALL").as_deref(), Some("+OK\r\n"), "FLUSHALL");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGSTOP: connections stay open, nobody answers.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Ends a [`Self::pause`].
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM);
        }
    }

    /// Starts it again on the same port, empty; stops it first when it runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }
}
