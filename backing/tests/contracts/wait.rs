//! Waiting with a reason.

use std::{future::Future, time::Duration};

/// Longer than anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The result of `future`, or a panic that says what did not happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within {LIMIT:?}: {what}"),
    }
}

/// Long enough that a future which could be ready would be.
pub(crate) async fn still_pending<T: std::fmt::Debug>(what: &str, future: impl Future<Output = T>) {
    if let Ok(value) = tokio::time::timeout(Duration::from_millis(50), future).await {
        panic!("should not happen yet: {what}: {value:?}");
    }
}
