//! Presence through a room: who hears of whom.

use coderoom_protocol::{awareness::Entry, ids::UserId, role::Role};

use super::harness::{Door, Node};
use crate::rooms::{Place, RoomEvent, RoomSettings};

fn entry(client: u64, clock: u32, state: Option<&str>) -> Entry<'_> {
    Entry { client, clock, state }
}

#[tokio::test]
async fn presence_is_echoed_to_its_sender_shown_to_others_and_to_joiners() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.editor(file).await;
    let mut bob = node.client(Place::File(file), Role::Viewer, node.user, Door::Second).await;
    for clock in 1..=5 {
        ann.announce(&[entry(7, clock, Some("{\"x\":1}"))]).await;
    }
    let is_known = |clock, state: Option<&str>| (clock, state.map(str::to_owned));
    for client in [&mut ann, &mut bob] {
        client.wait("presence", |client| client.presence.get(&7) == Some(&is_known(5, Some("{\"x\":1}")))).await;
    }
    let mut cleo = node.editor(file).await;
    cleo.wait("presence", |client| client.presence.contains_key(&7)).await;
    ann.detach().await;
    bob.wait("the end of it", |client| client.presence.get(&7) == Some(&is_known(5, None))).await;
    cleo.presence.clear();
    cleo.send(RoomEvent::QueryAwareness { session: cleo.id }).await;
    cleo.wait("an answer", |client| client.presence.contains_key(&7)).await;
}

#[tokio::test]
async fn presence_of_the_room_and_of_files_are_apart() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.client(Place::Task, Role::Viewer, node.user, Door::Room).await;
    let mut bob = node.editor(file).await;
    ann.announce(&[entry(7, 1, Some("{}"))]).await;
    bob.announce(&[entry(8, 1, Some("{}"))]).await;
    ann.wait("its own", |client| client.presence.contains_key(&7)).await;
    bob.wait("its own", |client| client.presence.contains_key(&8)).await;
    assert!(!ann.presence.contains_key(&8) && !bob.presence.contains_key(&7));
}

#[tokio::test]
async fn silent_presence_ends() {
    let settings = RoomSettings { presence_expiry_ms: 100, presence_tick_ms: 5, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("").await;
    let mut ann = node.editor(file).await;
    ann.announce(&[entry(7, 1, Some("{}"))]).await;
    ann.wait("its own", |client| client.presence.contains_key(&7)).await;
    ann.wait("the end of it", |client| client.presence[&7] == (1, None)).await;
}

#[tokio::test]
async fn nobody_is_shown_as_somebody_else() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.editor(file).await;
    let eve = node.client(Place::File(file), Role::Viewer, UserId::new(), Door::Room).await;
    let state = |id: UserId, name: &str| format!(r#"{{"user":{{"id":"{id}","name":"{name}"}}}}"#);
    let twice = format!(r#"{{"user":{{}},"\u0075ser":{{"id":"{}"}}}}"#, node.user);
    let forged = [state(node.user, "eve"), twice, r#"{"user":{"name":"ann"}}"#.to_owned()];
    for (client, forged) in (7..).zip(&forged) {
        eve.announce(&[entry(client, 1, Some(forged))]).await;
    }
    eve.announce(&[entry(20, 1, Some(&state(eve.user, "eve"))), entry(21, 1, Some(r#"{"user":{"name":"a guest"}}"#))])
        .await;
    ann.wait("who is here", |client| client.presence.contains_key(&21)).await;
    let mut shown: Vec<_> = ann.presence.keys().copied().collect();
    shown.sort_unstable();
    assert_eq!(shown, [20, 21]);
}

#[tokio::test]
async fn malformed_presence_is_dropped() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let mut ann = node.editor(file).await;
    for bytes in [&[0x80_u8, 0x88, 0xde, 0xbe, 0x01][..], &[1], &[], &[0]] {
        ann.send(RoomEvent::Awareness { session: ann.id, update: bytes.to_vec().into() }).await;
    }
    ann.announce(&[entry(7, 1, Some("{}"))]).await;
    ann.wait("its own", |client| client.presence.contains_key(&7)).await;
}

#[tokio::test]
async fn who_has_a_room_open_is_told_each_once() {
    let node = Node::start(RoomSettings::default()).await;
    let other = coderoom_protocol::ids::UserId::new();
    let nobody = coderoom_protocol::ids::TaskId::new();
    let mut ann = node.client(Place::Task, Role::Viewer, node.user, Door::Room).await;
    let second_page = node.client(Place::Task, Role::Viewer, node.user, Door::Room).await;
    let bob = node.client(Place::Task, Role::Editor, other, Door::Room).await;
    for client in [7, 8] {
        // Presence comes back when the room has taken in who is attached.
        ann.announce(&[entry(client, 1, Some("{}"))]).await;
        ann.wait("its own", |ann| ann.presence.contains_key(&client)).await;
    }
    let here = node.rooms.people_in(&[node.task, nobody]).await;
    let mut ids: Vec<_> = here[0].iter().map(|person| person.id).collect();
    ids.sort_unstable();
    let mut wanted = [node.user, other];
    wanted.sort_unstable();
    assert_eq!((ids.as_slice(), here[1].len()), (&wanted[..], 0));
    drop((second_page, bob));
}

#[tokio::test]
async fn viewer_with_many_sessions_has_no_more_presence_than_with_one() {
    let settings = RoomSettings { presence_entries: 4, presence_bytes: 1000, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("").await;
    let mut ann = node.synced(file).await;
    let vera = UserId::new();
    let state = format!(r#"{{"a":"{}"}}"#, "x".repeat(400));
    for client in 1..=20 {
        let session = node.client(Place::File(file), Role::Viewer, vera, Door::Room).await;
        session.announce(&[entry(client, 1, Some(&state)), entry(100 + client, 1, Some("{}"))]).await;
    }
    ann.announce(&[entry(7000, 1, Some("{}"))]).await;
    ann.wait("its own", |ann| ann.presence.contains_key(&7000)).await;
    assert_eq!(ann.presence.len(), 5, "four of the viewer, in all sessions together: {:?}", ann.presence.keys());
    let bytes: usize = ann.presence.values().filter_map(|(_, state)| state.as_ref().map(String::len)).sum();
    assert!(bytes < 1000 + 3, "{bytes}");
}
