//! Stage `self-test`: run as a command in the box, it tries what must be impossible there and prints what was possible,
//! one line each. The executor starts it once before it trusts the box with anybody's code.

use std::{
    fs, io,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, socket};

/// Prefix of each line, so that noise is not taken for a finding.
pub const FINDING: &str = "possible: ";
/// Last line of a complete test.
pub const COMPLETE: &str = "self-test complete";

/// Exit code 0 whatever was found; the lines say it.
pub fn self_test() -> anyhow::Result<u8> {
    let mut out = io::stdout().lock();
    for (what, possible) in [
        ("read /etc/shadow", fs::File::open("/etc/shadow").is_ok()),
        ("list /root", fs::read_dir("/root").is_ok()),
        ("write to /usr", fs::write("/usr/.coderoom-self-test", "").is_ok()),
        ("write to /", fs::write("/.coderoom-self-test", "").is_ok()),
        ("write to /dev", fs::write("/dev/.coderoom-self-test", "").is_ok()),
        ("see other processes", sees_other_processes()),
        ("read process 1", fs::read("/proc/1/environ").is_ok() || fs::read_dir("/proc/1/fd").is_ok()),
        ("write kernel settings", fs::OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern").is_ok()),
        ("open a VSOCK socket", socket(AddressFamily::VSOCK, SocketType::STREAM, None).is_ok()),
        ("open a netlink socket", socket(AddressFamily::NETLINK, SocketType::RAW, None).is_ok()),
        ("reach a network", reaches_a_network()),
        ("make a namespace", makes_a_namespace()),
        ("gain capabilities", has_capabilities()),
    ] {
        if possible {
            writeln!(out, "{FINDING}{what}")?;
        }
    }
    writeln!(out, "{COMPLETE}")?;
    Ok(0)
}

/// Process 1, `sh`, and this one; the shell may have become this one.
fn sees_other_processes() -> bool {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())).count() > 3
}

/// A documentation address (RFC 5737) that no network answers for, so only "unreachable" is right.
fn reaches_a_network() -> bool {
    let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::PermissionDenied),
    }
}

fn makes_a_namespace() -> bool {
    std::process::Command::new("unshare").args(["--user", "true"]).output().is_ok_and(|output| output.status.success())
}

fn has_capabilities() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.is_none_or(|mask| mask.trim().bytes().any(|digit| digit != b'0'))
}
