//! Places at which a test lets a process die, as exactly as no signal from outside could hit. In release builds they are nothing.

/// Kills this process (SIGKILL) if a test asks for it: if there is a file of this name in the directory that
/// `CODEROOM_TEST_DIE_AT` names. The file goes first, so that the process can be started again.
pub fn fault_point(name: &str) {
    #[cfg(debug_assertions)]
    die(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
fn die(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    let Some(directory) = std::env::var_os("CODEROOM_TEST_DIE_AT") else { return };
    if std::fs::remove_file(std::path::Path::new(&directory).join(name)).is_ok() {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
