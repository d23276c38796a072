//! Updates that take long to merge, from people who made them so.

use coderoom_protocol::{
    ids::FileId,
    lib0::{write_string, write_var_uint},
};

use super::harness::Node;
use crate::rooms::RoomSettings;

/// One client's characters, each to the left of its last one: none of them joins another.
fn backwards(client: u64, count: u64) -> Vec<u8> {
    let mut update = head(client, 0, count);
    for clock in 0..count {
        character(&mut update, clock.checked_sub(1).map(|right| (client, right)));
    }
    update.push(0);
    update
}

/// One client's characters, from `start` on, by somebody who knows of nobody else: each looks for its place behind all others.
fn blindly(client: u64, start: u64, count: u64) -> Vec<u8> {
    let mut update = head(client, start, count);
    for _ in 0..count {
        character(&mut update, None);
    }
    update.push(0);
    update
}

fn head(client: u64, start: u64, count: u64) -> Vec<u8> {
    let mut update = Vec::new();
    for number in [1, count, client, start] {
        write_var_uint(&mut update, number);
    }
    update
}

fn character(update: &mut Vec<u8>, right: Option<(u64, u64)>) {
    match right {
        Some((client, clock)) => {
            update.push(0x44);
            write_var_uint(update, client);
            write_var_uint(update, clock);
        }
        None => {
            update.extend([4, 1]);
            write_string(update, "source");
        }
    }
    write_string(update, "x");
}

const FIRST: u64 = 1_000_001;
const LATER: u64 = 1 << 40;

async fn stored_length(node: &Node, file: FileId) -> usize {
    node.stored_text(file).await.len()
}

#[tokio::test]
async fn update_that_takes_too_long_to_merge_is_not_stored() {
    let node = Node::start(RoomSettings { merge_ms: 40, ..RoomSettings::default() }).await;
    let file = node.file("").await;
    let (mut ann, mut mallory) = (node.synced(file).await, node.synced(file).await);
    mallory.send_update(backwards(FIRST, 3_000)).await;
    mallory.wait_answers(&[true, true]).await;
    mallory.send_update(blindly(LATER, 0, 3_000)).await;
    // What comes meanwhile waits, and is taken.
    ann.type_at(0, "ann").await;
    mallory.wait_answers(&[true, true, false]).await;
    ann.wait_answers(&[true, true]).await;
    assert_eq!(stored_length(&node, file).await, 3_003);
}

#[tokio::test]
async fn deletions_that_take_too_long_are_not_stored() {
    let node = Node::start(RoomSettings { merge_ms: 40, ..RoomSettings::default() }).await;
    let file = node.file("").await;
    let mut mallory = node.synced(file).await;
    // One text of which every other character is deleted, from its end on.
    const COUNT: u64 = 20_000;
    let mut update = head(FIRST, 0, 1);
    update.extend([4, 1]);
    write_string(&mut update, "source");
    write_string(&mut update, &"x".repeat(2 * COUNT as usize));
    for number in [1, FIRST, COUNT] {
        write_var_uint(&mut update, number);
    }
    for index in (0..COUNT).rev() {
        write_var_uint(&mut update, 2 * index);
        write_var_uint(&mut update, 1);
    }
    mallory.send_update(update).await;
    mallory.wait_answers(&[true, false]).await;
    assert_eq!(stored_length(&node, file).await, 0);
}

#[tokio::test]
async fn update_of_many_places_is_taken() {
    let node = Node::start(RoomSettings::default()).await;
    let text = "name = 1\n".repeat(2_000);
    let file = node.file(&text).await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    // Somebody renames a variable everywhere, from the last place to the first.
    let pieces = (0..2_000).rev().map(|line| (line * 9, 4, "number".to_owned()));
    let update = ann.replica.edit(pieces).unwrap();
    ann.send_update(update).await;
    ann.wait_answers(&[true, true]).await;
    bob.wait_text(&text.replace("name", "number")).await;
    assert_eq!(node.stored_text(file).await, bob.text());
}

#[tokio::test]
async fn document_that_takes_ever_longer_to_merge_takes_no_more() {
    let settings = RoomSettings { merge_ms: 20, ..RoomSettings::default() };
    let mut node = Node::start(settings.clone()).await;
    let file = node.file("").await;
    let mut mallory = node.synced(file).await;
    mallory.send_update(backwards(FIRST, 5_000)).await;
    let mut taken = 0;
    for start in (0..).step_by(4) {
        mallory.send_update(blindly(LATER, start, 4)).await;
        mallory.wait("an answer", |client| client.answers.len() as u64 == 3 + start / 4).await;
        if mallory.answers.last() == Some(&false) {
            break;
        }
        taken += 4;
        assert!(taken < 4_000, "somewhere it ends");
    }
    assert_eq!(stored_length(&node, file).await, 5_000 + taken);
    // It is no better when it is read again.
    node.restart(settings).await;
    let mut mallory = node.synced(file).await;
    assert_eq!(mallory.text().len(), 5_000 + taken);
    mallory.send_update(blindly(LATER + 1, 0, 1)).await;
    mallory.wait("an answer", |client| client.answers.len() == 2).await;
}

#[tokio::test]
async fn document_has_so_many_pieces_at_most() {
    let node = Node::start(RoomSettings { max_pieces: 4_000, ..RoomSettings::default() }).await;
    let file = node.file("").await;
    let (mut ann, mut mallory) = (node.synced(file).await, node.synced(file).await);
    // Typed one after the other, characters are one piece.
    let text = "y".repeat(5_000);
    for at in 0..5_000_u32 {
        ann.type_at(at, "y").await;
        if at % 500 == 0 {
            ann.wait("all answers", |client| client.answers.len() == at as usize + 2).await;
        }
    }
    ann.wait("all answers", |client| client.answers.len() == 5_001).await;
    assert!(ann.answers.iter().all(|stored| *stored));
    mallory.send_update(backwards(FIRST, 1_500)).await;
    mallory.send_update(backwards(FIRST + 1, 1_500)).await;
    mallory.wait_answers(&[true, true, false]).await;
    assert_eq!(stored_length(&node, file).await, text.len() + 1_500);
}
