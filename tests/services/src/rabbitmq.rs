//! A private RabbitMQ node with a port mapper (epmd) of its own.
//!
//! The real start script is used and not the wrapper on the path, which changes user, directory and HOME. `detached` in
//! its environment makes it become the Erlang machine, so that the child is the node itself. Left alone, a node starts a
//! port mapper on the usual port that outlives it; so one is started first, on a port of its own.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    directory::Directory,
    ports::free_ports,
    process::{Process, User},
    wait::{start_on_free_ports, until_ready},
};

const USER: &str = "test";
const PASSWORD: &str = "test-rabbitmq-password";
const VHOST: &str = "test";

/// How long one look at it may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A running RabbitMQ. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct RabbitMq {
    node: Option<Process>,
    port_mapper: Option<Process>,
    directory: Directory,
    user: User,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    amqp: u16,
    distribution: u16,
    port_mapper: u16,
    command: u16,
}

impl RabbitMq {
    /// Starts an empty node: two seconds on an idle machine, ten on a loaded one.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        start_on_free_ports(Self::try_start)
    }

    fn try_start() -> Result<Self, String> {
        if scripts().is_none() {
            return Err("RabbitMQ is not installed: run `scripts/install test`".into());
        }
        let user = User::of_package("rabbitmq");
        let directory = Directory::new(&user);
        let [amqp, distribution, port_mapper, command] = free_ports();
        directory.make("mnesia");
        directory.make("log");
        // Any word will do: the node listens on loopback only and lives for one test.
        directory.write(".erlang.cookie", &format!("coderoom{amqp}"));
        directory.write("enabled_plugins", "[].");
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}
default_vhost = {VHOST}
default_user = {USER}
default_pass = {PASSWORD}
default_user_tags.administrator = true
loopback_users = none
log.console = false
log.file = {}
log.file.level = info
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
",
            directory.at("log/rabbit.log").display()
        );
        directory.write("rabbitmq.conf", &settings);
        let ports = Ports { amqp, distribution, port_mapper, command };
        let mut started = Self { node: None, port_mapper: None, directory, user, ports };
        started.run()?;
        Ok(started)
    }

    /// What the node and its command line have in common.
    fn configure(&self, command: &mut Command) {
        let inside = |name: &str| self.directory.at(name);
        command.current_dir(self.directory.path()).env("HOME", self.directory.path());
        // A file that is not there: else the machine's own settings are read.
        command.env("RABBITMQ_CONF_ENV_FILE", inside("none"));
        command.env("RABBITMQ_NODENAME", format!("t{}@localhost", self.ports.amqp));
        command.env("ERL_EPMD_PORT", self.ports.port_mapper.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command.env("RABBITMQ_CTL_DIST_PORT_MIN", self.ports.command.to_string());
        command.env("RABBITMQ_CTL_DIST_PORT_MAX", self.ports.command.to_string());
    }

    fn run(&mut self) -> Result<(), String> {
        let inside = |name: &str| self.directory.at(name);
        let mut command = self.user.command("/usr/bin/epmd");
        command.args(["-port", &self.ports.port_mapper.to_string(), "-address", "127.0.0.1"]);
        let mut port_mapper = Process::start("epmd", command, &inside("log/epmd.out"))?;
        until_ready("epmd", || {
            port_mapper.check()?;
            Ok(TcpStream::connect(("127.0.0.1", self.ports.port_mapper)).is_ok())
        })?;
        let scripts = scripts().ok_or("RabbitMQ is not installed")?;
        let mut command = self.user.command(format!("{scripts}/rabbitmq-server"));
        self.configure(&mut command);
        command.env("detached", "1");
        command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
        command.env("RABBITMQ_NODE_PORT", self.ports.amqp.to_string());
        command.env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string());
        for (name, file) in [
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_PID_FILE", "pid"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", "none"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "generated"),
            ("RABBITMQ_SCHEMA_DIR", "schema"),
        ] {
            command.env(name, inside(file));
        }
        let machine = "+S 2:2 +A 8 -kernel inet_dist_use_interface {127,0,0,1}";
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", machine);
        let mut node = Process::start("rabbitmq", command, &inside("log/node.out"))?;
        until_ready("rabbitmq", || {
            node.check().map_err(|ended| format!("{ended}\n{}", self.directory.tail("log/rabbit.log")))?;
            Ok(self.answers())
        })?;
        (self.node, self.port_mapper) = (Some(node), Some(port_mapper));
        Ok(())
    }

    /// Whether it lets clients in within two seconds. An open port is not enough: the node must answer the protocol's header
    /// with a method frame (type 1).
    #[must_use]
    pub fn answers(&self) -> bool {
        let look = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.ports.amqp))?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.write_all(b"AMQP\0\0\x09\x01")?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            std::io::Result::Ok(first[0] == 1)
        };
        look().unwrap_or(false)
    }

    /// `amqp://` address with user, password and virtual host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{}/{VHOST}", self.ports.amqp)
    }

    /// The virtual host of [`Self::url`].
    #[must_use]
    pub fn vhost(&self) -> &'static str {
        VHOST
    }

    /// Runs `rabbitmqctl`, for example `["purge_queue", "-p", "test", "name"]`; about a second. Gives what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn control(&self, arguments: &[&str]) -> String {
        let program = format!("{}/rabbitmqctl", scripts().unwrap_or_default());
        let done = self.user.run(program, |command| {
            self.configure(command);
            command.args(arguments);
        });
        done.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Waits until a quorum queue would outlive a [`Self::kill`]. A node writes which member a queue's name stands for up to a
    /// second after it has confirmed the queue; killed before, it comes back with a queue that never finds a leader.
    ///
    /// # Panics
    /// When the node does not write it.
    pub fn until_on_disk(&self, queue: &str) {
        let written = || {
            let folders = fs::read_dir(self.directory.at("mnesia")).map_err(|why| why.to_string())?;
            let names = folders.flatten().find_map(|node| {
                let members = fs::read_dir(node.path().join("quorum")).ok()?.flatten().next()?;
                fs::read(members.path().join("names.dets")).ok()
            });
            Ok(names.is_some_and(|names| names.windows(queue.len()).any(|bytes| bytes == queue.as_bytes())))
        };
        until_ready(&format!("the queue {queue} on disk"), written).unwrap_or_else(|why| panic!("{why}"));
    }

    /// SIGKILL to all of its processes.
    pub fn kill(&mut self) {
        (self.node, self.port_mapper) = (None, None);
    }

    /// SIGSTOP to all of its processes: connections stay open, nobody answers.
    pub fn pause(&self) {
        self.node.iter().chain(&self.port_mapper).for_each(Process::pause);
    }

    /// Ends a [`Self::pause`].
    pub fn resume(&self) {
        self.node.iter().chain(&self.port_mapper).for_each(Process::resume);
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut node) = self.node.take() {
            self.resume();
            node.stop(Signal::TERM);
        }
        self.kill();
    }

    /// Starts it again on the same data, ports and node name; stops it first when it runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }
}

/// The folder of the real scripts.
fn scripts() -> Option<&'static str> {
    ["/usr/lib/rabbitmq/bin"]
        .into_iter()
        .find(|folder| fs::exists(format!("{folder}/rabbitmq-server")).unwrap_or(false))
}
