//! The tests of the run engine once more, over PostgreSQL, Redis and RabbitMQ.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing step fails the test")]

#[path = "../engine/crash.rs"]
mod crash;
#[path = "../engine/drive.rs"]
mod drive;
#[path = "../engine/fairness.rs"]
mod fairness;
#[path = "../engine/follow.rs"]
mod follow;
#[path = "../engine/place.rs"]
mod place;
#[path = "../engine/queue.rs"]
mod queue;
mod services;
#[path = "../engine/stop.rs"]
mod stop;
#[path = "../engine/submit.rs"]
mod submit;
#[path = "../engine/workers.rs"]
mod workers;
