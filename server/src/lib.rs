//! The coderoom server: sockets, rooms, documents, tasks, people and HTTP, put together by `assemble`.
//!
//! Sockets use rooms and runs; rooms use documents and the bus; nothing imports sockets but the routes.

pub mod app;
pub mod assemble;
pub mod cli;
pub mod config;
mod counted;
pub mod http;
pub mod people;
mod percent;
pub mod rooms;
pub mod sockets;
pub mod submit;
pub mod tasks;
pub mod telemetry;
