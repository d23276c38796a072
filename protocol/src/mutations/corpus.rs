//! The seed corpus, built into the tests.

use crate::lib0::Reader;

/// The text of the recorded session.
pub(super) const TEXT: &str = include_str!("../../corpus/text.txt");

pub(super) fn updates() -> Vec<&'static [u8]> {
    items(include_bytes!("../../corpus/updates.bin"))
}

pub(super) fn states() -> Vec<&'static [u8]> {
    items(include_bytes!("../../corpus/states.bin"))
}

pub(super) fn state_vectors() -> Vec<&'static [u8]> {
    items(include_bytes!("../../corpus/state-vectors.bin"))
}

pub(super) fn awareness() -> Vec<&'static [u8]> {
    items(include_bytes!("../../corpus/awareness.bin"))
}

/// Control messages, one a line.
pub(super) fn control() -> Vec<&'static [u8]> {
    include_str!("../../corpus/control.txt").lines().map(str::as_bytes).collect()
}

fn items(file: &'static [u8]) -> Vec<&'static [u8]> {
    let mut reader = Reader::new(file);
    let mut items = Vec::new();
    while !reader.is_empty() {
        items.push(reader.var_bytes().expect("the corpus is whole"));
    }
    items
}
