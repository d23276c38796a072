//! Opens the executor and finds out how well it contains code. Whatever is missing, the server starts: it shows what is
//! missing in `/health`, and refuses to run code until it is mended.

use std::path::{Path, PathBuf};

use coderoom_backing::objects::Objects;
use coderoom_worker::executor::{
    Executor,
    local::{LocalExecutor, LocalSettings, SandboxLevel},
};

use crate::{
    app::Sandbox,
    config::{
        Settings,
        topics::{ExecutorKind, SandboxMinimum},
        value::SettingValue as _,
    },
};

/// File name of the supervisor's program.
const SUPERVISOR: &str = "coderoom-supervisor";

/// The executor that the settings name, if it can be opened, and what to say about it.
pub(super) async fn open(settings: &Settings, objects: &Objects) -> (Option<Executor>, Sandbox) {
    match settings.deployment.executor {
        ExecutorKind::Local => open_local(settings, objects).await,
        ExecutorKind::Kubernetes => super::kubernetes::open(settings, objects).await,
    }
}

/// What a server says that runs nothing itself: the workers have sandboxes of their own.
pub(super) fn elsewhere() -> Sandbox {
    Sandbox { level: "workers".into(), minimum: "workers".into(), sufficient: true, notes: Vec::new() }
}

async fn open_local(settings: &Settings, objects: &Objects) -> (Option<Executor>, Sandbox) {
    let minimum = settings.sandbox.minimum;
    let mut sandbox = Sandbox { level: "none".into(), minimum: minimum.show(), ..Sandbox::default() };
    let supervisor = match find_supervisor(settings) {
        Ok(found) => found,
        Err(note) => {
            tracing::warn!("no code is run: {note}");
            sandbox.notes.push(note);
            return (None, sandbox);
        }
    };
    let local = LocalSettings {
        minimum_level: match minimum {
            SandboxMinimum::Full => SandboxLevel::Full,
            SandboxMinimum::Namespaces => SandboxLevel::Namespaces,
            SandboxMinimum::None => SandboxLevel::None,
        },
        bwrap: settings.sandbox.bwrap.clone(),
        readable: settings.sandbox.readable.iter().map(PathBuf::from).collect(),
        cgroup_parent: settings.sandbox.cgroup_parent.clone(),
        ..LocalSettings::new(settings.deployment.data.join("runs"), supervisor, objects.clone())
    };
    match LocalExecutor::new(local).await {
        Ok(executor) => {
            sandbox.sufficient = executor.runs_code();
            sandbox.notes.extend(executor.problem().map(str::to_owned));
            if !sandbox.sufficient {
                tracing::warn!(problem = executor.problem(), "no code is run: the sandbox is below sandbox.minimum");
            }
            let executor = Executor::Local(executor);
            sandbox.level = executor.level().to_owned();
            tracing::info!(sandbox.level, sandbox.problem = sandbox.notes.first(), "probed the sandbox");
            (Some(executor), sandbox)
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            tracing::warn!(%error, "no code is run: the executor cannot be opened");
            sandbox.notes.push(format!("The executor cannot be opened: {error}{cause}."));
            (None, sandbox)
        }
    }
}

/// The supervisor's program: where the setting says, else beside the server's own, also when that is a test's.
fn find_supervisor(settings: &Settings) -> Result<PathBuf, String> {
    if let Some(path) = &settings.sandbox.supervisor {
        return if path.is_file() {
            Ok(absolute(path))
        } else {
            Err(format!("sandbox.supervisor is {}, and there is no such file.", path.display()))
        };
    }
    let own =
        std::env::current_exe().map_err(|error| format!("The path of the server's program is unknown: {error}."))?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(SUPERVISOR))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            format!(
                "The program {SUPERVISOR} is not beside {}; install both, or set sandbox.supervisor.",
                own.display()
            )
        })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
