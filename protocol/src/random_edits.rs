//! For tests: random sessions of several people who edit one text at once, made with yrs.

use proptest::prelude::*;
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, Text, TextRef, Transact, TransactionMut, Update, block::ClientID,
    updates::decoder::Decode,
};

use crate::gate::ROOT;

/// What is typed; lengths in UTF-16 units differ from those in bytes and in characters.
const WORDS: [&str; 8] = ["x", "hello ", "\n", "文件", "é", "😀", "👩‍👩‍👧", "def f(a):\n    return a\n"];

/// One step of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Person, place (a fraction of the text in 1/256), word.
    Type(usize, u8, usize),
    /// Person, place, units.
    Remove(usize, u8, u8),
    /// One gets what the other has.
    Exchange(usize, usize),
}

/// Sessions of at most `max` steps among four people.
pub(crate) fn session(max: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_usize, any::<u8>(), 0..WORDS.len()).prop_map(|(who, at, word)| Step::Type(who, at, word)),
        2 => (0..4_usize, any::<u8>(), 1..6_u8).prop_map(|(who, at, len)| Step::Remove(who, at, len)),
        2 => (0..4_usize, 0..4_usize).prop_map(|(one, other)| Step::Exchange(one, other)),
    ];
    prop::collection::vec(step, 1..max)
}

/// An empty document that counts as JavaScript does.
pub(crate) fn document(client: u64) -> Doc {
    let options = Options { client_id: ClientID::new(client), offset_kind: OffsetKind::Utf16, ..Options::default() };
    let doc = Doc::with_options(options);
    doc.get_or_insert_text(ROOT);
    doc
}

/// Does one thing to the text and gives the update it made.
pub(crate) fn edit(doc: &Doc, change: impl FnOnce(&TextRef, &mut TransactionMut<'_>)) -> Vec<u8> {
    let text = doc.get_or_insert_text(ROOT);
    let mut txn = doc.transact_mut();
    change(&text, &mut txn);
    txn.encode_update_v1()
}

/// The text of a document.
pub(crate) fn text_of(doc: &Doc) -> String {
    doc.get_or_insert_text(ROOT).get_string(&doc.transact())
}

/// Everything a document has, as one update.
pub(crate) fn state_of(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&yrs::StateVector::default())
}

/// Applies an update that must be good.
pub(crate) fn apply(doc: &Doc, update: &[u8]) {
    doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
}

/// Plays a session; gives the document that has everything, and every update in the order it was made.
pub(crate) fn play(steps: &[Step]) -> (Doc, Vec<Vec<u8>>) {
    let people: Vec<Doc> = [3, 70_000, 4_000_000_000, (1 << 53) - 5].map(document).into();
    let mut updates = Vec::new();
    for step in steps {
        match *step {
            Step::Type(who, at, word) => {
                let update = edit(&people[who], |text, txn| {
                    let at = place(text, txn, at);
                    text.insert(txn, at, WORDS[word]);
                });
                updates.push(update);
            }
            Step::Remove(who, at, len) => {
                let update = edit(&people[who], |text, txn| {
                    let at = place(text, txn, at);
                    let len = u32::from(len).min(text.len(txn) - at);
                    if len > 0 {
                        text.remove_range(txn, at, len);
                    }
                });
                updates.push(update);
            }
            Step::Exchange(one, other) => {
                let known = people[one].transact().state_vector();
                let diff = people[other].transact().encode_state_as_update_v1(&known);
                apply(&people[one], &diff);
            }
        }
    }
    let all = document(1);
    for person in &people {
        apply(&all, &state_of(person));
    }
    (all, updates)
}

fn place(text: &TextRef, txn: &TransactionMut<'_>, fraction: u8) -> u32 {
    (u64::from(text.len(txn)) * u64::from(fraction) / 255) as u32
}
