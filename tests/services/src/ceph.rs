//! A private S3 store: a Ceph object gateway with one monitor and one storage daemon that keeps everything in memory.
//!
//! Where Ceph cannot be installed, `s3s-fs` stands in for it when it is on the path: a plain S3 server over a directory
//! that knows fewer key shapes and no versions.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    directory::Directory,
    ports::free_ports,
    process::{Process, User},
    wait::{start_on_free_ports, until_ready},
};

const ACCESS_KEY: &str = "TESTKEY0000000000000";
const SECRET_KEY: &str = "testsecret00000000000000000000000000000";

/// How long one look at it may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A running S3 store without buckets. Dropping it kills it and removes its data.
///
/// `kill`, `pause`, `stop` and `restart` are about the gateway, which is what clients talk to: the store behind it is in
/// memory and stands for a disk.
#[derive(Debug)]
pub struct Ceph {
    gateway: Option<Process>,
    /// Monitor and storage daemon; none with the stand-in.
    store: Vec<Process>,
    directory: Directory,
    user: User,
    port: u16,
}

impl Ceph {
    /// Starts an empty store: a second on an idle machine.
    ///
    /// # Panics
    /// When neither Ceph nor the stand-in is installed, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        if fs::exists("/usr/bin/radosgw").unwrap_or(false) {
            start_on_free_ports(Self::try_start)
        } else {
            start_on_free_ports(Self::try_start_stand_in)
        }
    }

    fn try_start() -> Result<Self, String> {
        let user = User::of_package("ceph");
        let directory = Directory::new(&user);
        for name in ["mon", "osd", "run", "log", "gateway"] {
            directory.make(name);
        }
        let [monitor, port] = free_ports();
        let cluster = kernel_uuid()?;
        directory.write("ceph.conf", &settings(&directory, &cluster, monitor, port));
        let mut started = Self { gateway: None, store: vec![], directory, user, port };
        started.make_keys()?;
        started.store = started.start_store(&cluster, monitor)?;
        started.run()?;
        started.ceph(
            "radosgw-admin",
            &[
                "-n",
                "client.admin",
                "user",
                "create",
                "--uid=test",
                "--display-name=test",
                &format!("--access-key={ACCESS_KEY}"),
                &format!("--secret-key={SECRET_KEY}"),
            ],
        )?;
        Ok(started)
    }

    fn make_keys(&self) -> Result<(), String> {
        let keyring = self.inside("keyring");
        let everything = "allow *";
        let keys: [(&str, &[&str]); 4] = [
            ("mon.", &["mon", everything]),
            ("client.admin", &["mon", everything, "osd", everything, "mgr", everything]),
            ("osd.0", &["mon", "allow profile osd", "osd", everything]),
            ("client.gateway", &["mon", "allow rw", "osd", "allow rwx"]),
        ];
        for (number, (name, capabilities)) in keys.iter().enumerate() {
            let mut arguments = vec![keyring.as_str(), "--gen-key", "-n", name];
            if number == 0 {
                arguments.push("--create-keyring");
            }
            for pair in capabilities.chunks(2) {
                arguments.extend(["--cap", pair[0], pair[1]]);
            }
            self.ceph("ceph-authtool", &arguments)?;
        }
        Ok(())
    }

    fn start_store(&self, cluster: &str, monitor: u16) -> Result<Vec<Process>, String> {
        let (map, keyring) = (self.inside("monmap"), self.inside("keyring"));
        let address = format!("[v2:127.0.0.1:{monitor}]");
        self.ceph("monmaptool", &["--create", "--fsid", cluster, "--addv", "a", &address, &map])?;
        self.ceph("ceph-mon", &["--mkfs", "-i", "a", "--monmap", &map, "--keyring", &keyring])?;
        let mon = self.daemon("ceph-mon", &["-i", "a"])?;
        let id = kernel_uuid()?;
        self.ceph("ceph", &["--connect-timeout", "60", "osd", "new", &id, "0"])?;
        self.ceph("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", &id])?;
        let mut osd = self.daemon("ceph-osd", &["-i", "0"])?;
        until_ready("ceph-osd", || {
            osd.check()?;
            Ok(self.ceph("ceph", &["osd", "stat"])?.contains("1 up"))
        })?;
        Ok(vec![mon, osd])
    }

    fn inside(&self, name: &str) -> String {
        self.directory.at(name).display().to_string()
    }

    /// Runs one of Ceph's programs to its end.
    fn ceph(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        self.user.run(PathBuf::from("/usr/bin").join(program), |command| {
            command.env("CEPH_CONF", self.inside("ceph.conf")).args(arguments);
        })
    }

    fn daemon(&self, program: &'static str, arguments: &[&str]) -> Result<Process, String> {
        let mut command = self.user.command(PathBuf::from("/usr/bin").join(program));
        command.args(["-c", &self.inside("ceph.conf"), "-f"]).args(arguments);
        Process::start(program, command, &self.directory.at("log").join(format!("{program}.out")))
    }

    fn try_start_stand_in() -> Result<Self, String> {
        if stand_in().is_none() {
            return Err("neither Ceph nor s3s-fs is installed: run `scripts/install test`".into());
        }
        let user = User::of_package("nobody");
        let directory = Directory::new(&user);
        directory.make("root");
        directory.make("log");
        let [port] = free_ports();
        let mut started = Self { gateway: None, store: vec![], directory, user, port };
        started.run()?;
        Ok(started)
    }

    fn run(&mut self) -> Result<(), String> {
        let mut gateway = match stand_in().filter(|_| self.store.is_empty()) {
            None => self.daemon("radosgw", &["-n", "client.gateway"])?,
            Some(program) => {
                let mut command = self.user.command(program);
                command.args(["--host", "127.0.0.1", "--port", &self.port.to_string()]);
                command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]).arg(self.directory.at("root"));
                Process::start("s3s-fs", command, &self.directory.at("log/s3s-fs.out"))?
            }
        };
        until_ready("the S3 gateway", || {
            gateway.check().map_err(|ended| format!("{ended}\n{}", self.directory.tail("log/radosgw.out")))?;
            Ok(self.answers())
        })?;
        self.gateway = Some(gateway);
        Ok(())
    }

    /// Whether it answers a request without a signature in S3's words, within five seconds.
    #[must_use]
    pub fn answers(&self) -> bool {
        let look = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer.contains("ListAllMyBuckets") || answer.contains("<Error>"))
        };
        look().unwrap_or(false)
    }

    /// `http://127.0.0.1:port`; path style only.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The access key of its one user.
    #[must_use]
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// The secret key of its one user.
    #[must_use]
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// SIGKILL to the gateway.
    pub fn kill(&mut self) {
        self.gateway = None;
    }

    /// SIGSTOP to the gateway: connections stay open, nobody answers.
    pub fn pause(&self) {
        self.gateway.iter().for_each(Process::pause);
    }

    /// Ends a [`Self::pause`].
    pub fn resume(&self) {
        self.gateway.iter().for_each(Process::resume);
    }

    /// Stops the gateway in good order.
    pub fn stop(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.stop(Signal::TERM);
        }
    }

    /// Starts the gateway again on the same data and port; stops it first when it runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }
}

