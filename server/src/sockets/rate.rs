//! Slows down reading from a client that sends faster than it may. It is never closed for it: its own queue fills,
//! and TCP tells it to wait.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::SocketSettings;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts what a client sent in the current second. The clock is read only when the allowance is used up.
#[derive(Debug)]
pub(super) struct Rate {
    frames_left: u32,
    bytes_left: usize,
    window_began: Instant,
}

impl Rate {
    pub(super) fn new(settings: &SocketSettings) -> Self {
        Self {
            frames_left: settings.max_frames_per_second,
            bytes_left: settings.max_bytes_per_second,
            window_began: Instant::now(),
        }
    }

    /// Counts a frame; `true` when the allowance is used up and [`Self::wait`] is due.
    pub(super) fn count(&mut self, bytes: usize) -> bool {
        self.frames_left = self.frames_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.frames_left == 0 || self.bytes_left == 0
    }

    /// Waits until the second is over, if it is not, and begins the next.
    pub(super) async fn wait(&mut self, settings: &SocketSettings) {
        let until = self.window_began + WINDOW;
        if until > Instant::now() {
            metrics::counter!("coderoom_socket_slowed_total").increment(1);
            sleep_until(until).await;
        }
        *self = Self::new(settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn client_over_its_allowance_waits_for_the_next_second() {
        let settings =
            SocketSettings { max_frames_per_second: 10, max_bytes_per_second: 1000, ..SocketSettings::default() };
        let begin = Instant::now();
        let mut rate = Rate::new(&settings);
        for _ in 0..35 {
            if rate.count(1) {
                rate.wait(&settings).await;
            }
        }
        assert_eq!(begin.elapsed().as_secs(), 3);
        assert!(rate.count(1000), "bytes count too");
    }
}
