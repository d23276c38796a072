//! Programs that look for a way out.

use super::bench::bench;

#[tokio::test]
async fn host_is_not_visible() {
    let Some(bench) = bench().await else { return };
    let code = "import os\n\
                print(sorted(p for p in os.listdir('/proc') if p.isdigit()).__len__() <= 3)\n\
                for path in ('/etc/shadow', '/root', '/home', '/var', '/sys', '/proc/1/root', '/proc/1/environ', '/proc/1/mem',\n             \
                             '/proc/1/fd', '/proc/1/cwd', '/proc/kcore', '/proc/kmsg', '/proc/1/maps'):\n    \
                    try: print('VISIBLE', path, os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(60))\n    \
                    except OSError: pass\n\
                print(open('/etc/passwd').read().strip())\n\
                for path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/1/oom_score_adj'):\n    \
                    try: open(path, 'w').write('0'); print('WRITABLE', path)\n    \
                    except OSError: pass\n\
                print(open('/proc/1/cmdline').read().replace('\\0', ' '))";
    let outcome = bench.python(code).await;
    assert_eq!(
        outcome.out(),
        "True\nuser:x:1000:1000:user:/work:/bin/sh\n/run/coderoom/supervisor init \n",
        "{outcome:?}"
    );
}

#[tokio::test]
async fn networks_and_odd_sockets_are_out_of_reach() {
    let Some(bench) = bench().await else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let code = format!(
        "import socket\n\
         tries = [('host', lambda: socket.create_connection(('127.0.0.1', {port}), 1)),\n\
                  ('out', lambda: socket.create_connection(('192.0.2.1', 80), 1)),\n\
                  ('udp', lambda: socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 53))),\n\
                  ('metadata', lambda: socket.create_connection(('169.254.169.254', 80), 1)),\n\
                  ('raw', lambda: socket.socket(2, 3, 1)),\n\
                  ('dns', lambda: socket.getaddrinfo('example.com', 80))]\n\
         tries += [(f'family {{f}}', lambda f=f: socket.socket(f, t, 0)) for f in (16, 17, 29, 31, 38, 40, 44) for t in (1, 2, 3, 5)]\n\
         for name, act in tries:\n    \
             try: print('OPEN', name, act())\n    \
             except OSError: pass\n\
         a, b = socket.socketpair(); a.send(b'unix works'); print(b.recv(99).decode())\n\
         s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname()); print('loopback works')"
    );
    let outcome = bench.python(&code).await;
    assert_eq!(outcome.out(), "unix works\nloopback works\n", "{outcome:?}");
}

#[tokio::test]
async fn dangerous_system_calls_are_denied() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let Some(bench) = bench().await else { return };
    // unshare, mount, ptrace, setns, bpf, keyctl, io_uring_setup, perf_event_open, userfaultfd, open_by_handle_at,
    // chroot, pivot_root, add_key, process_vm_readv, init_module, clone3, clone with a new user namespace, x32 getpid.
    let code = "import ctypes, os\n\
                libc = ctypes.CDLL(None, use_errno=True)\n\
                calls = [(272, 0x10000000), (272, 0x20000), (165, b'none', b'/tmp', b'tmpfs', 0, 0), (101, 16, 1, 0, 0),\n         \
                         (308, 0, 0), (321, 0, 0, 0), (250, 0, -3, 0), (425, 1, 0), (298, 0, 0, 0, 0, 0), (323, 0), (304, 0, 0, 0),\n         \
                         (161, b'/tmp'), (155, b'/', b'/'), (248, b'user', b'x', b'y', 1, -3), (310, 1, 0, 0, 0, 0, 0),\n         \
                         (175, 0, 0, b''), (435, 0, 0), (56, 0x10000000 | 17, 0, 0, 0, 0), (0x40000000 + 39,)]\n\
                for call in calls:\n    \
                    ctypes.set_errno(0)\n    \
                    result = libc.syscall(*call)\n    \
                    if result >= 0 or ctypes.get_errno() not in (1, 38): print('ALLOWED', call, result, ctypes.get_errno())\n\
                r, w = os.pipe()\n\
                import fcntl\n\
                try: fcntl.ioctl(r, 0x5412, b'x'); print('TIOCSTI')\n\
                except PermissionError: pass\n\
                print('done')";
    assert_eq!(bench.python(code).await.out(), "done\n");
}

