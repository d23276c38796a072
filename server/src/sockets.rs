//! Sockets: the room socket (`/ws/tasks/{id}`) and the second door (`/yjs/{task}/{path}`).
//!
//! `routes` checks a request, `upgrade` makes it a stream, `connection` lives with it. What a client says goes through
//! `receive` (or `yjs_door`) to the room or to `control`; what it hears comes out of its outbox.

mod addresses;
mod attendance;
mod authenticate;
mod connection;
mod control;
mod drain;
mod follow_log;
mod lane;
mod rate;
mod receive;
mod requests;
mod routes;
mod say;
mod settings;
mod socket;
mod upgrade;
mod welcome;
mod wire;
mod yjs_door;

pub use routes::routes;
pub use settings::SocketSettings;
