//! Private backing services for tests: real PostgreSQL, Redis, RabbitMQ and an S3 store, each started as a child of the
//! test on free loopback ports with a data directory of its own. They can be killed, frozen and started again.
//!
//! All calls block for as long as the service takes (RabbitMQ a few seconds); in async tests that is meant, or wrap them
//! in `spawn_blocking`: no service depends on the thread that started it. A service dies with the process that started it,
//! however that ends. Every function here panics, with what the service said, when the service does not do as told.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, and says why")]

mod ceph;
mod database;
mod directory;
mod ports;
mod postgres;
mod process;
mod rabbitmq;
mod redis;
mod wait;

pub use self::{
    ceph::Ceph, database::Database, directory::remove_afterwards, postgres::Postgres, rabbitmq::RabbitMq, redis::Redis,
};
