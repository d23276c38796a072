//! Tests through the front door: a harness that starts the real binaries, and the scenarios that run on every deployment.
//!
//! Add a test here only when it needs the whole product; what one crate can show belongs beside that crate.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

pub use coderoom_services as services;

pub mod bench;
pub mod cluster;
pub mod control;
pub mod editor;
pub mod kubernetes;
pub mod person;
pub mod process;
pub mod scenarios;
pub mod server;
pub mod typist;
pub mod wait;
