//! The framing without addresses: the echo is the acknowledgement.

use coderoom_protocol::role::Role;

use super::harness::{Door, Node};
use crate::rooms::{Place, RoomSettings};

#[tokio::test]
async fn author_gets_its_edit_back_after_it_is_stored() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("a").await;
    let mut ann = node.client(Place::File(file), Role::Editor, node.user, Door::Second).await;
    let mut bob = node.synced(file).await;
    ann.sync().await;
    let writer_is_busy = node.hold_writes().await;
    ann.type_at(1, "b").await;
    ann.read_all().await;
    assert_eq!(ann.updates, 0);
    drop(writer_is_busy);
    ann.wait("the echo", |client| client.updates == 1).await;
    bob.wait_text("ab").await;
    assert_eq!(node.stored_text(file).await, "ab");
}

#[tokio::test]
async fn reader_of_the_second_door_changes_nothing() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("a").await;
    let mut ann = node.client(Place::File(file), Role::Viewer, node.user, Door::Second).await;
    ann.sync().await;
    ann.type_at(1, "b").await;
    node.rooms.barrier(node.task).await.unwrap();
    ann.read_all().await;
    assert_eq!((ann.updates, node.stored_text(file).await.as_str()), (0, "a"));
}
