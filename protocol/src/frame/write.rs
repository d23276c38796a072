//! Writing the server's frames. Each function appends one whole frame to `out`.
//!
//! `prefix` is the address with its length in front ([`address_prefix`]), made once per address a client
//! used, so that a frame for many costs one copy of the payload each.

use super::kind;
use crate::{
    lib0::{var_uint_len, write_bytes, write_string, write_var_uint},
    role::Role,
};

/// The bytes that begin every frame for `address`.
#[must_use]
pub fn address_prefix(address: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(address.len() + 2);
    write_string(&mut prefix, address);
    prefix
}

/// Here is what I have: a state vector.
pub fn sync_step1(out: &mut Vec<u8>, prefix: &[u8], state_vector: &[u8]) {
    sync(out, prefix, 0, state_vector);
}

/// Here is what you lack: an update.
pub fn sync_step2(out: &mut Vec<u8>, prefix: &[u8], update: &[u8]) {
    sync(out, prefix, 1, update);
}

/// Here is what just happened: an update.
pub fn sync_update(out: &mut Vec<u8>, prefix: &[u8], update: &[u8]) {
    sync(out, prefix, 2, update);
}

/// Bytes of the frame that [`sync_update`] (or a step) appends, for writing a WebSocket header first.
#[must_use]
pub fn sync_frame_len(prefix: &[u8], payload: &[u8]) -> usize {
    prefix.len() + 2 + var_uint_len(payload.len() as u64) + payload.len()
}

/// Presence: an encoded awareness update.
pub fn awareness(out: &mut Vec<u8>, prefix: &[u8], update: &[u8]) {
    begin(out, prefix, kind::AWARENESS, update.len() + 5);
    write_bytes(out, update);
}

/// Presence of nobody: every client takes it as a sign of life and does nothing. Clients hang up after
/// 30 s of silence.
pub fn keep_alive(out: &mut Vec<u8>, prefix: &[u8]) {
    awareness(out, prefix, &[0]);
}

/// The token is good: what the client may do with the document.
pub fn auth_ok(out: &mut Vec<u8>, prefix: &[u8], role: Role) {
    begin(out, prefix, kind::AUTH, 12);
    out.push(2);
    write_string(out, if role.may_edit() { "read-write" } else { "readonly" });
}

/// The token is not good for this document. The socket stays and the client may try again.
pub fn auth_denied(out: &mut Vec<u8>, prefix: &[u8], reason: &str) {
    begin(out, prefix, kind::AUTH, reason.len() + 6);
    out.push(1);
    write_string(out, reason);
}

/// Send me your token again.
pub fn auth_ask(out: &mut Vec<u8>, prefix: &[u8]) {
    begin(out, prefix, kind::AUTH, 1);
    out.push(0);
}

/// Text beside the document; on `@task` a control message as JSON.
pub fn stateless(out: &mut Vec<u8>, prefix: &[u8], text: &str) {
    begin(out, prefix, kind::STATELESS, text.len() + 5);
    write_string(out, text);
}

/// This document's connection ends; the socket stays.
pub fn close(out: &mut Vec<u8>, prefix: &[u8], reason: &str) {
    begin(out, prefix, kind::CLOSE, reason.len() + 5);
    write_string(out, reason);
}

/// The answer to one step 2 or update: stored, or refused. Clients count these, so each of theirs gets one.
pub fn sync_status(out: &mut Vec<u8>, prefix: &[u8], stored: bool) {
    begin(out, prefix, kind::SYNC_STATUS, 1);
    out.push(u8::from(stored));
}

/// Whole frame: are you there. Only for clients that [`super::understands_ping`].
pub const PING: [u8; 1] = [kind::PING];
/// Whole frame: I am.
pub const PONG: [u8; 1] = [kind::PONG];

fn sync(out: &mut Vec<u8>, prefix: &[u8], sort: u8, payload: &[u8]) {
    begin(out, prefix, kind::SYNC, payload.len() + 6);
    out.push(sort);
    write_bytes(out, payload);
}

fn begin(out: &mut Vec<u8>, prefix: &[u8], kind: u64, payload_len: usize) {
    out.reserve(prefix.len() + 1 + payload_len);
    out.extend_from_slice(prefix);
    write_var_uint(out, kind);
}
