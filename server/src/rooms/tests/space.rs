//! All files of a task together have one bound, also for what is typed.

use coderoom_backing::values;
use coderoom_protocol::{problem::ErrorCode, role::Role};

use super::harness::{Door, Node};
use crate::rooms::{Place, RoomSettings};

fn limited(bytes: u64) -> RoomSettings {
    RoomSettings { max_task_bytes: bytes, ..RoomSettings::default() }
}

#[tokio::test]
async fn typing_ends_exactly_at_the_bound_of_the_task() {
    let node = Node::start(limited(20)).await;
    let (file, _other) = (node.file("0123456789").await, node.file("abcde").await);
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    ann.type_at(0, "xxxxx").await;
    ann.wait_answers(&[true, true]).await;
    bob.wait_text("xxxxx0123456789").await;
    bob.type_at(0, "y").await;
    bob.wait_answers(&[true, false]).await;
    assert_eq!(node.stored_text(file).await, "xxxxx0123456789", "one byte more is refused");
    watcher.wait("a notice", |client| client.control.iter().any(|notice| notice["code"] == "task_full")).await;
    let said = watcher.control.iter().find(|notice| notice["code"] == "task_full").unwrap()["message"].to_string();
    assert!(said.contains("20 bytes together; 0 bytes are free"), "{said}");
    // What is deleted makes room at once, and what was refused comes by itself.
    ann.send_update(ann.edit(0, 2, "")).await;
    bob.wait_text("yxxx0123456789").await;
    bob.wait("its edit to be stored", |client| client.answers.last() == Some(&true)).await;
    ann.wait_text("yxxx0123456789").await;
    assert_eq!(node.stored_text(file).await, "yxxx0123456789");
}

#[tokio::test]
async fn a_full_text_takes_what_comes_together_with_a_deletion() {
    let node = Node::start(RoomSettings { max_text_bytes: 20, ..RoomSettings::default() }).await;
    let file = node.file("0123456789abcde").await;
    let mut ann = node.synced(file).await;
    // As somebody sends it who typed and deleted without a connection.
    let (typed, deleted) = (ann.edit(0, 0, "xxxxxxxxxx"), ann.edit(10, 8, ""));
    ann.send_update(yrs::merge_updates_v1([typed, deleted]).unwrap()).await;
    ann.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(file).await, "xxxxxxxxxx89abcde");
    let (typed, deleted) = (ann.edit(0, 0, "yyyyyyyy"), ann.edit(8, 4, ""));
    ann.send_update(yrs::merge_updates_v1([typed, deleted]).unwrap()).await;
    ann.wait_answers(&[true, true, false]).await;
    assert_eq!(node.stored_text(file).await, "xxxxxxxxxx89abcde", "one byte more is refused");
}

#[tokio::test]
async fn space_that_another_file_frees_is_used_again() {
    let node = Node::start(limited(20)).await;
    let (file, other) = (node.file("0123456789").await, node.file("abcdefghij").await);
    let mut ann = node.synced(file).await;
    ann.type_at(0, "y").await;
    ann.wait_answers(&[true, false]).await;
    node.tables.execute("DELETE FROM files WHERE id = $1", values![other.to_string()]).await.unwrap();
    ann.wait("its edit to be stored", |client| client.answers.len() == 3).await;
    assert_eq!(ann.answers, [true, false, true]);
    assert_eq!(node.stored_text(file).await, "y0123456789");
}

#[tokio::test]
async fn written_text_may_fill_the_task_and_not_one_byte_more() {
    let node = Node::start(limited(20)).await;
    let (file, other) = (node.file("0123456789").await, node.file("abcde").await);
    let fits = node.rooms.write_text(node.task, file, "x".repeat(15)).await.unwrap();
    assert!(fits.changed);
    let error = node.rooms.write_text(node.task, file, "z".repeat(16)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TaskTooLarge);
    assert!(error.message.contains("0 bytes are free and this needs 1 bytes"), "{}", error.message);
    // As much goes as comes.
    node.rooms.write_text(node.task, file, "z".repeat(15)).await.unwrap();
    // Space made in one open document serves another.
    node.rooms.write_text(node.task, file, "z".into()).await.unwrap();
    node.rooms.write_text(node.task, other, "a".repeat(19)).await.unwrap();
    assert_eq!(
        node.rooms.write_text(node.task, other, "a".repeat(20)).await.unwrap_err().code,
        ErrorCode::TaskTooLarge
    );
    assert_eq!(node.stored_text(other).await.len(), 19);
}

#[tokio::test]
async fn two_nodes_do_not_fill_a_task_beyond_its_bound() {
    let node = Node::start(limited(40)).await;
    let twin = node.twin(limited(40));
    let (one, two) = (node.file("").await, node.file("").await);
    let (mut ann, mut bob) = (node.synced(one).await, twin.synced(two).await);
    for _ in 0..30 {
        ann.type_at(0, "a").await;
        bob.type_at(0, "b").await;
    }
    ann.wait("all answers", |client| client.answers.len() >= 31).await;
    bob.wait("all answers", |client| client.answers.len() >= 31).await;
    let stored = node.stored_text(one).await.len() + node.stored_text(two).await.len();
    assert!(stored <= 40, "{stored} bytes are stored");
    assert!(stored >= 20, "only {stored} bytes are stored");
}
