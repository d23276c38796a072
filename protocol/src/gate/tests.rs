//! The gate against updates that yrs makes and against hand-made hostile ones.

use yrs::{Doc, ReadTxn, Text, Transact};

use super::*;
use crate::{
    lib0::{write_string, write_var_uint},
    random_edits::{apply, document as doc, edit, state_of, text_of},
};

fn insert(doc: &Doc, at: u32, what: &str) -> Vec<u8> {
    edit(doc, |text, txn| text.insert(txn, at, what))
}

fn known(entries: &[(u64, u32)]) -> impl Fn(u64) -> u32 {
    let vector: StateVector = entries.iter().copied().collect();
    move |client| vector.get(client)
}

/// An update of hand-made sections (client, clock, blocks as bytes) and an empty delete set.
fn update(sections: &[(u64, u32, &[&[u8]])]) -> Vec<u8> {
    let mut out = Vec::new();
    write_var_uint(&mut out, sections.len() as u64);
    for (client, clock, blocks) in sections {
        write_var_uint(&mut out, blocks.len() as u64);
        write_var_uint(&mut out, *client);
        write_var_uint(&mut out, u64::from(*clock));
        for block in *blocks {
            out.extend_from_slice(block);
        }
    }
    out.push(0);
    out
}

/// A block with text at the beginning of the root.
fn first(text: &str) -> Vec<u8> {
    let mut out = vec![4, 1];
    write_string(&mut out, ROOT);
    write_string(&mut out, text);
    out
}

/// A block with text to the right of a unit (of clients and clocks below 128).
fn after(client: u8, clock: u8, text: &str) -> Vec<u8> {
    let mut out = vec![0x84, client, clock];
    write_string(&mut out, text);
    out
}

#[test]
fn keystroke_passes_with_its_facts() {
    let doc = doc(7);
    let typed = insert(&doc, 0, "a文😀");
    let facts = check(&typed, known(&[])).unwrap();
    assert_eq!((facts.inserted_utf16, facts.inserted_bytes, facts.blocks), (4, 8, 1));
    assert_eq!(facts.writers.as_slice(), [Writer { client: 7, start: 0, end: 4 }]);
    assert!(!facts.is_empty() && facts.deletes(&typed).next().is_none());

    let removed = edit(&doc, |text, txn| text.remove_range(txn, 0, 2));
    let facts = check(&removed, known(&[(7, 4)])).unwrap();
    assert_eq!((facts.inserted_utf16, facts.delete_ranges, facts.deleted_utf16), (0, 1, 2));
    assert_eq!(facts.deletes(&removed).collect::<Vec<_>>(), [DeleteRange { client: 7, start: 0, end: 2 }]);
    assert!(facts.writers.is_empty() && !facts.is_empty());
}

#[test]
fn update_without_content_is_empty() {
    assert!(check(&[0, 0], known(&[])).unwrap().is_empty());
}

#[test]
fn hole_and_unknown_origin_ask_for_a_resync() {
    let doc = doc(7);
    insert(&doc, 0, "abc");
    let later = insert(&doc, 3, "d");
    let refusal = check(&later, known(&[])).unwrap_err();
    assert_eq!(refusal, Refusal::Hole { client: 7, start: 3, known: 0 });
    assert!(refusal.needs_resync());
    assert!(check(&later, known(&[(7, 3)])).is_ok());

    let foreign = update(&[(9, 0, &[&after(7, 2, "x")])]);
    let refusal = check(&foreign, known(&[(7, 2)])).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownOrigin { client: 7, clock: 2 });
    assert!(refusal.needs_resync());
    assert!(check(&foreign, known(&[(7, 3)])).is_ok());

    let removed = edit(&doc, |text, txn| text.remove_range(txn, 1, 2));
    assert_eq!(check(&removed, known(&[(7, 2)])), Err(Refusal::UnknownOrigin { client: 7, clock: 2 }));
}

