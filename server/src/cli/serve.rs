//! `coderoom serve` and `coderoom worker`: start, say where they are, and end in order when told to.

use std::process::ExitCode;

use coderoom_backing::clock::Clock;
use tokio_util::sync::CancellationToken;

use super::{refuse_settings, say, settings::SettingFlags};
use crate::{
    assemble::{Server, Worker, stop_signal},
    config::{sources::Loaded, value::SettingValue as _},
    telemetry,
};

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn serve(flags: &SettingFlags) -> ExitCode {
    match flags.load() {
        Ok(loaded) => start(loaded, "serve", run_server),
        Err(error) => refuse_settings(&error.0),
    }
}

/// Runs programs until SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn worker(flags: &SettingFlags) -> ExitCode {
    let loaded = match flags.load() {
        Ok(loaded) => loaded,
        Err(error) => return refuse_settings(&error.0),
    };
    match Worker::check(&loaded.settings) {
        Ok(()) => start(loaded, "work", run_worker),
        Err(sentence) => refuse_settings(sentence),
    }
}

fn start<F>(loaded: Loaded, what: &str, run: impl FnOnce(Loaded) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    telemetry::start_log(&loaded.settings.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start the runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("cannot {what}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run_server(loaded: Loaded) -> anyhow::Result<()> {
    let server = Server::start(loaded.settings, Clock::default()).await?;
    announce(&server);
    let ended = until_told(server.displaced()).await;
    server.drain().await;
    ended
}

async fn run_worker(loaded: Loaded) -> anyhow::Result<()> {
    let worker = Worker::start(loaded.settings, Clock::default()).await?;
    tracing::info!(address = %worker.address, "working");
    let ended = until_told(worker.displaced()).await;
    worker.drain().await;
    ended
}

/// Waits for the signal to stop; an error when the process must end by itself.
async fn until_told(displaced: CancellationToken) -> anyhow::Result<()> {
    let ended = tokio::select! {
        told = stop_signal() => told.map_err(anyhow::Error::from),
        () = displaced.cancelled() => Err(anyhow::anyhow!("another process took the place of this one while it was silent")),
    };
    tokio::spawn(async {
        // Whoever asks twice means it. Everything acknowledged is stored.
        if stop_signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    ended
}

/// Tells the person at the terminal where to go. The link is a secret, so it is printed and not logged.
fn announce(server: &Server) {
    use std::io::Write as _;
    tracing::info!(address = %server.address, "serving");
    let mut out = std::io::stdout().lock();
    // Standard output may be closed; the server serves all the same.
    let _ = writeln!(out, "\ncoderoom serves {}", server.app.public_url);
    if let Some(link) = &server.sign_in_link {
        let lifetime = server.app.settings.people.link_lifetime.show();
        let _ = writeln!(out, "Sign in with this link; it works once, within {lifetime}:\n\n    {link}\n");
    }
    let _ = out.flush();
}

/// Every socket is a file descriptor: takes as many as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
