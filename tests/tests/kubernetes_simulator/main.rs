//! The Kubernetes simulator through the `kube` crate, as the executor uses it: jobs, watches, logs, and each misbehaviour.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and says why")]

mod bench;
mod faults;
mod logs;
mod objects;
