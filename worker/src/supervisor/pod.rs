//! Stage `pod`: process 1 of a container. It reads what to do from its environment, fetches the files, runs the command
//! as stage `init` does, stores `output/`, and reports on its standard output.
//!
//! Everything in a pod has one user, so the user's code could read this process's memory and environment, and write to its
//! standard output through `/proc/1/fd/1`, if this process did not make itself not dumpable before anything else: the
//! kernel then gives all of `/proc/1` that matters to root alone, and nobody in the pod is root or has capabilities.
//! Its arguments stay readable for everybody, which is why no secret is ever among them.

use std::{fs::File, os::unix::fs::symlink, path::PathBuf};

use anyhow::Context as _;
use coderoom_protocol::{
    control::LogStream,
    run::Reason,
    supervisor::{Body, Ending},
};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};

use super::{
    counters::Counters,
    fetch::{Remote, Store},
    init::{self, ending},
    pod_spec::{DATA_VARIABLE, PodSpec, SPEC_VARIABLE, TMP_VARIABLE, WORK_VARIABLE},
    spec::InitSpec,
    spool::Spool,
    watch::Signals,
};

/// Most raw bytes in one output frame: escaped and with its fields it is still one piece of a container's log, which a
/// rotation cannot tear apart (containerd cuts lines at 16 KiB).
const MAX_PIECE_BYTES: usize = 8000;

/// Runs to the end of the run; exit code 0 when the end frame is written.
pub fn pod() -> anyhow::Result<u8> {
    // First of all: to process 1 a TERM that nobody listens to is as if it had not been sent.
    let mut signals = Signals::listen().context("listen to signals")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("close off memory")?;
    rustix::thread::set_no_new_privs(true).context("give up new privileges")?;
    set_child_subreaper(Some(getpid())).context("become parent of orphans")?;
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    let spec = PodSpec::from_variable(&variable(SPEC_VARIABLE)?).context("decode spec")?;
    let (work, tmp) = (PathBuf::from(variable(WORK_VARIABLE)?), PathBuf::from(variable(TMP_VARIABLE)?));
    let data = PathBuf::from(variable(DATA_VARIABLE)?);
    rustix::stdio::dup2_stdin(File::open("/dev/null").context("open /dev/null")?).context("close standard input")?;
    let mut spool = Spool::paced(spec.nonce.clone(), spec.pace, MAX_PIECE_BYTES);
    let counters = Counters::at_start();

    let init = InitSpec {
        nonce: spec.nonce.clone(),
        command: spec.command.clone(),
        limits: spec.limits.clone(),
        work: work.clone(),
        tmp: tmp.clone(),
        rlimits: spec.rlimits,
        env: image_environment(),
    };
    let mut ending = match run(&spec, &init, &data, &mut signals, &mut spool)? {
        Ok(ending) => ending,
        Err(error) => ending(Reason::Internal, Some(format!("{error:#}"))),
    };
    counters.correct(&mut ending);
    spool.push(Body::End(ending));
    spool.flush_all().context("write end frame")?;
    Ok(0)
}

/// From the plan to the stored output. The outer error means that the spool is lost.
fn run(
    spec: &PodSpec,
    init: &InitSpec,
    data: &std::path::Path,
    signals: &mut Signals,
    spool: &mut Spool,
) -> anyhow::Result<anyhow::Result<Ending>> {
    spool.push(Body::Phase("fetching files".to_owned()));
    spool.flush_all()?;
    let (store, output) = match prepare(spec, init) {
        Ok(prepared) => prepared,
        Err(error) => return Ok(Err(error)),
    };
    let mut stopped = false;
    let plan = store.plan(spec.plan.clone(), &mut || {
        stopped |= signals.take().stop;
        !stopped
    });
    let plan = match plan {
        _ if stopped => return Ok(Ok(ending(Reason::StoppedBy, None))),
        Ok(plan) => plan,
        Err(error) => return Ok(Ok(ending(error.reason, Some(error.detail)))),
    };
    let source = Remote::new(&store, plan, &init.tmp);
    let kept = match output.try_clone() {
        Ok(kept) => kept,
        Err(error) => return Ok(Err(error.into())),
    };
    let mut ending = init::run(init, source, output, signals, spool, || link_data(spec, init, data))?;
    store_output(spec, &store, &kept, &mut ending, spool);
    Ok(Ok(ending))
}

fn prepare(spec: &PodSpec, init: &InitSpec) -> anyhow::Result<(Store, File)> {
    let store = Store::new(spec.first_url())?;
    let output = tempfile::tempfile_in(&init.tmp).context("make file for collected output")?;
    Ok((store, output))
}

/// Makes each data set appear as `data/NAME`. A file of the task that has this name already stays.
fn link_data(spec: &PodSpec, init: &InitSpec, data: &std::path::Path) {
    let folder = init.work.join("data");
    if spec.data.is_empty() || std::fs::create_dir_all(&folder).is_err() {
        return;
    }
    for name in &spec.data {
        let _ = symlink(data.join(name), folder.join(name));
    }
}

/// Stores the archive of `output/`; says so in the log when it could not be.
fn store_output(spec: &PodSpec, store: &Store, archive: &File, ending: &mut Ending, spool: &mut Spool) {
    if ending.output_bytes == 0 {
        return;
    }
    let stored = match &spec.output_url {
        Some(url) => store.put(url, archive, ending.output_bytes),
        None => Err("there is no place for it".to_owned()),
    };
    let Err(cause) = stored else { return };
    let bytes = format!("output/ could not be stored: {cause}\n").into_bytes();
    ending.output_bytes = 0;
    let offset = ending.log_bytes;
    ending.log_bytes += bytes.len() as u64;
    spool.push(Body::Output { offset, stream: LogStream::Sys, bytes });
}

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

/// What the image sets (`PATH`, `JAVA_HOME`…), without what is ours or the cluster's.
fn image_environment() -> Vec<(String, String)> {
    let foreign = |name: &str| !name.starts_with("CODEROOM_") && !name.starts_with("KUBERNETES_");
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .filter(|(name, _)| foreign(name))
        .collect()
}
