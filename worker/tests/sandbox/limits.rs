//! Programs that take all they can get.

use coderoom_protocol::run::Reason;

use super::bench::bench;

#[tokio::test]
async fn fork_bomb_is_held_and_ends() {
    let Some(bench) = bench().await else { return };
    let code = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.05)";
    let outcome = bench.python_within(code, |limits| limits.wall_ms = 1500).await;
    assert_eq!(outcome.reason(), Reason::TimeLimit);
    assert!(outcome.took.as_secs() < 15, "{:?}", outcome.took);
}

#[tokio::test]
async fn program_that_fails_for_want_of_processes_is_told_so() {
    let Some(bench) = bench().await else { return };
    if !bench.is_full() {
        return;
    }
    let code = "import os, time\nfor n in range(200):\n    if os.fork() == 0:\n        time.sleep(60)";
    assert_eq!(bench.python(code).await.reason(), Reason::PidsLimit);
}

#[tokio::test]
async fn large_allocation_is_out_of_memory() {
    let Some(bench) = bench().await else { return };
    if !bench.is_full() {
        return;
    }
    let code = "x = bytearray(10 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('touched all')";
    let outcome = bench.python(code).await;
    assert_eq!(outcome.reason(), Reason::OutOfMemory);
    assert!(!outcome.out().contains("touched"));
    assert!(outcome.ending.peak_memory_bytes < Some(512 << 20));
}

#[tokio::test]
async fn killed_child_is_out_of_memory() {
    let Some(bench) = bench().await else { return };
    if !bench.is_full() {
        return;
    }
    let code = "import subprocess, sys\n\
                eat = 'x = bytearray(1 << 30)\\nfor i in range(0, len(x), 4096): x[i] = 1'\n\
                done = subprocess.run([sys.executable, '-c', eat])\n\
                print('child ended with', done.returncode)\n\
                sys.exit(5)";
    let outcome = bench.python(code).await;
    assert_eq!(outcome.out(), "child ended with -9\n");
    assert_eq!((outcome.reason(), outcome.ending.exit_code), (Reason::OutOfMemory, Some(5)));
}

#[tokio::test]
async fn many_children_share_the_memory_limit() {
    let Some(bench) = bench().await else { return };
    if !bench.is_full() {
        return;
    }
    let code = "import os, time\n\
                for n in range(20):\n    \
                    if os.fork() == 0:\n        \
                        x = bytearray(40 << 20)\n        \
                        for i in range(0, len(x), 4096): x[i] = 1\n        \
                        time.sleep(5); os._exit(0)\n\
                bad = sum(os.wait()[1] != 0 for n in range(20))\n\
                print('killed', bad > 0); raise SystemExit(1)";
    let outcome = bench.python(code).await;
    assert_eq!((outcome.reason(), outcome.out().as_str()), (Reason::OutOfMemory, "killed True\n"));
}

#[tokio::test]
async fn one_huge_file_meets_the_disk_limit() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.python("f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20))").await;
    assert_eq!(outcome.reason(), Reason::DiskLimit, "{outcome:?}");
    let text = String::from_utf8_lossy(&outcome.err).into_owned();
    assert!(text.contains("No space left") || text.contains("File too large"), "{text}");
}

#[tokio::test]
async fn many_files_meet_the_disk_limit() {
    let Some(bench) = bench().await else { return };
    let code = "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(b'x' * (1 << 20)); n += 1";
    assert_eq!(bench.python(code).await.reason(), Reason::DiskLimit);
}

#[tokio::test]
async fn other_writable_places_are_bounded() {
    let Some(bench) = bench().await else { return };
    let code = "import os\n\
                for place in ('/tmp', '/dev/shm', '/dev', '/', '/usr', '/run', '/etc', '/run/coderoom'):\n    \
                    n = 0\n    \
                    try:\n        \
                        for i in range(400): open(f'{place}/f{i}', 'wb').write(b'x' * (1 << 20)); n += 1\n    \
                    except OSError as e: print(place, n <= 64, n > 0)\n    \
                    for i in range(n + 1):\n        \
                        try: os.unlink(f'{place}/f{i}')\n        \
                        except OSError: pass";
    assert_eq!(
        bench.python(code).await.out(),
        "/tmp True True\n/dev/shm True True\n/dev True False\n/ True False\n/usr True False\n/run True False\n\
         /etc True False\n/run/coderoom True False\n"
    );
}

#[tokio::test]
async fn files_that_do_not_fit_are_told_before_the_command_runs() {
    let Some(bench) = bench().await else { return };
    let mut request = bench.request("echo ran", &[], &[("big.bin", &vec![7; 3 << 20])]).await;
    request.limits.disk_bytes = 1 << 20;
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!((outcome.reason(), outcome.out().as_str()), (Reason::DiskLimit, ""));
}

#[tokio::test]
async fn time_limit_asks_first_and_then_kills() {
    let Some(bench) = bench().await else { return };
    let polite = "import signal, sys, time\n\
                  signal.signal(15, lambda *_: (time.sleep(0.3), print('asked'), sys.exit(0)))\n\
                  time.sleep(60)";
    let outcome = bench.python_within(polite, |limits| (limits.wall_ms, limits.grace_ms) = (700, 5000)).await;
    assert_eq!((outcome.reason(), outcome.out().as_str()), (Reason::TimeLimit, "asked\n"));
    assert!(outcome.took.as_millis() < 4000, "{:?}", outcome.took);
    let deaf = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('deaf')\nwhile True: time.sleep(1)";
    let mut request = bench.request("exec python3 run.py", &[("run.py", deaf)], &[]).await;
    request.limits.wall_ms = 700;
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!((outcome.reason(), outcome.ending.signal), (Reason::TimeLimit, Some(9)));
    assert_eq!(outcome.out(), "deaf\n");
}

#[tokio::test]
async fn cpu_is_shared_by_all_processes() {
    let Some(bench) = bench().await else { return };
    if !bench.is_full() {
        return;
    }
    let code = "import os, time\n\
                os.fork()\n\
                end = time.time() + 1.5\n\
                while time.time() < end: pass";
    let outcome = bench.python_within(code, |limits| limits.cpu_millis = 200).await;
    assert!(outcome.ending.cpu_ms < Some(1000), "{:?}", outcome.ending.cpu_ms);
}
