//! What crosses a wire in coderoom, and nothing else: frames of the room socket, control messages,
//! run and log records, paths and error codes. No I/O happens here, except in the feature `client`.
//!
//! This crate knows no other crate of the workspace. Whatever derives `Serialize` here is a promise
//! to clients; internal types of the other crates are never serialised to a socket.
#![deny(missing_docs)]

pub mod address;
pub mod awareness;
#[cfg(feature = "client")]
pub mod client;
pub mod control;
pub mod frame;
pub mod gate;
pub mod ids;
pub mod lib0;
#[cfg(test)]
mod mutations;
pub mod path;
pub mod people;
pub mod problem;
#[cfg(test)]
mod random_edits;
pub mod role;
pub mod run;
pub mod split;
pub mod supervisor;
pub mod task;
pub mod tree;
pub mod typescript;
pub mod y_frame;
