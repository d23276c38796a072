//! Stage `init`: process 1 of the box. Puts the files in place, runs the command, reports how it ended.
//! Nothing that the user's code can reach leads to its memory, its descriptors or its standard output.

use std::{fs::File, time::Duration};

use anyhow::{Context as _, bail};
use coderoom_protocol::{
    control::LogStream,
    run::Reason,
    supervisor::{Body, Ending},
};
use rustix::process::{DumpableBehavior, WaitStatus, getpid, set_child_subreaper, set_dumpable_behavior};

use super::{
    collect::{self, Collected},
    command::{self, UserCommand},
    pass,
    spec::InitSpec,
    spool::Spool,
    unpack::{Directory, Source, unpack},
    watch::{Cause, Signals, Watched, watch},
};

/// A disk with less than this left counts as full, in bytes.
const FULL_BELOW_BYTES: u64 = 64 * 1024;
/// Longest wait for processes that will not die.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Runs to the end of the run; exit code 0 when the end frame is written.
pub fn init() -> anyhow::Result<u8> {
    // First of all: to process 1 a TERM that nobody listens to is as if it had not been sent.
    let mut signals = Signals::listen().context("listen to signals")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("close off memory")?;
    rustix::thread::set_no_new_privs(true).context("give up new privileges")?;
    set_child_subreaper(Some(getpid())).context("become parent of orphans")?;
    let (spec, mut fds) = pass::receive::<InitSpec>(rustix::stdio::stdin())?;
    rustix::stdio::dup2_stdin(File::open("/dev/null").context("open /dev/null")?).context("close standard input")?;
    let (Some(output), Some(snapshot), true) = (fds.pop(), fds.pop(), fds.is_empty()) else {
        bail!("expected two descriptors with the spec")
    };
    let mut spool = Spool::new(spec.nonce.clone());

    spool.push(Body::Phase("fetching files".to_owned()));
    spool.flush_all()?;
    let ending = run(&spec, Directory(snapshot), File::from(output), &mut signals, &mut spool, || ())?;
    spool.push(Body::End(ending));
    spool.flush_all().context("write end frame")?;
    Ok(0)
}

/// Everything between the spec and the end frame. `output` is where the archive of `output/` goes; `placed` is called when
/// the files are in place. An error means that the spool is lost.
pub(super) fn run(
    spec: &InitSpec,
    source: impl Source,
    output: File,
    signals: &mut Signals,
    spool: &mut Spool,
    placed: impl FnOnce(),
) -> anyhow::Result<Ending> {
    let mut stopped = false;
    // The source leads out of the box and is gone after this; the command is about to start.
    let unpacked = unpack(source, &spec.work, &mut || {
        stopped |= signals.take().stop;
        !stopped
    });
    if stopped || signals.take().stop {
        return Ok(ending(Reason::StoppedBy, None));
    }
    if let Err(error) = unpacked {
        return Ok(ending(error.reason, Some(error.detail)));
    }
    placed();
    if spec.command.trim().is_empty() {
        return Ok(ending(Reason::CommandNotFound, Some("The start command is empty.".to_owned())));
    }
    let user = match UserCommand::start(spec) {
        Ok(user) => user,
        Err(error) => return Ok(ending(Reason::Internal, Some(format!("{error:#}")))),
    };
    spool.push(Body::Phase("started".to_owned()));
    spool.push(Body::Started);
    let mut watched = watch(&user, &spec.limits, signals, spool)?;
    command::kill_everything(None, KILL_PATIENCE);
    spool.flush_all()?;

    let disk_full = is_full(&spec.work) || is_full(&spec.tmp);
    let collected =
        collect::collect(&spec.work.join("output"), output, spec.limits.disk_bytes, spec.limits.output_bytes);
    let collected = collected.unwrap_or_default();
    tell_left_out(&collected, &mut watched, spool);
    let (reason, detail) = judge(&watched, disk_full);
    let (cpu_ms, peak_memory_bytes) = command::usage();
    let exit_code = watched.status.and_then(WaitStatus::exit_status);
    Ok(Ending {
        reason,
        detail,
        exit_code,
        signal: watched.status.and_then(WaitStatus::terminating_signal).or_else(|| exit_code.and_then(signal_behind)),
        peak_memory_bytes,
        cpu_ms,
        log_bytes: watched.log_bytes,
        truncated: watched.truncated,
        output_bytes: collected.bytes,
    })
}

/// An ending without a command.
pub(super) fn ending(reason: Reason, detail: Option<String>) -> Ending {
    Ending {
        reason,
        detail,
        exit_code: None,
        signal: None,
        peak_memory_bytes: None,
        cpu_ms: None,
        log_bytes: 0,
        truncated: false,
        output_bytes: 0,
    }
}

fn is_full(folder: &std::path::Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) < FULL_BELOW_BYTES)
}

fn tell_left_out(collected: &Collected, watched: &mut Watched, spool: &mut Spool) {
    if collected.left_out > 0 {
        let bytes = format!(
            "{} files of output/ were left out: too many, too large, not regular files, or with a backslash, a drive or a control character in the name\n",
            collected.left_out
        )
        .into_bytes();
        let offset = watched.log_bytes;
        watched.log_bytes += bytes.len() as u64;
        spool.push(Body::Output { offset, stream: LogStream::Sys, bytes });
    }
}

/// Why it ended, as far as can be seen from inside; memory and processes are the executor's to judge.
fn judge(watched: &Watched, disk_full: bool) -> (Reason, Option<String>) {
    let code = watched.status.and_then(WaitStatus::exit_status);
    let signal = watched.status.and_then(WaitStatus::terminating_signal);
    match (watched.cause, code, signal) {
        (Some(Cause::Stopped), ..) => (Reason::StoppedBy, None),
        (Some(Cause::TimeLimit), ..) => (Reason::TimeLimit, None),
        (None, Some(0), _) => (Reason::ExitCode, None),
        _ if disk_full => (Reason::DiskLimit, None),
        (None, Some(127), _) => (Reason::CommandNotFound, last_line(&watched.last_words)),
        (None, Some(code), _) if signal_behind(code).is_some() => (Reason::Signal, None),
        (None, Some(_), _) => (Reason::ExitCode, None),
        (None, None, Some(_)) => (Reason::Signal, None),
        (None, None, None) => (Reason::Internal, Some("the command could not be waited for".to_owned())),
    }
}

/// The signal that a shell reports by this exit code: it ends with 128 and the signal's number when a signal ended what
/// it ran. Only signals that end broken programs, so that a program may have exit codes above 128 of its own.
fn signal_behind(code: i32) -> Option<i32> {
    use nix::libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP, SIGXFSZ};
    let signal = code - 128;
    [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP, SIGXFSZ]
        .contains(&signal)
        .then_some(signal)
}

fn last_line(words: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(words);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}
