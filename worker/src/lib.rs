//! The run engine: rows of runs and their moves, the claim, executors, the log, reconciliation.
//! `coderoom serve` runs it beside the rooms, `coderoom worker` alone.
//!
//! It knows tasks only as ids: what a snapshot contains is decided by whoever submits.

pub mod announce;
pub mod executor;
pub mod language;
pub mod snapshot;
