//! An async client: HTTP with JSON ([`ApiClient`]) and the room socket ([`RoomClient`]). Used by the command
//! line, by scenarios and by benchmarks. It knows the wire and no CRDT: updates are bytes.

mod api;
mod document;
mod error;
mod room;
mod upgrade;

pub use api::ApiClient;
pub use document::{Opened, Pushed};
pub use error::ClientError;
pub use room::{RoomClient, RoomEvent, RoomMode};

/// Makes `ring` the process's provider of cryptography if none is chosen yet; TLS connections need one.
pub fn install_crypto_provider() {
    // The error says that somebody chose one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
