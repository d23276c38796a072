//! The log: bytes as they were written, frames that cannot be forged, the cap.

use super::bench::bench;

#[tokio::test]
async fn any_bytes_arrive_as_written() {
    let Some(bench) = bench().await else { return };
    let code = "import sys\nfor n in range(3):\n    sys.stdout.buffer.write(bytes(range(256)))\nsys.stdout.flush()";
    let outcome = bench.python(code).await;
    let all: Vec<u8> = (0..3).flat_map(|_| 0..=255).collect();
    assert_eq!(outcome.out, all);
}

#[tokio::test]
async fn standard_error_is_apart_and_in_order() {
    let Some(bench) = bench().await else { return };
    let outcome = bench.sh("for n in 1 2 3; do echo o$n; sleep 0.05; echo e$n >&2; sleep 0.05; done").await;
    assert_eq!(outcome.out(), "o1\no2\no3\n");
    assert_eq!(outcome.err, b"e1\ne2\ne3\n");
    assert_eq!(outcome.log, b"o1\ne1\no2\ne2\no3\ne3\n");
}

#[tokio::test]
async fn lines_arrive_while_the_program_runs() {
    let Some(bench) = bench().await else { return };
    let request = bench.request("echo now; sleep 1; echo later", &[], &[]).await;
    let since = tokio::time::Instant::now();
    let outcome = bench.executor.start(&request).await.unwrap();
    let started = since.elapsed();
    let mut outcome = outcome;
    let first = loop {
        let frame = outcome.next_frame().await.unwrap().unwrap();
        if let coderoom_protocol::supervisor::Body::Output { bytes, .. } = frame.body {
            break bytes;
        }
    };
    eprintln!("start returned after {started:?}, first line after {:?}", since.elapsed());
    assert_eq!(first, b"now\n");
    assert!(since.elapsed().as_millis() < 900, "the first line waited for the second");
    outcome.remove().await;
}

#[tokio::test]
async fn frames_cannot_be_forged() {
    let Some(bench) = bench().await else { return };
    let forged = "00000000000000000000000000000000 0 end 0 {\"reason\":\"exit_code\",\"exit_code\":0}";
    let code = format!(
        "import os\n\
         line = '''{forged}\\n'''\n\
         print(line, end='', flush=True)\n\
         for fd in range(0, 100):\n    \
             if fd in (1, 2): continue\n    \
             try: os.write(fd, line.encode())\n    \
             except OSError: pass\n\
         for path in ('/proc/1/fd/1', '/proc/self/fd/0', '/dev/fd/3'):\n    \
             try: open(path, 'w').write(line); print('wrote', path)\n    \
             except OSError: pass\n\
         raise SystemExit(3)"
    );
    let outcome = bench.python(&code).await;
    assert_eq!(outcome.ending.exit_code, Some(3));
    let out = outcome.out();
    assert!(out.starts_with(forged), "{out}");
    assert!(!out.contains("wrote /proc/1"), "{out}");
}

#[tokio::test]
async fn command_has_no_descriptors_but_the_standard_three() {
    let Some(bench) = bench().await else { return };
    let code = "import os\n\
                for fd in os.listdir('/proc/self/fd'):\n    \
                    try: print(fd, os.readlink('/proc/self/fd/' + fd).split(':')[0])\n    \
                    except OSError: pass";
    assert_eq!(bench.python(code).await.out(), "0 /dev/null\n1 pipe\n2 pipe\n");
}

#[tokio::test]
async fn endless_output_keeps_head_and_tail_and_the_program_goes_on() {
    let Some(bench) = bench().await else { return };
    let code = "print('first')\nfor n in range(300000):\n    print('line', n, 'x' * 30)\nprint('last')";
    let outcome = bench.python_within(code, |limits| limits.log_bytes = 1 << 20).await;
    let log = String::from_utf8(outcome.log).unwrap();
    assert!(outcome.ending.truncated);
    assert_eq!(outcome.ending.exit_code, Some(0));
    assert!(log.starts_with("first\nline 0 "), "head is gone");
    assert!(log.ends_with("last\n"), "tail is gone");
    assert!(log.len() <= 1 << 20, "{} bytes", log.len());
    assert!(String::from_utf8(outcome.sys).unwrap().contains("MiB of output left out"));
}

#[tokio::test]
async fn endless_output_ends_with_the_time_limit() {
    let Some(bench) = bench().await else { return };
    let mut request = bench.request("yes 'spam spam spam'", &[], &[]).await;
    request.limits.wall_ms = 1500;
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!(outcome.reason(), coderoom_protocol::run::Reason::TimeLimit);
    assert!(outcome.ending.truncated);
    assert!(outcome.took.as_secs() < 10, "{:?}", outcome.took);
}

#[tokio::test]
async fn large_log_is_complete() {
    let Some(bench) = bench().await else { return };
    let lines = 200_000;
    let mut request = bench.request(&format!("seq -f '%099.0f' {lines}"), &[], &[]).await;
    request.limits.log_bytes = 64 << 20;
    let outcome = bench.run(&request).await.unwrap();
    assert_eq!(outcome.out.len(), lines * 100);
    let out = String::from_utf8(outcome.out).unwrap();
    assert!(out.lines().enumerate().all(|(index, line)| line.trim_start_matches('0') == (index + 1).to_string()));
    eprintln!("{} MB in {:?}", lines / 10_000, outcome.took);
}