#[test]
fn second_keystroke_passes_before_the_first_is_applied() {
    let doc = doc(7);
    let mut accepted = StateVector::default();
    for at in 0..100 {
        let typed = insert(&doc, at, "x");
        let facts = check(&typed, |client| accepted.get(client)).unwrap();
        accepted.accept(&facts);
    }
    assert_eq!(accepted.get(7), 100);
}

#[test]
fn references_inside_one_update_need_no_document() {
    // 9 writes after 7's unit, then 7 goes on after 9's, whatever the order of the sections.
    let seven: &[&[u8]] = &[&first("a"), &after(9, 0, "c")];
    let nine: &[&[u8]] = &[&after(7, 0, "b")];
    assert!(check(&update(&[(9, 0, nine), (7, 0, seven)]), known(&[])).is_ok());
    assert!(check(&update(&[(7, 0, seven), (9, 0, nine)]), known(&[])).is_ok());
}

#[test]
fn blocks_that_wait_for_each_other_are_refused() {
    let circle = update(&[(7, 0, &[&after(9, 0, "a")]), (9, 0, &[&after(7, 0, "b")])]);
    assert_eq!(check(&circle, known(&[])), Err(Refusal::Malformed("has blocks that wait for each other")));
    let three = update(&[
        (3, 0, &[&after(5, 0, "a"), &first("x")]),
        (4, 0, &[&after(3, 1, "b")]),
        (5, 0, &[&after(4, 0, "c")]),
    ]);
    assert!(matches!(check(&three, known(&[])), Err(Refusal::Malformed(_))));
}

#[test]
fn blocks_that_refer_to_themselves_or_later_ones_are_refused() {
    let own = update(&[(7, 0, &[&after(7, 0, "a")])]);
    let later = update(&[(7, 0, &[&after(7, 1, "a"), &first("b")])]);
    for bytes in [own, later] {
        assert!(matches!(check(&bytes, known(&[(7, 50)])), Err(Refusal::Malformed(_))));
    }
}

#[test]
fn what_is_not_plain_text_is_refused() {
    let doc = doc(7);
    let map = doc.get_or_insert_map("m");
    let mut txn = doc.transact_mut();
    yrs::Map::insert(&map, &mut txn, "k", 1);
    assert!(matches!(check(&txn.encode_update_v1(), known(&[])), Err(Refusal::Malformed(_))));
    drop(txn);
    let other = doc.get_or_insert_text("other");
    let mut txn = doc.transact_mut();
    other.insert(&mut txn, 0, "x");
    let refusal = check(&txn.encode_update_v1(), known(&[(7, 1)])).unwrap_err();
    assert_eq!(refusal, Refusal::Malformed("writes outside the text \"source\""));
    assert!(!refusal.needs_resync());
}

#[test]
fn hostile_messages_are_refused() {
    let nested = {
        // An embedded value nested 20,000 deep: aborts a process that decodes it by recursion.
        let mut block = vec![8, 1];
        write_string(&mut block, ROOT);
        block.push(1);
        block.extend([117, 1].repeat(20_000));
        block.push(126);
        update(&[(7, 0, &[&block])])
    };
    let wrapping = update(&[(7, 0, &[&[0, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0, 2]])]);
    let far = update(&[(7, 4_294_967_290, &[&first("a")])]);
    let skip = update(&[(7, 0, &[&[10, 5], &first("a")])]);
    let empty_block = update(&[(7, 0, &[&first("")])]);
    let empty_gc = update(&[(7, 0, &[&[0, 0]])]);
    let too_large_id = update(&[(1 << 53, 0, &[&first("a")])]);
    let twice = update(&[(7, 0, &[&first("a")]), (7, 0, &[&first("b")])]);
    let no_blocks = vec![1, 0, 7, 0, 0];
    let clients = vec![0x80, 0xc2, 0xd7, 0x2f];
    let blocks = vec![1, 0x80, 0xc2, 0xd7, 0x2f, 7, 0, 0, 0, 0];
    let ranges = vec![0, 1, 7, 0x80, 0xc2, 0xd7, 0x2f];
    let clock_overflow = update(&[(7, 0, &[&[0, 0x80, 0x80, 0x80, 0x80, 0x04], &[0, 1]])]);
    let two_delete_sections = vec![0, 2, 7, 1, 0, 1, 7, 1, 1, 1];
    let empty_delete = vec![0, 1, 7, 1, 0, 0];
    let trailing = vec![0, 0, 0];
    let unit_twice = update(&[(9, 0, &[&[0xc4, 7, 0, 7, 0, 1, b'x']])]);
    for (name, bytes) in [
        ("nested", nested),
        ("wrapping clocks", wrapping),
        ("clock near the end", far),
        ("skip", skip),
        ("empty block", empty_block),
        ("empty collected block", empty_gc),
        ("client id of 54 bits", too_large_id),
        ("client twice", twice),
        ("client without blocks", no_blocks),
        ("100 million clients", clients),
        ("100 million blocks", blocks),
        ("100 million ranges", ranges),
        ("clock overflow", clock_overflow),
        ("two delete sections", two_delete_sections),
        ("empty delete", empty_delete),
        ("trailing byte", trailing),
        ("between a unit and itself", unit_twice),
        ("nothing", vec![]),
    ] {
        let refusal = check(&bytes, known(&[(7, 1000)])).expect_err(name);
        assert!(matches!(refusal, Refusal::Malformed(_)), "{name}: {refusal}");
    }
}

