//! Waiting for a service, with the reason of the last failure.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a service may take to be ready. Generous: machines are shared, and RabbitMQ takes ten seconds on a loaded one.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Tries a whole start this often: another process may take a chosen port before the service does.
const STARTS: u32 = 3;

/// Asks `look` until it gives `Ok(true)`. An `Err` ends it at once: the service is dead.
pub(crate) fn until_ready(what: &str, mut look: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !look()? {
        if Instant::now() > deadline {
            return Err(format!("{what} is not ready after {PATIENCE:?}"));
        }
        sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Starts something, with new ports when it fails.
pub(crate) fn start_on_free_ports<T>(mut start: impl FnMut() -> Result<T, String>) -> T {
    let mut failed = String::new();
    for _ in 0..STARTS {
        match start() {
            Ok(service) => return service,
            Err(why) => failed = why,
        }
    }
    panic!("{failed}");
}
