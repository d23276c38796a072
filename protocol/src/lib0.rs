//! The lib0 encodings under every frame and update: varUint, varString, varBytes.
//!
//! Reading never panics, never allocates, and never trusts a declared size: a length that runs past
//! the input is an error before anything is done with it.
//! Format: <https://github.com/dmonad/lib0> (`encoding.js`, `decoding.js`).

mod read;
mod write;

pub use read::{ReadError, Reader};
pub use write::{var_uint_len, write_bytes, write_string, write_var_uint};

/// Largest whole number that JavaScript keeps exactly: 2^53 - 1. Client ids and lengths stay below it.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
