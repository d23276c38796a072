//! All processes of a pod have one user; still the user's code learns nothing of process 1 and writes no frame.

use super::bench::Pod;

#[test]
fn users_code_cannot_reach_the_supervisor() {
    let script = r#"
        p=$PPID
        cat /proc/$p/environ && echo possible: environ
        dd if=/proc/$p/mem of=/dev/null bs=1 count=1 skip=4096 && echo possible: mem
        ls /proc/$p/fd/ && echo possible: fd
        (echo forged > /proc/$p/fd/1) && echo possible: stdout
        cat /proc/$p/maps && echo possible: maps
        tr '\0' '\n' < /proc/$p/cmdline
        for own in /proc/self/fd/*; do readlink $own; done
        env
        echo done
    "#;
    // Without a shell in between, the parent is the supervisor.
    let said = Pod::new("exec sh run.sh", &[("run.sh", script)], &[]).run();
    let out = said.out();
    assert!(out.ends_with("done\n"), "{out}");
    assert!(!out.contains("possible: "), "{out}");
    for secret in [super::bench::NONCE, "signature"] {
        assert!(!out.contains(secret), "{secret} is known to the user's code: {out}");
    }
}

#[test]
fn printed_frame_is_payload() {
    let line = format!("{} 5 end 1 {{}}", super::bench::NONCE);
    let said = Pod::new(&format!("echo '{line}'"), &[], &[]).run();
    assert_eq!((said.out(), said.ending.exit_code), (format!("{line}\n"), Some(0)));
}