#[tokio::test]
async fn process_1_cannot_be_ended_from_inside() {
    let Some(bench) = bench().await else { return };
    let code = "import os, signal, time\n\
                for s in (9, 15, 19, 1, 2, 11, 10):\n    \
                    try: os.kill(1, s)\n    \
                    except OSError as e: print(e)\n\
                time.sleep(0.3)\n\
                print('still here')";
    let outcome = bench.python(code).await;
    assert_eq!((outcome.out().as_str(), outcome.ending.exit_code), ("still here\n", Some(0)));
    let outcome = bench.python("import os\nprint('before', flush=True)\nos.kill(-1, 9)").await;
    assert_eq!((outcome.out().as_str(), outcome.ending.signal), ("before\n", Some(9)), "{outcome:?}");
}

#[tokio::test]
async fn limits_of_process_1_cannot_be_changed_from_inside() {
    let Some(bench) = bench().await else { return };
    let code = "import resource as r, time\n\
                for kind in (r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_AS, r.RLIMIT_CPU):\n    \
                    try: r.prlimit(1, kind, (0, 0)); print('CHANGED', kind)\n    \
                    except PermissionError: pass\n\
                own = r.getrlimit(r.RLIMIT_NOFILE)\n\
                r.setrlimit(r.RLIMIT_NOFILE, (64, own[1]))\n\
                print(r.prlimit(0, r.RLIMIT_NOFILE)[0], 'x' * 100_000, sep='\\n')";
    let outcome = bench.python(code).await;
    assert_eq!(outcome.out(), format!("64\n{}\n", "x".repeat(100_000)), "{:?}", outcome.ending);
    assert_eq!(outcome.ending.exit_code, Some(0));
}

#[tokio::test]
async fn supervisor_cannot_be_changed_or_run_again_with_more_rights() {
    let Some(bench) = bench().await else { return };
    let code = "import os, subprocess\n\
                for act in (lambda: open('/run/coderoom/supervisor', 'ab'), lambda: os.chmod('/run/coderoom/supervisor', 0o777),\n           \
                            lambda: os.unlink('/run/coderoom/supervisor'), lambda: open('/proc/1/exe', 'rb')):\n    \
                    try: act(); print('POSSIBLE')\n    \
                    except OSError: pass\n\
                print(subprocess.run(['/run/coderoom/supervisor', 'init'], stdin=subprocess.DEVNULL, capture_output=True).returncode)\n\
                print(subprocess.run(['su', '-c', 'id'], capture_output=True).returncode != 0)";
    assert_eq!(bench.python(code).await.out(), "125\nTrue\n");
}

#[tokio::test]
async fn runs_at_the_same_time_do_not_see_each_other() {
    let Some(bench) = bench().await else { return };
    let code = "import os, time, pathlib, socket\n\
                pathlib.Path('/tmp/mine').write_text('x'); pathlib.Path('/dev/shm/mine').write_text('x')\n\
                s = socket.socket(socket.AF_UNIX); s.bind('\\0coderoom-test'); s.listen()\n\
                time.sleep(1)\n\
                print(len([p for p in os.listdir('/proc') if p.isdigit()]) <= 3, os.listdir('/tmp'), os.listdir('/dev/shm'))\n\
                try: os.kill(os.getpid() + 1, 0); print('SEEN')\n\
                except ProcessLookupError: pass";
    let (one, two) = tokio::join!(bench.python(code), bench.python(code));
    for outcome in [one, two] {
        assert_eq!(outcome.out(), "True ['mine'] ['mine']\n", "{outcome:?}");
    }
}
