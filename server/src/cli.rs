//! The command line: `coderoom serve` and the commands beside it.

mod admin;
mod client;
mod connect;
mod folder;
mod follow;
mod memory;
mod serve;
mod settings;
mod terminal;
mod upload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use settings::SettingFlags;

/// A room for code: edit together, run, watch the log.
#[derive(Debug, Parser)]
#[command(name = "coderoom", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve rooms, tasks and runs.
    Serve(SettingFlags),
    /// Run the run engine alone, beside servers that share its tables (cluster deployment).
    Worker(SettingFlags),
    /// Run a folder or a task, stream its log, and exit with the program's exit code.
    Run(client::RunArgs),
    /// Follow a run's log to its end, and exit with the program's exit code.
    Tail(client::TailArgs),
    /// Tasks.
    #[command(subcommand)]
    Task(client::TaskCommand),
    /// What administrators do: users, runs, nodes, the audit log.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// API tokens.
    #[command(subcommand)]
    Token(client::TokenCommand),
    /// Print the settings in force and where each came from; secrets are masked.
    Config {
        #[command(flatten)]
        flags: SettingFlags,
        /// Print the reference of all settings in Markdown instead.
        #[arg(long, hide = true)]
        markdown: bool,
    },
}

/// Exit code of our own failures, so that those of a program that was run stay its own.
pub const OWN_FAILURE: u8 = 125;

/// Exit code of a wrong command line or wrong settings.
const USAGE_FAILURE: u8 = 2;

/// Runs the command of the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(flags) => serve::serve(&flags),
        Command::Worker(flags) => serve::worker(&flags),
        Command::Run(args) => client::finish(client::run(args)),
        Command::Tail(args) => client::finish(client::tail(args)),
        Command::Task(command) => client::finish(client::task(command)),
        Command::Admin(command) => client::finish(admin::admin(command)),
        Command::Token(command) => client::finish(client::token(command)),
        Command::Config { markdown: true, .. } => print(&crate::config::print::reference()),
        Command::Config { flags, markdown: false } => match flags.load() {
            Ok(loaded) => {
                loaded.warnings.iter().for_each(|warning| say(warning));
                print(&crate::config::print::effective(&loaded))
            }
            Err(error) => refuse_settings(&error.0),
        },
    }
}

/// A sentence for the person at the terminal.
pub(crate) fn say(sentence: &str) {
    use std::io::{IsTerminal as _, Write as _};
    let mut err = std::io::stderr().lock();
    // Names and what a program said of itself may be in it.
    let sentence = if err.is_terminal() { terminal::harmless(sentence) } else { sentence.to_owned() };
    // A terminal that is gone is no reason to fail.
    let _ = writeln!(err, "coderoom: {sentence}");
}

fn refuse_settings(sentence: &str) -> ExitCode {
    say(sentence);
    ExitCode::from(USAGE_FAILURE)
}

/// Writes to standard output; a reader that went away early is no failure.
fn print(text: &str) -> ExitCode {
    use std::io::{IsTerminal as _, Write as _};
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { terminal::harmless(text) } else { text.to_owned() };
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
