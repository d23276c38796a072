//! An edit from its author to the tables and to the others.

use coderoom_protocol::{
    awareness::Entry,
    ids::UserId,
    lib0::{write_string, write_var_uint},
    role::Role,
};

use super::harness::{Door, Node};
use crate::rooms::{Place, RoomSettings};

#[tokio::test]
async fn edit_is_stored_acknowledged_and_shown_to_others() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("hello\n").await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    assert_eq!(ann.text(), "hello\n");
    ann.type_at(5, " world").await;
    ann.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(file).await, "hello world\n");
    bob.wait_text("hello world\n").await;
    assert_eq!(ann.updates, 0, "the author of a whole batch does not get it back");
}

#[tokio::test]
async fn every_update_gets_its_own_answer_in_order() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.synced(file).await;
    let good: Vec<_> = (0..50).map(|_| ann.edit(0, 0, "x")).collect();
    for (index, update) in good.into_iter().enumerate() {
        ann.send_update(update).await;
        if index % 10 == 3 {
            ann.send_update(vec![0xff, 1]).await;
        }
        if index % 10 == 7 {
            ann.send_update(vec![0, 0]).await;
        }
    }
    let mut expected = vec![true];
    for index in 0..50 {
        expected.push(true);
        match index % 10 {
            3 => expected.push(false),
            7 => expected.push(true),
            _ => {}
        }
    }
    ann.wait_answers(&expected).await;
    assert_eq!(node.stored_text(file).await, "x".repeat(50));
    assert_eq!(node.number("SELECT seq FROM files WHERE id = $1", file).await, 50);
}

#[tokio::test]
async fn reader_may_not_write_and_may_say_what_is_known() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("text").await;
    let writer = node.synced(file).await;
    writer.send_update(writer.edit(1, 2, "X")).await;
    let mut viewer = node.client(Place::File(file), Role::Viewer, node.user, Door::Room).await;
    viewer.sync().await;
    viewer.wait_text("tXt").await;
    assert_eq!(viewer.answers, [true], "its step 2 has nothing new");
    viewer.sync().await;
    assert_eq!(viewer.answers, [true, true], "nor has one with known deletions");
    let known = viewer.replica.vector().unwrap();
    viewer.send_update(viewer.edit(0, 1, "")).await;
    viewer.send_step2(viewer.replica.diff_v1(&known).unwrap()).await;
    viewer.send_update(vec![0, 0]).await;
    viewer.wait_answers(&[true, true, false, false, false]).await;
    assert_eq!(node.stored_text(file).await, "tXt");
}

#[tokio::test]
async fn text_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let settings = RoomSettings { max_text_bytes: 20, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("0123456789").await;
    let mut ann = node.synced(file).await;
    ann.type_at(0, "abcdefghij").await;
    ann.wait_answers(&[true, true]).await;
    let too_much = ann.edit(0, 0, "x");
    ann.send_update(too_much).await;
    ann.wait_answers(&[true, true, false]).await;
    assert_eq!(node.stored_text(file).await.len(), 20);
    // A deletion makes room again: what the client could not store before comes with its answer to our step 1.
    ann.send_update(ann.edit(5, 10, "")).await;
    ann.wait("recovery", |client| client.answers.len() >= 5).await;
    assert_eq!(ann.answers, [true, true, false, true, true]);
    assert_eq!(node.stored_text(file).await, ann.text());
    let mut bob = node.synced(file).await;
    assert_eq!(bob.text().len(), 11);
    let size = bob.text().len() as u32;
    bob.type_at(size, &"y".repeat(20 - size as usize)).await;
    bob.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(file).await.len(), 20, "the bound is computed anew from the text");
}

#[tokio::test]
async fn hole_is_asked_for_and_healed() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.synced(file).await;
    let _lost = ann.edit(0, 0, "a");
    ann.type_at(1, "b").await;
    ann.wait_answers(&[true, false, true]).await;
    assert_eq!(node.stored_text(file).await, "ab");
    assert_eq!(ann.step1s.len(), 2);
}

