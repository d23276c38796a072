//! A private server: the real binary on a free port, with a data directory of its own, that tests may kill and start again.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use coderoom_services::remove_afterwards;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{cluster::Cluster, person::http_client, wait::until};

/// The API token that every test server accepts as its administrator's.
pub const ADMIN_TOKEN: &str = "test-admin-token-0123456789abcdef";

/// Which deployment a scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// One process, SQLite and a directory.
    Embedded,
    /// PostgreSQL, S3, Redis and RabbitMQ, each private to the run of the tests; the local executor.
    Cluster,
}

/// A running server. Dropping it kills the process and removes its data.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    settings: Vec<(String, String)>,
    data: PathBuf,
    /// `serve` or `worker`.
    command: &'static str,
    /// Held to be removed last; `None` when the test brought a directory of its own.
    _own_data: Option<TempDir>,
    _heir: Option<Child>,
    _cluster: Option<Arc<Cluster>>,
    port: u16,
}

/// The folder with the binaries of this build.
#[must_use]
pub fn binaries() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    // target/debug/deps/test-hash or target/debug/bench
    here.ancestors().skip(1).find(|folder| folder.join("coderoom").exists()).map(Path::to_path_buf).unwrap_or_default()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).unwrap_or(0)
}

impl Server {
    /// Starts a server with default settings and waits until it serves.
    pub async fn start(deployment: Deployment) -> Self {
        Self::start_with(deployment, &[]).await
    }

    /// The same with settings as `CODEROOM_…` variables.
    ///
    /// # Panics
    /// When it does not serve.
    pub async fn start_with(deployment: Deployment, settings: &[(&str, &str)]) -> Self {
        let own = TempDir::with_prefix("coderoom-test-").expect("a temporary directory");
        let data = own.path().join("data");
        Self::start_in(deployment, data, Some(own), settings).await
    }

    /// The same on a data directory that the test brings.
    ///
    /// # Panics
    /// When it does not serve.
    pub async fn start_in(
        deployment: Deployment,
        data: PathBuf,
        own: Option<TempDir>,
        settings: &[(&str, &str)],
    ) -> Self {
        let cluster = (deployment == Deployment::Cluster).then(Cluster::new);
        Self::start_process(cluster, "serve", data, own, settings).await
    }

    /// Starts one more process of a cluster: `serve` or `worker`.
    ///
    /// # Panics
    /// When it does not serve.
    pub async fn start_on(cluster: &Arc<Cluster>, command: &'static str, settings: &[(&str, &str)]) -> Self {
        let own = TempDir::with_prefix("coderoom-test-").expect("a temporary directory");
        let data = own.path().join("data");
        Self::start_process(Some(Arc::clone(cluster)), command, data, Some(own), settings).await
    }

    async fn start_process(
        cluster: Option<Arc<Cluster>>,
        command: &'static str,
        data: PathBuf,
        own: Option<TempDir>,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all = cluster.as_ref().map(|cluster| cluster.settings().to_vec()).unwrap_or_default();
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let port = free_port();
        let mut server = Self {
            child: None,
            settings: all,
            data,
            command,
            _heir: own.as_ref().map(|own| remove_afterwards(own.path())),
            _own_data: own,
            _cluster: cluster,
            port,
        };
        server.start_again().await;
        server
    }

    /// Starts the process on the same data and port, after [`Self::kill`] or [`Self::terminate`].
    ///
    /// # Panics
    /// When it does not serve.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_file()).expect("log file");
        let child = Command::new(binaries().join("coderoom"))
            .args([self.command, "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(&self.data)
            .env("CODEROOM_ADMIN_TOKEN", ADMIN_TOKEN)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn()
            .expect("the coderoom binary starts; build it with `cargo build --workspace --bins`");
        self.child = Some(child);
        let (http, live) = (http_client(), format!("{}/health/live", self.url()));
        until(async || match http.get(&live).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("/health/live answers {}", answer.status())),
            Err(error) => Err(format!("no answer: {error}; log:\n{}", self.log())),
        })
        .await;
    }

    fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// What `/health/ready` answers: its status and body. A worker answers too.
    ///
    /// # Panics
    /// When there is no answer within ten seconds.
    pub async fn ready(&self) -> (u16, serde_json::Value) {
        let asked = http_client().get(format!("{}/health/ready", self.url())).timeout(Duration::from_secs(10)).send();
        let answer = asked.await.expect("/health/ready answers, whatever is broken");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// `kill -9`, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; waits until the process has drained and ended, and gives its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate(&mut self) -> Option<i32> {
        let child = self.child.as_ref()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0))?;
        let _ = kill_process(pid, Signal::TERM);
        self.wait_for_end().await
    }

    /// Waits until the process, which was told to, has ended, and gives its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn wait_for_end(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return status.code();
            }
            assert!(tokio::time::Instant::now() < deadline, "the server did not end; log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "server log:\n{}", self.log());
        }
        self.kill();
    }
}
