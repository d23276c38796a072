//! Tasks, files, uploads and archives on real tables and objects, and the HTTP routes that lead there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

mod archives;
mod bench;
mod let_go;
mod snapshots;
mod sweep;
mod tree;
mod web;
mod web_runs;
