//! The run engine over the real embedded services in a temporary directory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing step fails the test")]

mod crash;
mod drive;
mod fairness;
mod follow;
mod place;
mod queue;
mod services;
mod stop;
mod submit;
mod workers;
