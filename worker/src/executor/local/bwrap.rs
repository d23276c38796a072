//! The box as options of bubblewrap: what of the host is visible in it, and what is its own.
//! Nothing here names a secret: the list is in memory only, and the box sees neither it nor the server's environment.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{executor::RunLimits, supervisor::spec::BwrapSpec};

/// The user in the box, in its own user namespace.
const UID: &str = "1000";
/// Where the supervisor lies in the box.
pub(super) const SUPERVISOR: &str = "/run/coderoom/supervisor";
/// Size of `/tmp` in bytes; smaller when the disk limit is.
const MAX_TMP_BYTES: u64 = 256 * 1024 * 1024;
/// Size of `/dev/shm` in bytes; smaller when the disk limit is.
const MAX_SHM_BYTES: u64 = 64 * 1024 * 1024;

/// The system's programs and libraries.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
/// Settings that interpreters need and that hold no secret. A star stands for the rest of the name.
const SETTINGS: [&str; 14] = [
    "/etc/R",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/java*",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/python*",
    "/etc/scala",
    "/etc/services",
    "/etc/ssl/certs",
];

/// Options for a run. `extra` is mounted read-only at its own path.
pub(super) fn spec(program: &Path, limits: &RunLimits, extra: &[PathBuf], copy_supervisor: bool) -> BwrapSpec {
    let mut args = Args::default();
    args.add(&["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
    args.add(&["--unshare-cgroup-try", "--as-pid-1", "--new-session", "--uid", UID, "--gid", UID]);
    args.add(&["--hostname", "coderoom", "--cap-drop", "ALL"]);
    for path in SYSTEM {
        args.mount(Path::new(path));
    }
    for pattern in SETTINGS {
        for path in matching(pattern) {
            args.mount(&path);
        }
    }
    for path in extra {
        args.mount(path);
    }
    args.add(&["--proc", "/proc", "--dev", "/dev"]);
    let tmp = limits.disk_bytes.min(MAX_TMP_BYTES);
    args.tmpfs("/tmp", "1777", tmp);
    args.tmpfs("/dev/shm", "1777", limits.disk_bytes.min(MAX_SHM_BYTES));
    args.tmpfs("/work", "0755", limits.disk_bytes);
    // Last, else /dev and / are unlimited file systems in memory that everybody may write to.
    args.add(&["--chdir", "/work", "--remount-ro", "/dev", "--remount-ro", "/"]);
    BwrapSpec {
        program: program.to_owned(),
        args: args.0,
        files: files(),
        supervisor_inside: SUPERVISOR.to_owned(),
        copy_supervisor,
    }
}

fn files() -> Vec<(String, String)> {
    [
        ("/etc/passwd", "user:x:1000:1000:user:/work:/bin/sh\n"),
        ("/etc/group", "user:x:1000:\n"),
        ("/etc/hosts", "127.0.0.1 localhost coderoom\n::1 localhost\n"),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ]
    .map(|(path, content)| (path.to_owned(), content.to_owned()))
    .to_vec()
}

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn add(&mut self, args: &[&str]) {
        self.0.extend(args.iter().map(|arg| (*arg).to_owned()));
    }

    /// Shows `path` as the host has it: a link as the same link, anything else read-only. Nothing when it is not there.
    fn mount(&mut self, path: &Path) {
        let (Some(at), Ok(meta)) = (path.to_str(), path.symlink_metadata()) else { return };
        if !meta.is_symlink() {
            self.add(&["--ro-bind", at, at]);
        } else if let Some(target) = fs::read_link(path).ok().as_deref().and_then(Path::to_str) {
            self.add(&["--symlink", target, at]);
        }
    }

    fn tmpfs(&mut self, at: &str, mode: &str, bytes: u64) {
        // bubblewrap takes no size of 0, and a page is the least there is.
        self.add(&["--perms", mode, "--size", &bytes.max(4096).to_string(), "--tmpfs", at]);
    }
}

/// The path itself, or every path that begins with what stands before the star.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some(start) = pattern.strip_suffix('*') else { return vec![PathBuf::from(pattern)] };
    let path = Path::new(start);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|entry| entry.starts_with(name)))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Whether a user who owns nothing on the way can read and run this file.
pub(super) fn anybody_can_run(file: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    let folders = file.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    mode(file) & 0o005 == 0o005 && folders.map(mode).all(|mode| mode & 0o001 != 0)
}

/// Looks for a program where programs usually are.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let folders = crate::supervisor::command::PATH.split(':');
    folders
        .map(|folder| Path::new(folder).join(name))
        .find(|path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}
