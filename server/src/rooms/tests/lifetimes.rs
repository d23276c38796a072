//! Rooms that open and end, files and tasks that go, roles that change.

use std::time::Duration;

use coderoom_backing::values;
use coderoom_protocol::{ids::UserId, role::Role, tree::TreeChange};
use coderoom_worker::announce::TaskEvent;

use super::harness::{Door, Node, eventually};
use crate::rooms::{Place, RoomSettings};

fn quick() -> RoomSettings {
    RoomSettings { idle_room_ms: 40, idle_document_ms: 40, presence_expiry_ms: 40, ..RoomSettings::default() }
}

#[tokio::test]
async fn idle_room_ends_and_opens_again() {
    let node = Node::start(quick()).await;
    let file = node.file("a").await;
    let ann = node.synced(file).await;
    ann.type_at(0, "b").await;
    ann.detach().await;
    eventually("the room ends", || async { node.rooms.open_count() == 0 }).await;
    let mut bob = node.synced(file).await;
    bob.wait_text("ba").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(node.rooms.open_count(), 1, "a room with somebody in it stays");
}

#[tokio::test]
async fn joining_and_ending_do_not_race() {
    let settings = RoomSettings { idle_room_ms: 0, idle_document_ms: 0, ..quick() };
    let node = Node::start(settings).await;
    let file = node.file("").await;
    for round in 0..40 {
        let mut ann = node.editor(file).await;
        ann.sync().await;
        ann.type_at(0, "x").await;
        let expected = ann.text();
        assert_eq!(expected.len(), round + 1);
        ann.wait("the answer", |client| client.answers.len() == 2).await;
        ann.detach().await;
        tokio::time::sleep(Duration::from_millis(round as u64 % 7)).await;
    }
    eventually("the room ends", || async { node.rooms.open_count() == 0 }).await;
    assert_eq!(node.stored_text(file).await.len(), 40);
}

#[tokio::test]
async fn deleted_file_ends_its_sessions_on_every_door() {
    let node = Node::start(RoomSettings::default()).await;
    let (file, other) = (node.file("a").await, node.file("b").await);
    let mut ann = node.synced(file).await;
    let mut second = node.client(Place::File(file), Role::Editor, node.user, Door::Second).await;
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    let mut bob = node.synced(other).await;
    node.tables.execute("DELETE FROM files WHERE id = $1", values![file.to_string()]).await.unwrap();
    ann.type_at(0, "late").await;
    ann.wait("the end", |client| client.farewell.is_some()).await;
    assert_eq!((ann.farewell.as_deref(), ann.answers.as_slice()), (Some("deleted"), &[true, false][..]));
    second.wait("the end", |client| client.farewell.as_deref() == Some("4404")).await;
    node.announce(&TaskEvent::Tree {
        revision: 2,
        changes: vec![TreeChange::Deleted { file: other, path: "b".into() }],
        by: "ann".into(),
    })
    .await;
    bob.wait("the end", |client| client.farewell.as_deref() == Some("deleted")).await;
    watcher.wait("the change", |client| client.control.iter().any(|message| message["type"] == "tree")).await;
}

#[tokio::test]
async fn deleted_task_ends_everybody() {
    let node = Node::start(quick()).await;
    let file = node.file("a").await;
    let mut ann = node.synced(file).await;
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    node.announce(&TaskEvent::Deleted {}).await;
    ann.wait("the end", |client| client.farewell.is_some()).await;
    watcher.wait("the end", |client| client.farewell.is_some()).await;
    assert_eq!(watcher.control.last().unwrap()["type"], "task_deleted");
    eventually("the room ends", || async { node.rooms.open_count() == 0 }).await;
}

#[tokio::test]
async fn missed_announcements_are_made_up_for() {
    let node = Node::start(RoomSettings::default()).await;
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    node.roles.lock().unwrap().insert(node.user, Some(Role::Editor));
    // Whoever is synchronised has a room that listens.
    let file = node.file("a").await;
    let _ann = node.synced(file).await;
    // More than a subscriber's inbox holds, without a moment for the room to read one.
    for _ in 0..1_000 {
        node.announce(&TaskEvent::Task {}).await;
    }
    watcher.wait("the run", |client| client.control.iter().any(|message| message["run"]["number"] == 7)).await;
    watcher.wait("the tree", |client| client.control.iter().any(|message| message["type"] == "tree")).await;
}

#[tokio::test]
async fn changed_role_counts_at_once() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("a").await;
    let user = UserId::new();
    let mut ann = node.client(Place::File(file), Role::Editor, user, Door::Room).await;
    ann.sync().await;
    node.roles.lock().unwrap().insert(user, Some(Role::Viewer));
    node.announce(&TaskEvent::Members { user }).await;
    ann.wait("the new scope", |client| client.control.iter().any(|message| message["scope"] == "readonly")).await;
    ann.type_at(0, "x").await;
    ann.wait_answers(&[true, false]).await;
    node.roles.lock().unwrap().insert(user, None);
    node.announce(&TaskEvent::Members { user }).await;
    ann.wait("the end", |client| client.farewell.is_some()).await;
}

#[tokio::test]
async fn drain_stores_what_was_received_and_ends_rooms() {
    let mut node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.synced(file).await;
    for _ in 0..100 {
        ann.type_at(0, "x").await;
    }
    node.restart(RoomSettings::default()).await;
    assert_eq!(node.stored_text(file).await.len(), 100);
    ann.wait("the end", |client| client.farewell.as_deref() == Some("1012")).await;
    assert_eq!(ann.answers.len(), 101, "what was stored was also acknowledged");
}

#[tokio::test]
async fn tables_can_be_opened_again_when_rooms_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let file = {
        let node = Node::start_at(directory.path(), RoomSettings::default()).await;
        let file = node.file("").await;
        let mut ann = node.synced(file).await;
        ann.type_at(0, "x").await;
        ann.wait_answers(&[true, true]).await;
        node.rooms.drain().await;
        file
    };
    let database = directory.path().join("coderoom.db");
    eventually("the file is free", || async {
        match coderoom_backing::tables::Tables::open_sqlite(&database).await {
            Ok(tables) => crate::rooms::read_text::read_text(&tables, file).await.unwrap().unwrap().1 == "x",
            Err(_) => false,
        }
    })
    .await;
}

#[tokio::test]
async fn barrier_waits_for_all_that_came_before_it() {
    let node = Node::start(RoomSettings { barrier_ms: 200, ..RoomSettings::default() }).await;
    let files = [node.file("").await, node.file("").await];
    node.rooms.barrier(node.task).await.unwrap();
    for file in files {
        // Cold: the edit must wait for the load first.
        let ann = node.editor(file).await;
        for _ in 0..10 {
            ann.type_at(0, "x").await;
        }
    }
    node.rooms.barrier(node.task).await.unwrap();
    for file in files {
        assert_eq!(node.stored_text(file).await.len(), 10);
    }
    let writer_is_busy = node.hold_writes().await;
    let ann = node.editor(files[0]).await;
    ann.type_at(0, "y").await;
    assert!(node.rooms.barrier(node.task).await.is_err(), "it gives up after its limit");
    drop(writer_is_busy);
    node.rooms.barrier(node.task).await.unwrap();
}
