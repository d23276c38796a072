//! The backing services, each a port with an embedded twin and a cluster twin: tables (SQLite |
//! PostgreSQL), objects (directory | S3), bus (in process | Redis), queue (in process | RabbitMQ).
//!
//! Nothing of the product lives here: no table's name, no object's key, no topic. A port is an enum
//! over its twins, and each port has one contract suite that every twin passes.

pub mod bus;
pub mod clock;
pub mod fault_point;
pub mod objects;
pub mod queue;
pub mod tables;
