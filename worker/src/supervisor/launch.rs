//! Stage `launch`, on the host: joins the run's cgroups, lowers the ceilings, gives up its user, and becomes bubblewrap
//! with an empty environment and its options in a memory file, so that `/proc/1` of the box shows nothing of the host.
//!
//! Standard output is the spool (opened and locked by the executor, inherited by `init`): it outlives the server.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    enter, pass,
    spec::{BwrapSpec, LaunchSpec, MAX_SPEC_BYTES},
};
use crate::executor::local::seccomp;

/// Reads its spec from standard input. Returns only if it fails.
pub fn launch() -> anyhow::Result<u8> {
    enter::close_inherited();
    let spec = read_spec()?;
    // The files of the task are for the run's user to read, whatever the server thinks of its own.
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    // Not killed with the server's terminal or process group.
    rustix::process::setsid().context("make session")?;
    for procs in &spec.cgroup_procs {
        std::fs::write(procs, "0").with_context(|| format!("join {}", procs.display()))?;
    }
    let snapshot = File::open(&spec.snapshot_dir).context("open snapshot directory")?;
    let output =
        OpenOptions::new().read(true).write(true).open(&spec.output_file).context("open file for collected output")?;
    let init = pass::send(&spec.init, &[snapshot.as_fd(), output.as_fd()])?;
    enter::apply(&spec.rlimits)?;

    let mut kept = Vec::new();
    let mut command = match &spec.bwrap {
        Some(bwrap) => box_command(&spec, bwrap, &mut kept)?,
        None => {
            let own = format!("{{\"child-pid\": {}}}", std::process::id());
            std::fs::write(&spec.info_file, own).context("write process id")?;
            // Opened as who we are now: it may lie where the run's user cannot go.
            let program = File::open(&spec.supervisor).context("open supervisor")?;
            let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
            kept.push(program.into());
            command.arg("init");
            command
        }
    };
    command.env_clear().stdin(Stdio::from(OwnedFd::from(init)));
    if let Some(uid) = spec.uid {
        command.uid(uid).gid(uid);
    }
    Err(command.exec()).with_context(|| format!("start {}", command.get_program().display()))
}

fn read_spec() -> anyhow::Result<LaunchSpec> {
    let mut json = Vec::new();
    std::io::stdin().take(2 * MAX_SPEC_BYTES as u64 + 1).read_to_end(&mut json).context("read spec")?;
    if json.len() > 2 * MAX_SPEC_BYTES {
        bail!("launch spec is longer than {} bytes", 2 * MAX_SPEC_BYTES);
    }
    serde_json::from_slice(&json).context("decode spec")
}

/// bubblewrap with all its descriptors, which `kept` holds open until exec.
fn box_command(spec: &LaunchSpec, bwrap: &BwrapSpec, kept: &mut Vec<OwnedFd>) -> anyhow::Result<Command> {
    let mut args: Vec<String> = Vec::new();
    for (path, content) in &bwrap.files {
        let fd = keep(kept, memory_file(content.as_bytes())?);
        args.extend(["--file".to_owned(), fd, path.clone()]);
    }
    if bwrap.copy_supervisor {
        let binary = File::open(&spec.supervisor).context("open supervisor")?;
        let fd = keep(kept, inheritable(binary.into())?);
        args.extend(["--perms", "0555", "--ro-bind-data", &fd, &bwrap.supervisor_inside].map(str::to_owned));
    } else {
        let path = path_text(&spec.supervisor)?;
        args.extend(["--ro-bind", path, &bwrap.supervisor_inside].map(str::to_owned));
    }
    // After the mounts above: these options end with making everything read-only.
    args.extend(bwrap.args.iter().cloned());
    for program in seccomp::programs().context("build system call filter")? {
        args.extend(["--add-seccomp-fd".to_owned(), keep(kept, memory_file(&program)?)]);
    }
    let info = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&spec.info_file)
        .context("open info file")?;
    args.extend(["--info-fd".to_owned(), keep(kept, inheritable(info.into())?)]);

    let mut text = Vec::new();
    for arg in &args {
        text.extend_from_slice(arg.as_bytes());
        text.push(0);
    }
    let fd = keep(kept, memory_file(&text)?);
    let mut command = Command::new(&bwrap.program);
    command.args(["--args", &fd, "--", &bwrap.supervisor_inside, "init"]);
    Ok(command)
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Keeps `fd` open and gives its number.
fn keep(kept: &mut Vec<OwnedFd>, fd: OwnedFd) -> String {
    let number = fd.as_raw_fd().to_string();
    kept.push(fd);
    number
}

/// A file in memory with this content, read from its beginning, that survives exec.
fn memory_file(content: &[u8]) -> anyhow::Result<OwnedFd> {
    let fd = memfd_create("options", MemfdFlags::empty()).context("make memory file")?;
    let mut file = File::from(fd);
    file.write_all(content).context("fill memory file")?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).context("rewind memory file")?;
    Ok(file.into())
}

/// The same descriptor, kept open over exec.
fn inheritable(fd: OwnedFd) -> anyhow::Result<OwnedFd> {
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::empty()).context("keep descriptor over exec")?;
    Ok(fd)
}
