//! Tests through the front door: a harness that starts the real binaries, and the scenarios that run on every deployment.
//!
//! Add a test here only when it needs the whole product; what one crate can show belongs beside that crate.

pub mod person;
pub mod scenarios;
pub mod server;
pub mod wait;
