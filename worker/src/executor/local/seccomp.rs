//! The system call filter of the box: a list of what is denied, the rest is allowed, so that interpreters and compilers work.
//! Denied is what reaches across the box (other socket families, keys, tracing), what makes new namespaces or mounts,
//! and kernel parts that no run needs and that broke other sandboxes.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule,
};

/// The filters as the kernel takes them (`struct sock_filter[]`); all of them are to be loaded.
/// There are several because each can answer with one error only.
pub fn programs() -> Result<Vec<Vec<u8>>, BackendError> {
    let mut programs = vec![
        program(denied()?, libc::EPERM)?,
        program(sockets()?, libc::EAFNOSUPPORT)?,
        // "Not there" lets libraries fall back to older calls, whose flags can be looked at.
        program(absent(), libc::ENOSYS)?,
    ];
    if cfg!(target_arch = "x86_64") {
        programs.push(bytes(&no_x32()));
    }
    Ok(programs)
}

/// x86_64 has every call a second time, with this bit in its number and the same architecture tag:
/// the other filters would not know those.
const X32_BIT: u32 = 0x4000_0000;

fn no_x32() -> BpfProgram {
    let code = |code: u32, jt, jf, k| seccompiler::sock_filter { code: code as u16, jt, jf, k };
    vec![
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32_BIT),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(rules: Rules, errno: i32) -> Result<Vec<u8>, BackendError> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(bytes(&program))
}

/// The instructions as they lie in memory.
fn bytes(program: &[seccompiler::sock_filter]) -> Vec<u8> {
    let one = |code: &seccompiler::sock_filter| {
        let mut bytes = [0_u8; 8];
        bytes[..2].copy_from_slice(&code.code.to_ne_bytes());
        bytes[2] = code.jt;
        bytes[3] = code.jf;
        bytes[4..].copy_from_slice(&code.k.to_ne_bytes());
        bytes
    };
    program.iter().flat_map(one).collect()
}

/// Namespaces that `clone` must not make.
const NEW_NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// `ioctl` requests of asm-generic/ioctls.h; the C libraries disagree on their type.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

fn denied() -> Result<Rules, BackendError> {
    let mut rules: Rules = ALWAYS_DENIED.iter().map(|call| (*call, Vec::new())).collect();
    rules.extend(DENIED_ON_THIS_MACHINE.iter().map(|call| (*call, Vec::new())));
    let flags = NEW_NAMESPACE_FLAGS.map(|flag| {
        let flag = flag as u64;
        SeccompRule::new(vec![Condition::new(0, Len::Qword, Op::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, flags.into_iter().collect::<Result<_, _>>()?);
    // Pushing characters into a terminal's input.
    let terminal =
        [TIOCSTI, TIOCLINUX].map(|request| SeccompRule::new(vec![Condition::new(1, Len::Dword, Op::Eq, request)?]));
    rules.insert(libc::SYS_ioctl, terminal.into_iter().collect::<Result<_, _>>()?);
    // Asking for the personality is harmless, and Java does.
    let change = Condition::new(0, Len::Dword, Op::Ne, 0xffff_ffff)?;
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(vec![change])?]);
    // Limits of another process, unless they are only read: the supervisor would die of a file that may not grow.
    let of_another = Condition::new(0, Len::Dword, Op::Ne, 0)?;
    let new_limit = Condition::new(2, Len::Qword, Op::Ne, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![of_another, new_limit])?]);
    Ok(rules)
}

/// Only Unix and internet sockets: AF_VSOCK, for one, is not held by a network namespace.
fn sockets() -> Result<Rules, BackendError> {
    let other = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]
        .map(|family| Condition::new(0, Len::Dword, Op::Ne, family as u64))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let rule = SeccompRule::new(other)?;
    Ok([(libc::SYS_socket, vec![rule.clone()]), (libc::SYS_socketpair, vec![rule])].into())
}

fn absent() -> Rules {
    [libc::SYS_clone3, libc::SYS_memfd_secret].into_iter().map(|call| (call, Vec::new())).collect()
}

const ALWAYS_DENIED: &[i64] = &[
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_mknodat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Keys are not held by namespaces.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Large and often broken parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_vmsplice,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const DENIED_ON_THIS_MACHINE: &[i64] = &[
    libc::SYS_mknod,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_ON_THIS_MACHINE: &[i64] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_whole_and_small() {
        let programs = programs().unwrap();
        assert_eq!(programs.len(), if cfg!(target_arch = "x86_64") { 4 } else { 3 });
        for program in programs {
            assert_eq!(program.len() % 8, 0);
            // The kernel takes at most 4,096 instructions.
            assert!(!program.is_empty() && program.len() / 8 < 4096);
        }
    }
}
