//! Stage `enter`: runs between `init` and the user's command, in the command's own process: a session of its own,
//! the ceilings of the command, first in line when memory runs out. Then it becomes `sh -c COMMAND`.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, bail};
use nix::sys::signal::SigSet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::spec::Rlimits;

/// How much likelier than the supervisor the command is to be chosen when memory runs out, of 1000.
const OOM_SCORE: &str = "800";

/// Arguments: the ceilings as JSON, the command line. Returns only if it fails.
pub fn enter(mut args: impl Iterator<Item = OsString>) -> anyhow::Result<u8> {
    let (Some(limits), Some(command), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: enter LIMITS COMMAND")
    };
    let limits: Rlimits = serde_json::from_slice(limits.as_encoded_bytes()).context("decode limits")?;
    close_inherited();
    rustix::process::setsid().context("make session")?;
    // Without it a run out of memory might end the supervisor, and the log would have no ending.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    SigSet::empty().thread_set_mask().context("unblock signals")?;
    apply(&limits)?;
    Err(Command::new("/bin/sh").arg("-c").arg(command).exec()).context("start /bin/sh")
}

/// Closes every descriptor but the standard three: whoever started the server may have left some open, and the run
/// would inherit them. To be called before the first own one is opened.
pub(super) fn close_inherited() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The listing's own is closed already; that error is the only one.
        let _ = nix::unistd::close(number);
    }
}

/// Lowers the ceilings of this process and of all it starts. None is raised.
pub(super) fn apply(limits: &Rlimits) -> anyhow::Result<()> {
    lower(Resource::Core, Some(0)).context("limit core files")?;
    lower(Resource::Nofile, limits.nofile).context("limit open files")?;
    lower(Resource::As, limits.address_space).context("limit address space")?;
    lower(Resource::Fsize, limits.file_size).context("limit file size")?;
    lower(Resource::Nproc, limits.nproc).context("limit processes")
}

fn lower(resource: Resource, to: Option<u64>) -> rustix::io::Result<()> {
    let Some(to) = to else { return Ok(()) };
    let to = getrlimit(resource).maximum.map_or(to, |hard| hard.min(to));
    setrlimit(resource, Rlimit { current: Some(to), maximum: Some(to) })
}