#[tokio::test]
async fn nobody_writes_in_the_name_of_somebody_else() {
    let mut node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.synced(file).await;
    let forger = async |node: &Node| {
        let mut forger = node.client(Place::File(file), Role::Editor, UserId::new(), Door::Room).await;
        forger.sync().await;
        forger
    };
    // Before her first edit, from what her presence says.
    ann.announce(&[Entry { client: ann.number, clock: 1, state: Some("{}") }]).await;
    let first = ann.edit(0, 0, "a");
    let mut eve = forger(&node).await;
    eve.send_update(first.clone()).await;
    eve.wait_answers(&[true, false]).await;
    ann.send_update(first).await;
    ann.wait_answers(&[true, true]).await;
    // Between two edits.
    let second = ann.edit(1, 0, "b");
    eve.send_update(second.clone()).await;
    eve.wait_answers(&[true, false, false]).await;
    ann.send_update(second).await;
    ann.wait_answers(&[true, true, true]).await;
    // While she is away, and nobody remembers her but the tables.
    let third = ann.edit(2, 0, "c");
    ann.detach().await;
    node.restart(RoomSettings::default()).await;
    let mut eve = forger(&node).await;
    eve.send_update(third.clone()).await;
    eve.wait_answers(&[true, false]).await;
    let mut again = node.synced(file).await;
    again.send_update(third).await;
    again.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(file).await, "abc");
    // What she deletes is anybody's to delete, and what is known may be said again.
    let everything = again.replica.diff_v1(&Default::default()).unwrap();
    eve.wait_text("abc").await;
    eve.send_update(everything).await;
    eve.send_update(eve.edit(0, 1, "")).await;
    eve.wait_answers(&[true, false, true, true]).await;
    assert_eq!(node.stored_text(file).await, "bc");
}

#[tokio::test]
async fn program_without_presence_owns_what_it_brings() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut program = node.editor(file).await;
    program.send_step2(program.edit(0, 0, "a")).await;
    program.wait_answers(&[true]).await;
    let next = program.edit(1, 0, "b");
    let mut eve = node.client(Place::File(file), Role::Editor, UserId::new(), Door::Room).await;
    eve.sync().await;
    eve.send_update(next.clone()).await;
    eve.send_step2(next.clone()).await;
    eve.wait_answers(&[true, false, false]).await;
    program.send_update(next).await;
    program.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(file).await, "ab");
}

#[tokio::test]
async fn text_that_runs_is_the_text_that_is_seen() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mallory = node.synced(file).await;
    let block = |client: u64, clock: u64, neighbours: Option<(u64, u64)>, text: &str| {
        let mut update = Vec::new();
        for number in [1, 1, client, clock] {
            write_var_uint(&mut update, number);
        }
        match neighbours {
            Some((left, right)) => {
                update.push(0xc4);
                for number in [1_000_001, left, 1_000_001, right] {
                    write_var_uint(&mut update, number);
                }
            }
            None => {
                update.extend([4, 1]);
                write_string(&mut update, "source");
            }
        }
        write_string(&mut update, text);
        update.push(0);
        update
    };
    // Some of these say that their left neighbour stands to the right of the right one.
    mallory.send_update(block(1_000_001, 0, None, "print('ok')\n\n\n")).await;
    mallory.send_update(block(2_000_002, 0, Some((13, 12)), "#")).await;
    mallory.send_update(block(2_000_003, 0, Some((13, 10)), "evil()")).await;
    mallory.send_update(block(2_000_001, 0, Some((12, 13)), "\n")).await;
    mallory.send_update(block(2_000_003, 6, Some((10, 13)), " ")).await;
    node.rooms.barrier(node.task).await.unwrap();
    let reader = node.synced(file).await;
    assert_eq!(node.stored_text(file).await, reader.text());
}
