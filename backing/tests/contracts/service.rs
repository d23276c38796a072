//! The real services that cluster twins are tried on, named by the environment; `coderoom-services COMMAND` starts them.

use std::sync::atomic::{AtomicU64, Ordering};

/// The URL in `variable`. Without it a test of a cluster twin fails; it must not pass by not running.
pub(crate) fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run this below `coderoom-services`, which starts the service")
    })
}

/// A name that no other test has, now or in another process.
pub(crate) fn own_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = coderoom_backing::clock::Clock::default().now_ms();
    format!("test-{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A test for each claim of a suite, on what a function opens: a twin on the service, with a name of its own.
macro_rules! on_service {
    ($port:ident, $open:path, $($claim:ident),* $(,)?) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let port = $open().await;
                crate::$port::$claim(&port).await;
            })*
        }
    };
}
pub(crate) use on_service;
