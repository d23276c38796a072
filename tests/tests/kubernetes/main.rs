//! The Kubernetes executor. Module `runs` also runs on a real cluster (`make test-kubernetes`, which says how one is given);
//! module `faults` needs the simulator's misbehaviour.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and says why")]

mod bench;
mod faults;
mod runs;
