//! Sockets: the room socket (`/ws/tasks/{id}`) and the second door (`/yjs/{task}/{path}`).

mod settings;

pub use settings::SocketSettings;
