//! The commands that use a server: `run`, `tail`, `task import`, `token create`.

use std::{future::Future, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use coderoom_protocol::{
    client::{ApiClient, ClientError},
    control::{Language, Submitted},
    ids::RunId,
    people::{CreatedToken, NewToken},
    run::Run,
    task::SubmitRequest,
};

use super::{
    OWN_FAILURE,
    connect::{ConnectFlags, own_settings},
    follow::{self, How},
    memory::{self, Wishes},
    print, say,
};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// `coderoom run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A folder (its task is made or brought up to date), or a task's id or name.
    #[arg(value_name = "DIR|TASK")]
    what: String,
    /// Command line, run by `sh -c` [default: sh run.sh].
    #[arg(long)]
    command: Option<String>,
    /// python, scala or r [default: guessed from the files].
    #[arg(long, value_parser = parse_language)]
    language: Option<Language>,
    #[command(flatten)]
    screen: ScreenFlags,
    #[command(flatten)]
    connect: ConnectFlags,
}

/// What a program may do to the terminal that its log is shown on.
#[derive(Debug, Args)]
struct ScreenFlags {
    /// Send what the program wrote to a terminal as it is. Without it colours, tabs and line ends go through, and what moves
    /// the cursor, sets titles or asks the terminal is shown as ^[ and the like. Files and pipes always get it as it is.
    #[arg(long)]
    raw: bool,
}

/// `coderoom tail`.
#[derive(Debug, Args)]
pub(super) struct TailArgs {
    /// The run's id.
    run: String,
    #[command(flatten)]
    screen: ScreenFlags,
    #[command(flatten)]
    connect: ConnectFlags,
}

/// `coderoom task …`.
#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// Make a task of a folder and print its id.
    Import {
        /// The folder.
        dir: PathBuf,
        /// The task's name [default: the folder's].
        #[arg(long)]
        name: Option<String>,
        /// python, scala or r [default: guessed from the files].
        #[arg(long, value_parser = parse_language)]
        language: Option<Language>,
        #[command(flatten)]
        connect: ConnectFlags,
    },
}

/// `coderoom token …`.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make an API token and print it. Works on the data directory while no server runs there.
    Create {
        /// For whom, by name.
        #[arg(long, default_value = "admin")]
        user: String,
        /// What to call the token.
        #[arg(long)]
        name: String,
        /// Days until it stops working [default: it does not].
        #[arg(long, value_name = "DAYS")]
        expires_days: Option<u32>,
        #[command(flatten)]
        connect: ConnectFlags,
    },
}

fn parse_language(word: &str) -> Result<Language, String> {
    Language::parse(&word.to_lowercase()).ok_or_else(|| "python, scala or r".into())
}

/// Runs a client command to its end; what goes wrong on our side is said and gives 125.
pub(super) fn finish(command: impl Future<Output = anyhow::Result<u8>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(command));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(OWN_FAILURE)
        }
    }
}

pub(super) async fn run(args: RunArgs) -> anyhow::Result<u8> {
    let api = args.connect.client()?;
    let root = PathBuf::from(&args.what);
    let (task, command) = if root.is_dir() {
        let wishes = Wishes { language: args.language, name: None };
        let ready = memory::task_of_folder(&api, &root, &wishes, false).await.map_err(explain(&api))?;
        (ready.task, args.command.or(ready.command))
    } else {
        (memory::task_by_word(&api, &args.what).await.map_err(explain(&api))?, args.command)
    };
    let wish = SubmitRequest { command, remarks: None };
    let submitted: Submitted = api.post(&format!("/api/v1/tasks/{task}/runs"), &wish).await.context("submit")?;
    follow::follow(&api, task, submitted.run.id, How { stops: true, raw: args.screen.raw }).await
}

pub(super) async fn tail(args: TailArgs) -> anyhow::Result<u8> {
    let api = args.connect.client()?;
    let run: RunId = args.run.parse().map_err(|_| anyhow::anyhow!("{} is not a run's id", args.run))?;
    let run: Run = api.get(&format!("/api/v1/runs/{run}")).await.map_err(anyhow::Error::from).map_err(explain(&api))?;
    follow::follow(&api, run.task, run.id, How { stops: false, raw: args.screen.raw }).await
}

pub(super) async fn task(command: TaskCommand) -> anyhow::Result<u8> {
    let TaskCommand::Import { dir, name, language, connect } = command;
    let api = connect.client()?;
    if !dir.is_dir() {
        bail!("{} is not a folder", dir.display());
    }
    let ready = memory::task_of_folder(&api, &dir, &Wishes { name, language }, true).await.map_err(explain(&api))?;
    print(&format!("{}\n", ready.task));
    Ok(0)
}

pub(super) async fn token(command: TokenCommand) -> anyhow::Result<u8> {
    let TokenCommand::Create { user, name, expires_days, connect } = command;
    let secret = match token_from_server(&user, &name, expires_days, &connect).await {
        // Nobody serves here: the data directory is free.
        Err(error) if connect.server.is_none() && connect.token.is_none() && is_unreachable(&error) => {
            token_from_data(&user, &name, expires_days, &connect).await?
        }
        other => other?,
    };
    print(&format!("{secret}\n"));
    Ok(0)
}

async fn token_from_server(
    user: &str,
    name: &str,
    expires_days: Option<u32>,
    connect: &ConnectFlags,
) -> anyhow::Result<String> {
    let api = connect.client()?;
    let new = NewToken {
        name: name.to_owned(),
        expires_days,
        user: Some(user.to_owned()),
        expires_at: None,
        scopes: None,
        tasks: None,
    };
    let made: CreatedToken = api.post("/api/v1/tokens", &new).await?;
    Ok(made.token)
}

async fn token_from_data(
    user: &str,
    name: &str,
    expires_days: Option<u32>,
    connect: &ConnectFlags,
) -> anyhow::Result<String> {
    let people = crate::assemble::open_people(&own_settings(connect.data.as_ref())?).await?;
    people.ensure_admin().await?;
    let user = people.user(user).await?.with_context(|| format!("there is no user {user:?}"))?;
    let now = coderoom_backing::clock::Clock::default().now_ms();
    let expires_at = expires_days.map(|days| now.saturating_add(i64::from(days) * DAY_MS));
    Ok(people.create_token(user.id, name, expires_at).await?.secret)
}

/// Whether no server answered (or none ever ran here), so that the data directory may be used directly.
fn is_unreachable(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Http(error)) => error.is_connect(),
        Some(_) => false,
        None => error.downcast_ref::<std::io::Error>().is_some() || error.to_string().starts_with("no token"),
    }
}

/// Adds which server was asked to an error that says that it cannot be reached.
fn explain(api: &ApiClient) -> impl Fn(anyhow::Error) -> anyhow::Error {
    let server = api.url("").map(|url| url.to_string()).unwrap_or_default();
    move |error| {
        if is_unreachable(&error) {
            error.context(format!("no server answers at {server}; start it with coderoom serve"))
        } else {
            error
        }
    }
}
