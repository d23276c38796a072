//! What merging costs. Honest edits need about a microsecond each, however large the document. Edits that somebody wrote so
//! that all meet at one place, or that cut one text again and again, need time that grows with their square: such a document
//! would cost seconds whenever it is read. So the CPU time beyond what honest edits need is measured, and bounded.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What an edit may cost, whatever it is …
const PER_EDIT: Duration = Duration::from_micros(50);
/// … and each of its bytes.
const PER_BYTE: Duration = Duration::from_micros(2);

/// The CPU time of this thread from here on.
pub(super) struct Meter(Duration);

impl Meter {
    pub(super) fn start() -> Self {
        Self(cpu_time())
    }

    /// What these edits cost beyond what they may.
    pub(super) fn excess(&self, edits: u64, bytes: u64) -> Duration {
        let allowed = PER_EDIT.as_micros() as u64 * edits + PER_BYTE.as_micros() as u64 * bytes;
        cpu_time().saturating_sub(self.0).saturating_sub(Duration::from_micros(allowed))
    }
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Does work that may take long where it holds nobody else up; a runtime with one thread has no such place.
pub(super) fn aside<T>(is_long: bool, work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let can = || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if is_long && can() { tokio::task::block_in_place(work) } else { work() }
}