/// Where `cargo install s3s-fs` or a package put the stand-in.
fn stand_in() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let folders = ["/usr/local", "/usr"].map(PathBuf::from).into_iter().chain(cargo).chain(home);
    folders.map(|folder| folder.join("bin/s3s-fs")).find(|program| program.exists())
}

fn kernel_uuid() -> Result<String, String> {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(|error| format!("a random id: {error}"))?;
    Ok(uuid.trim().to_owned())
}

/// One copy of everything, no manager, loopback only. The two `paxos` settings are what makes the start take one second:
/// the monitor waits so long for more changes to decide about together, and a start is dozens of them in a row.
fn settings(directory: &Directory, cluster: &str, monitor: u16, port: u16) -> String {
    let at = directory.path().display();
    format!(
        "[global]
fsid = {cluster}
mon host = v2:127.0.0.1:{monitor}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {at}/keyring
admin socket = {at}/run/$name.asok
run dir = {at}/run
log file = {at}/log/$name.log
pid file = {at}/run/$name.pid
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
osd crush chooseleaf type = 0
mon data avail warn = 2
mon data avail crit = 1
paxos propose interval = 0.02
paxos min wait = 0.01
rgw rados pool pg num min = 1
[mon]
mon tick interval = 1
mon data = {at}/mon
mon cluster log file = {at}/log/cluster.log
auth allow insecure global id reclaim = false
[osd]
osd data = {at}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd journal = {at}/osd/journal
osd memory target = 939524096
osd max object name len = 2048
[client.gateway]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {at}/gateway
rgw enable usage log = false
rgw thread pool size = 64
rgw run sync thread = false
rgw dns name = localhost
rgw init timeout = 120
"
    )
}
