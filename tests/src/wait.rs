//! Waiting for a condition that explains itself: a time-out reports what was still missing.

use std::{fmt::Display, future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// How long a test waits before it reports what is missing. Generous: machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `look` until it gives `Ok`, or fails with the sentence of its last `Err`.
///
/// # Panics
/// When the patience ends.
pub async fn until<T, E: Display, F: Future<Output = Result<T, E>>>(look: impl FnMut() -> F) -> T {
    until_within(PATIENCE, look).await
}

/// The same with a patience of the caller's.
///
/// # Panics
/// When the patience ends.
pub async fn until_within<T, E: Display, F: Future<Output = Result<T, E>>>(
    patience: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(missing) => assert!(Instant::now() < deadline, "still after {patience:?}: {missing}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}
