//! The cluster's wall clock: nanoseconds that always rise, in the texts the API uses. Can be put off, as a node's clock may be.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use coderoom_backing::clock::Clock;
use jiff::Timestamp;

/// Wall clock of the simulated cluster.
#[derive(Debug)]
pub(super) struct WallClock {
    base_ns: i128,
    began: Instant,
    /// Added by a test that puts the clock off; milliseconds.
    offset_ms: AtomicI64,
}

impl WallClock {
    pub(super) fn new() -> Self {
        let base_ns = i128::from(Clock::default().now_ms()) * 1_000_000;
        Self { base_ns, began: Instant::now(), offset_ms: AtomicI64::new(0) }
    }

    /// Puts the clock off by `delta_ms` more.
    pub(super) fn jump(&self, delta_ms: i64) {
        self.offset_ms.fetch_add(delta_ms, Ordering::Relaxed);
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn now_ns(&self) -> i128 {
        let elapsed = i128::try_from(self.began.elapsed().as_nanos()).unwrap_or_default();
        self.base_ns + elapsed + i128::from(self.offset_ms.load(Ordering::Relaxed)) * 1_000_000
    }

    /// Whole seconds, as in `creationTimestamp`.
    pub(super) fn now(&self) -> String {
        seconds(self.now_ns())
    }
}

/// `2026-11-22T06:29:27Z`: cut, not rounded, as the API does.
pub(super) fn seconds(ns: i128) -> String {
    stamp(ns, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-11-22T06:29:27.379728Z`, as in `eventTime`.
pub(super) fn micros(ns: i128) -> String {
    stamp(ns, "%Y-%m-%dT%H:%M:%S%.6fZ")
}

fn stamp(ns: i128, format: &str) -> String {
    Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH).strftime(format).to_string()
}

/// Reads an RFC 3339 time; nanoseconds since the Unix epoch.
pub(super) fn parse(text: &str) -> Option<i128> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}
