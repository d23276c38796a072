//! `coderoom serve`: starts the server, says where it is, and ends it in order when told to.

use std::process::ExitCode;

use coderoom_backing::clock::Clock;

use super::{refuse_settings, say, settings::SettingFlags};
use crate::{
    assemble::{Server, stop_signal},
    config::sources::Loaded,
    telemetry,
};

/// Runs until SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn serve(flags: &SettingFlags) -> ExitCode {
    let loaded = match flags.load() {
        Ok(loaded) => loaded,
        Err(error) => return refuse_settings(&error.0),
    };
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
            say(&format!("cannot serve: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(loaded: Loaded) -> anyhow::Result<()> {
    let server = Server::start(loaded.settings, Clock::default()).await?;
    announce(&server);
    stop_signal().await?;
    tokio::spawn(async {
        // Whoever asks twice means it. Everything acknowledged is stored.
        if stop_signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    server.drain().await;
    Ok(())
}

/// Tells the person at the terminal where to go. The link is a secret, so it is printed and not logged.
fn announce(server: &Server) {
    use std::io::Write as _;
    tracing::info!(address = %server.address, "serving");
    let mut out = std::io::stdout().lock();
    // Standard output may be closed; the server serves all the same.
    let _ = writeln!(out, "\ncoderoom serves {}", server.app.public_url);
    if let Some(link) = &server.sign_in_link {
        let _ = writeln!(out, "Sign in with this link; it works once, for 24 hours:\n\n    {link}\n");
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
