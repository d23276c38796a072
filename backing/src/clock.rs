//! The one place that reads the wall clock, so that a test can move it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Wall clock in milliseconds since the Unix epoch. Clones share one offset.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Added to the system's time; also held by the test that moves the clock.
    offset_ms: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { offset_ms: Arc::new(AtomicI64::new(offset_of_this_process())) }
    }
}

/// How far the clock of this process is off, in milliseconds: not at all, unless a test says so. Never in release builds.
fn offset_of_this_process() -> i64 {
    if !cfg!(debug_assertions) {
        return 0;
    }
    std::env::var("CODEROOM_TEST_CLOCK_OFFSET_MS").ok().and_then(|offset| offset.parse().ok()).unwrap_or(0)
}

impl Clock {
    /// Now, in milliseconds since the Unix epoch.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock type")]
    pub fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX) + self.offset_ms.load(Ordering::Relaxed)
    }

    /// Moves this clock and all its clones by `delta_ms`, as a jumping system clock would.
    pub fn jump(&self, delta_ms: i64) {
        self.offset_ms.fetch_add(delta_ms, Ordering::Relaxed);
    }
}
