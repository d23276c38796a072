//! Parts against the whole, with random documents.

use proptest::prelude::*;

use super::*;
use crate::{
    gate::{self, StateVector},
    random_edits::{apply, document, edit, play, session, state_of, text_of},
};

/// What stands at each clock: client, clock, left and right neighbour when it was made, and its text; and the delete set's
/// size in bytes. How many units one block holds is left to the encoder: what came in parts is not always joined again.
type Unit = (u64, u32, Option<BlockId>, Option<BlockId>, Option<u16>);

fn units(update: &[u8]) -> (Vec<Unit>, usize) {
    const GARBAGE: u8 = 0;
    let (sections, delete_set) = read_sections(update).expect("an encoder's update");
    let mut units = Vec::new();
    for section in &sections {
        for piece in &section.blocks {
            let text: Vec<u16> = piece.text.unwrap_or_default().encode_utf16().collect();
            for clock in piece.clock..piece.clock + piece.len {
                let within = clock > piece.clock && piece.bytes[0] != GARBAGE;
                let left =
                    if within { Some(BlockId { client: section.client, clock: clock - 1 }) } else { piece.origin };
                let unit = text.get((clock - piece.clock) as usize).copied();
                units.push((section.client, clock, left, piece.right_origin, unit));
            }
        }
    }
    (units, delete_set.len())
}

/// Splits, lets each part through the gate, applies it, and compares with the whole.
fn check_parts(update: &[u8], max_bytes: usize) -> usize {
    let parts = split_update(&Bytes::copy_from_slice(update), max_bytes);
    check_joined(update, &parts);
    parts.len()
}

fn check_joined(update: &[u8], parts: &[Bytes]) {
    let (whole, joined) = (document(1), document(2));
    apply(&whole, update);
    let mut accepted = StateVector::default();
    for part in parts {
        let facts = gate::check(part, |client| accepted.get(client)).expect("no part waits for a later one");
        accepted.accept(&facts);
        apply(&joined, part);
    }
    assert_eq!(text_of(&joined), text_of(&whole));
    assert!(units(&state_of(&joined)) == units(&state_of(&whole)), "the document is the same inside");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn parts_in_order_give_the_whole(steps in session(200), max_bytes in 128..2000_usize) {
        let (all, _) = play(&steps);
        let update = state_of(&all);
        let parts = check_parts(&update, max_bytes);
        prop_assert!(parts >= 1 && parts <= 1 + 2 * update.len() / 64);
    }

    #[test]
    fn steps_in_order_give_the_whole(edits in session(200), max_bytes in 128..600_usize, max_ranges in 1..20_usize) {
        let (all, _) = play(&edits);
        let update = state_of(&all);
        let steps = steps(&update, max_bytes, max_ranges).expect("its blocks can be ordered");
        check_joined(&update, &steps);
    }
}

#[test]
fn long_text_is_cut_inside() {
    let doc = document(9);
    edit(&doc, |text, txn| yrs::Text::insert(text, txn, 0, "ab"));
    let long = "数据😀x".repeat(20_000);
    edit(&doc, |text, txn| yrs::Text::insert(text, txn, 1, &long));
    let update = Bytes::from(state_of(&doc));
    let parts = split_update(&update, 16 * 1024);
    assert!(parts.len() > 10 && parts.iter().all(|part| part.len() <= 16 * 1024), "{}", parts.len());
    check_parts(&update, 16 * 1024);
    check_parts(&update, 128);
}

#[test]
fn small_and_foreign_updates_come_back_whole() {
    let small = Bytes::from_static(&[0, 0]);
    assert_eq!(split_update(&small, 0), [small]);
    let foreign = Bytes::from(vec![7; 5000]);
    assert_eq!(split_update(&foreign, 128), [foreign]);
}

#[test]
fn delete_set_is_in_the_last_part() {
    let doc = document(9);
    for _ in 0..300 {
        edit(&doc, |text, txn| yrs::Text::insert(text, txn, 0, "ab "));
    }
    for at in 0..200 {
        edit(&doc, |text, txn| yrs::Text::remove_range(text, txn, at, 1));
    }
    let update = Bytes::from(state_of(&doc));
    let parts = split_update(&update, 400);
    let (last, before) = parts.split_last().unwrap();
    assert!(!before.is_empty() && before.iter().all(|part| part.last() == Some(&0)));
    let facts = gate::check(last, |_| 1000).unwrap();
    assert_eq!(facts.deleted_utf16, 200);
    check_parts(&update, 400);
}
