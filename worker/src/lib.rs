//! The run engine: rows of runs and their moves, the claim, executors, the log, reconciliation.
//! `coderoom serve` runs it beside the rooms, `coderoom worker` alone.
//!
//! It knows tasks only as ids: what a snapshot contains is decided by whoever submits. [`runs::Runs`] is the
//! handle for everybody who submits, stops, lists or reads a log; [`engine::Engine`] executes.

pub mod announce;
mod claim;
pub mod engine;
pub mod executor;
mod fault;
pub mod language;
pub mod limits;
pub mod log;
mod moves;
mod reconcile;
pub mod runs;
pub mod schema;
pub mod snapshot;
pub mod storage;
pub mod supervisor;
