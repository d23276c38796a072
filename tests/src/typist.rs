//! Makes the updates of somebody who types one character after the other at the end of what they wrote, in constant time
//! and without a document: benchmarks must not spend their time in a client's CRDT.

use coderoom_protocol::lib0::{write_string, write_var_uint};

/// One typing client of one document.
#[derive(Clone, Debug)]
pub struct Typist {
    client: u64,
    clock: u64,
}

impl Typist {
    /// A typist who has not typed yet. `client` must be new in the document.
    #[must_use]
    pub fn new(client: u64) -> Self {
        Self { client, clock: 0 }
    }

    /// The update (Yjs v1) of the next character.
    pub fn next_update(&mut self) -> Vec<u8> {
        self.next_text("x")
    }

    /// The update of a longer text (ASCII) typed at once.
    pub fn next_text(&mut self, text: &str) -> Vec<u8> {
        const STRING: u8 = 4;
        const HAS_ORIGIN: u8 = 0x80;
        let mut out = Vec::with_capacity(24 + text.len());
        out.extend([1, 1]);
        write_var_uint(&mut out, self.client);
        write_var_uint(&mut out, self.clock);
        if self.clock == 0 {
            out.extend([STRING, 1]);
            write_string(&mut out, "source");
        } else {
            out.push(STRING | HAS_ORIGIN);
            write_var_uint(&mut out, self.client);
            write_var_uint(&mut out, self.clock - 1);
        }
        write_string(&mut out, text);
        out.push(0);
        self.clock += text.len() as u64;
        out
    }
}

#[cfg(test)]
mod tests {
    use yrs::{Doc, GetString, ReadTxn, Transact, Update, WriteTxn, updates::decoder::Decode};

    use super::Typist;

    #[test]
    fn what_is_typed_is_what_yrs_reads() {
        let doc = Doc::new();
        let mut typist = Typist::new(4_000_000_000);
        for text in ["a", "bc", "d"] {
            let update = Update::decode_v1(&typist.next_text(text)).unwrap();
            let mut txn = doc.transact_mut();
            txn.get_or_insert_text("source");
            txn.apply_update(update).unwrap();
        }
        let txn = doc.transact();
        assert_eq!(txn.get_text("source").unwrap().get_string(&txn), "abcd");
    }
}
