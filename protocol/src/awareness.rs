//! Presence: reading and writing awareness updates (y-protocols). The state of each client is JSON,
//! kept as the text that came.
//!
//! Format: `varUint count`, then each `varUint client, varUint clock, varString JSON or "null"`.

use serde::de::IgnoredAny;
use thiserror::Error;

use crate::lib0::{MAX_SAFE_INTEGER, ReadError, Reader, write_string, write_var_uint};

/// Most entries in one update. A client that answers a query sends all it knows of.
pub const MAX_ENTRIES: usize = 1024;
/// Longest state of one client in bytes of JSON: a name, a colour, a cursor, a small picture's URL.
pub const MAX_STATE_BYTES: usize = 8 * 1024;
/// Deepest nesting of a state: far above what editors send, far below what readers that recurse can bear.
pub const MAX_STATE_DEPTH: usize = 64;

/// What one client says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The client id, below 2^53.
    pub client: u64,
    /// Counts the client's changes; receivers keep the highest.
    pub clock: u32,
    /// A JSON object as text; `None` when the client is gone.
    pub state: Option<&'a str>,
}

/// Why an awareness update is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AwarenessError {
    /// The bytes do not hold what they should.
    #[error("the awareness update {0}")]
    Malformed(#[from] ReadError),
    /// More than [`MAX_ENTRIES`].
    #[error("the awareness update has more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// Longer than [`MAX_STATE_BYTES`].
    #[error("the state of a client is longer than {MAX_STATE_BYTES} bytes")]
    StateTooLong,
    /// Neither a JSON object nor `null`. Passed on, it would throw in every client.
    #[error("the state of a client is not a JSON object")]
    NotAnObject,
    /// Nested deeper than [`MAX_STATE_DEPTH`].
    #[error("the state of a client is nested deeper than {MAX_STATE_DEPTH} levels")]
    TooDeep,
}

/// Reads an awareness update. An empty one (a sign of life) has no entries and costs no allocation.
pub fn parse(update: &[u8]) -> Result<Vec<Entry<'_>>, AwarenessError> {
    let mut reader = Reader::new(update);
    // Client, clock and the length of the state: three bytes at least.
    let count = reader.count(3)?;
    if count > MAX_ENTRIES {
        return Err(AwarenessError::TooManyEntries);
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let client = reader.var_uint(MAX_SAFE_INTEGER)?;
        let clock = reader.var_uint(u64::from(u32::MAX))? as u32;
        let text = reader.var_string()?;
        entries.push(Entry { client, clock, state: check_state(text)? });
    }
    Ok(entries)
}

fn check_state(text: &str) -> Result<Option<&str>, AwarenessError> {
    if text == "null" {
        return Ok(None);
    }
    if text.len() > MAX_STATE_BYTES {
        return Err(AwarenessError::StateTooLong);
    }
    if !text.starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Err(AwarenessError::NotAnObject);
    }
    if depth(text) > MAX_STATE_DEPTH { Err(AwarenessError::TooDeep) } else { Ok(Some(text)) }
}

/// How deep arrays and objects of a valid JSON text are nested.
fn depth(json: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => {
                bytes.next();
            }
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Appends an awareness update with `entries` (each state a JSON object as text).
pub fn encode<'a>(out: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = Entry<'a>>) {
    write_var_uint(out, entries.len() as u64);
    for entry in entries {
        write_var_uint(out, entry.client);
        write_var_uint(out, u64::from(entry.clock));
        write_string(out, entry.state.unwrap_or("null"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, entries.iter().copied());
        out
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let entries = [
            Entry { client: 42, clock: 0, state: Some("{}") },
            Entry { client: MAX_SAFE_INTEGER, clock: u32::MAX, state: Some(r#"{"user":{"name":"小明"}}"#) },
            Entry { client: 1, clock: 7, state: None },
        ];
        assert_eq!(parse(&encoded(&entries)), Ok(entries.to_vec()));
        assert_eq!(parse(&[0]), Ok(vec![]));
    }

    #[test]
    fn states_that_are_no_objects_are_refused() {
        for state in ["", "[]", "1", "\"x\"", "{", "{\"a\":}", " {}", "{}x", "undefined"] {
            let update = encoded(&[Entry { client: 1, clock: 1, state: Some(state) }]);
            assert_eq!(parse(&update), Err(AwarenessError::NotAnObject), "{state}");
        }
    }

    #[test]
    fn number_and_size_of_entries_are_bounded() {
        let many = vec![Entry { client: 1, clock: 1, state: None }; MAX_ENTRIES + 1];
        assert_eq!(parse(&encoded(&many)), Err(AwarenessError::TooManyEntries));
        assert!(parse(&encoded(&many[1..])).is_ok());
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_STATE_BYTES - 8));
        assert_eq!(text.len(), MAX_STATE_BYTES);
        assert!(parse(&encoded(&[Entry { client: 1, clock: 1, state: Some(&text) }])).is_ok());
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_STATE_BYTES - 7));
        let update = encoded(&[Entry { client: 1, clock: 1, state: Some(&text) }]);
        assert_eq!(parse(&update), Err(AwarenessError::StateTooLong));
    }

    #[test]
    fn depth_of_a_state_is_bounded() {
        let nested = |levels: usize| format!("{{\"a\\\"[[[\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let parsed = |state: &str| parse(&encoded(&[Entry { client: 1, clock: 1, state: Some(state) }])).map(|_| ());
        assert_eq!(parsed(&nested(MAX_STATE_DEPTH)), Ok(()));
        assert_eq!(parsed(&nested(MAX_STATE_DEPTH + 1)), Err(AwarenessError::TooDeep));
        assert_eq!(parsed(&nested(3000)), Err(AwarenessError::TooDeep));
    }

    #[test]
    fn declared_counts_cost_nothing() {
        // 400 million entries in five bytes: yrs touches 513 MiB for a message like this.
        assert_eq!(parse(&[0x80, 0x88, 0xde, 0xbe, 0x01]), Err(ReadError::Truncated.into()));
    }
}