#[test]
fn number_of_blocks_and_ranges_is_bounded() {
    let blocks = |count: u32| {
        let block: &[u8] = &[0, 1];
        update(&[(7, 0, &vec![block; count as usize])])
    };
    assert!(check(&blocks(MAX_BLOCKS), known(&[])).is_ok());
    assert_eq!(check(&blocks(MAX_BLOCKS + 1), known(&[])), Err(Refusal::TooManyBlocks));
    let ranges = |count: u32| {
        let mut out = vec![0, 1, 7];
        write_var_uint(&mut out, u64::from(count));
        out.extend([3, 1].repeat(count as usize));
        out
    };
    assert!(check(&ranges(MAX_DELETE_RANGES), known(&[(7, 9)])).is_ok());
    assert_eq!(check(&ranges(MAX_DELETE_RANGES + 1), known(&[(7, 9)])), Err(Refusal::TooManyDeletes));
}

#[test]
fn readers_step_2_is_told_from_an_attempt_to_write() {
    let writer = doc(7);
    insert(&writer, 0, "abcdef");
    edit(&writer, |text, txn| text.remove_range(txn, 1, 2));
    let state = state_of(&writer);
    let facts = check(&state, known(&[(7, 6)])).unwrap();
    let deleted = |range: DeleteRange| range.client == 7 && range.start >= 1 && range.end <= 3;
    assert!(facts.adds_nothing(&state, known(&[(7, 6)]), deleted));
    assert!(!facts.adds_nothing(&state, known(&[(7, 5)]), deleted), "a clock is new");
    assert!(!facts.adds_nothing(&state, known(&[(7, 6)]), |_| false), "a deletion is new");
    assert!(facts.writes_nothing_new(known(&[(7, 6)])));
}

#[test]
fn what_passes_in_parts_gives_the_same_text() {
    let (one, two, reader) = (doc(1), doc(2), doc(3));
    reader.get_or_insert_text(ROOT);
    let mut accepted = StateVector::default();
    for round in 0..50 {
        for (doc, other) in [(&one, &two), (&two, &one)] {
            let text = doc.get_or_insert_text(ROOT);
            let len = text.len(&doc.transact());
            let bytes = if round % 3 == 2 && len > 4 {
                edit(doc, |text, txn| text.remove_range(txn, len / 3, 2))
            } else {
                insert(doc, (round * 7) % (len + 1), "文x")
            };
            let facts = check(&bytes, |client| accepted.get(client)).unwrap();
            accepted.accept(&facts);
            for peer in [other, &reader] {
                apply(peer, &bytes);
            }
        }
    }
    assert_eq!(text_of(&one), text_of(&reader));
    assert_eq!(text_of(&two), text_of(&reader));
    let vector: StateVector = reader.transact().state_vector().iter().map(|(id, clock)| (id.get(), *clock)).collect();
    assert_eq!(vector, accepted);
}
