//! Supervisor: the small program that is process 1 of every run.
//!
//! Stages, each a word on its command line: `launch` prepares the host side and becomes bubblewrap; `init` is process 1
//! inside the box; `pod` is process 1 of a container in a cluster, the same without a box of ours; `enter` is the last step before the user's command; `self-test` tries what must be impossible.

pub mod capped_log;
pub mod collect;
pub mod command;
mod counters;
pub mod enter;
mod fetch;
pub mod init;
pub mod launch;
pub mod pass;
pub mod pod;
pub mod pod_spec;
pub mod self_test;
pub mod spec;
pub mod spool;
pub mod unpack;
pub mod watch;

use std::{ffi::OsString, io::Write, process::ExitCode};

/// Runs the stage that the first argument names. What goes wrong is said in one line on standard error.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let stage = args.next().unwrap_or_default();
    let result = match stage.to_str() {
        Some("launch") => launch::launch(),
        Some("init") => init::init(),
        Some("pod") => pod::pod(),
        Some("enter") => enter::enter(args),
        Some("self-test") => self_test::self_test(),
        _ => Err(anyhow::anyhow!("usage: coderoom-supervisor launch|init|pod|enter|self-test")),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "coderoom-supervisor: {error:#}");
            ExitCode::from(125)
        }
    }
}
