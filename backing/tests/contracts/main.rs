//! One suite per port: what every twin must hold. `embedded.rs` runs them on the embedded twins; a cluster twin
//! gets a file beside it that runs the same functions. What only an embedded twin can be asked (a killed process,
//! a full disk) stands in files of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod bus;
mod crash;
mod embedded;
mod full_disk;
mod objects;
mod postgres;
mod queue;
mod rabbitmq;
mod rabbitmq_faults;
mod redis;
mod redis_faults;
mod s3;
mod service;
mod tables;
mod wait;
