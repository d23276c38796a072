//! Two nodes over one set of tables: what one stores the other shows, whatever becomes of the messages between them.

mod false_numbers;

use std::{sync::atomic::Ordering, time::Duration};

use coderoom_backing::values;
use coderoom_protocol::{
    awareness::Entry,
    ids::{FileId, UserId},
    role::Role,
    run::{Run, RunState},
    tree::TreeChange,
};
use coderoom_worker::announce::TaskEvent;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use self::false_numbers::{
    edits_that_were_never_stored_leave_no_gap, number_of_an_edit_that_was_never_stored_leaves_no_gap,
};
use super::harness::{
    Client, Door, Node, eventually,
    pair::{Ground, Pair},
    queued_run,
    relay::Fault,
};
use crate::rooms::{Place, RoomSettings};

fn several() -> RoomSettings {
    RoomSettings { other_nodes: true, ..RoomSettings::default() }
}

/// No help from the regular comparison with the tables.
fn not_comparing() -> RoomSettings {
    RoomSettings { compare_ms: 3_600_000, ..several() }
}

async fn edit_on_one_node_is_shown_on_the_other_by_one_message(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("hello").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    ann.type_at(5, " world").await;
    ann.wait_answers(&[true, true]).await;
    bob.wait_text("hello world").await;
    bob.type_at(0, "> ").await;
    bob.wait_answers(&[true, true]).await;
    ann.wait_text("> hello world").await;
    assert_eq!(pair.relay.edits.load(Ordering::Relaxed), 2, "one message for each commit");
    assert_eq!(pair.one.stored_text(file).await, "> hello world");
}

async fn what_one_commit_gathered_is_one_message(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    let writer_is_busy = pair.one.hold_writes().await;
    ann.type_at(0, "a").await;
    // The first may be on its way alone; the others gather behind it.
    for _ in 0..50 {
        ann.type_at(0, "a").await;
    }
    ann.read_all().await;
    drop(writer_is_busy);
    bob.wait_text(&"a".repeat(51)).await;
    ann.wait("all answers", |client| client.answers.len() == 52).await;
    assert!(pair.relay.edits.load(Ordering::Relaxed) <= 2, "{} messages", pair.relay.edits.load(Ordering::Relaxed));
}

/// Both nodes write at random while the messages between them suffer; in the end everybody has what is stored.
async fn converges(ground: Ground, fault: Fault, settings: RoomSettings) {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let pair = Pair::start(ground, settings).await;
    let file = pair.one.file("begin").await;
    let mut clients = Vec::new();
    for node in [&pair.one, &pair.two, &pair.one, &pair.two] {
        clients.push(node.synced(file).await);
    }
    pair.relay.has(fault);
    for _ in 0..200 {
        let client = &mut clients[random.random_range(0..4)];
        let length = client.text().len() as u32;
        let at = random.random_range(0..=length);
        if length > 20 && random.random_range(0..4) == 0 {
            let removed = random.random_range(0..=(length - at).min(5));
            client.send_update(client.edit(at, removed, "")).await;
        } else {
            client.type_at(at, ["a", "bc", "def"][random.random_range(0..3)]).await;
        }
        if random.random_range(0..5) == 0 {
            client.read_all_quickly().await;
        }
    }
    for client in &mut clients {
        client.wait("everything it wrote to be stored", |client| !client.answers.is_empty()).await;
        client.read_all().await;
    }
    pair.relay.has(Fault::None);
    pair.one.rooms.barrier(pair.one.task).await.unwrap();
    pair.two.rooms.barrier(pair.one.task).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let text = pair.one.stored_text(file).await;
        for client in &mut clients {
            client.read_all().await;
        }
        if clients.iter().all(|client| client.text() == text) {
            break;
        }
        let texts: Vec<String> = clients.iter().map(Client::text).collect();
        assert!(tokio::time::Instant::now() < deadline, "seed {seed}: stored {text:?}, seen {texts:?}");
    }
    for client in &clients {
        assert!(client.answers.iter().all(|is_stored| *is_stored), "seed {seed}: refused: {:?}", client.answers);
    }
}

async fn two_nodes_that_write_one_document_converge(ground: Ground) {
    converges(ground, Fault::None, not_comparing()).await;
}

async fn doubled_messages_change_nothing(ground: Ground) {
    converges(ground, Fault::Doubles, not_comparing()).await;
}

async fn swapped_messages_change_nothing(ground: Ground) {
    converges(ground, Fault::Swaps, RoomSettings { compare_ms: 200, ..several() }).await;
}

async fn lost_messages_are_made_good_from_the_tables(ground: Ground) {
    converges(ground, Fault::Loses, RoomSettings { compare_ms: 200, ..several() }).await;
}

async fn nodes_that_hear_nothing_of_each_other_still_converge(ground: Ground) {
    converges(ground, Fault::Cut, RoomSettings { compare_ms: 200, ..several() }).await;
}

async fn next_message_shows_that_one_was_lost(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    pair.relay.has(Fault::Cut);
    ann.type_at(0, "a").await;
    ann.wait_answers(&[true, true]).await;
    bob.read_all().await;
    assert_eq!(bob.text(), "");
    pair.relay.has(Fault::None);
    ann.type_at(1, "b").await;
    bob.wait_text("ab").await;
}

async fn edit_that_was_stored_and_never_published_is_found(ground: Ground) {
    let pair = Pair::start(ground, RoomSettings { compare_ms: 100, ..several() }).await;
    let file = pair.one.file("").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    // As when the node dies between commit and publish.
    pair.relay.has(Fault::Cut);
    ann.type_at(0, "a").await;
    ann.wait_answers(&[true, true]).await;
    bob.wait_text("a").await;
}

async fn client_from_another_node_is_caught_up_with_and_not_asked_to_repeat(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let mut ann = pair.one.synced(file).await;
    let mut bob = pair.two.synced(file).await;
    pair.relay.has(Fault::Cut);
    ann.type_at(0, "a").await;
    ann.wait_answers(&[true, true]).await;
    // Its node goes; the page comes to the other, which has not heard of the edit.
    let mut ann = pair.two.reconnect(ann, Default::default()).await;
    ann.type_at(1, "b").await;
    ann.wait_answers(&[true]).await;
    assert!(ann.step1s.is_empty(), "nothing had to be sent twice");
    bob.wait_text("ab").await;
    assert_eq!(pair.one.stored_edits(file).await, 2);
    assert_eq!(pair.one.stored_text(file).await, "ab");
}

async fn returning_client_does_not_store_again_what_its_old_node_stored(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let mut ann = pair.one.synced(file).await;
    let _bob = pair.two.synced(file).await;
    pair.relay.has(Fault::Cut);
    ann.type_at(0, "a").await;
    ann.wait_answers(&[true, true]).await;
    let mut ann = pair.two.reconnect(ann, Default::default()).await;
    ann.sync().await;
    assert_eq!(ann.answers, [true]);
    assert_eq!(pair.one.stored_edits(file).await, 1);
}

async fn written_text_replaces_what_the_other_node_stored(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("old").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    pair.relay.has(Fault::Cut);
    pair.one.rooms.write_text(pair.one.task, file, "first".into()).await.unwrap();
    pair.two.rooms.write_text(pair.one.task, file, "second".into()).await.unwrap();
    assert_eq!(pair.one.stored_text(file).await, "second");
    bob.wait_text("second").await;
    pair.relay.has(Fault::None);
    bob.type_at(0, "the ").await;
    ann.wait_text("the second").await;
}

async fn nobody_writes_on_one_node_in_the_name_of_somebody_on_the_other(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let mut ann = pair.one.synced(file).await;
    let mut eve = pair.two.client(Place::File(file), Role::Editor, UserId::new(), Door::Room).await;
    eve.sync().await;
    ann.type_at(0, "a").await;
    eve.wait_text("a").await;
    let second = ann.edit(1, 0, "b");
    eve.send_update(second.clone()).await;
    eve.wait_answers(&[true, false]).await;
    ann.send_update(second).await;
    ann.wait_answers(&[true, true, true]).await;
    // She herself may come to the other node.
    let third = ann.edit(2, 0, "c");
    ann.detach().await;
    let mut again = pair.two.synced(file).await;
    again.send_update(third).await;
    again.wait_answers(&[true, true]).await;
    assert_eq!(pair.one.stored_text(file).await, "abc");
}

async fn document_that_left_memory_still_gets_what_others_store(ground: Ground) {
    let pair = Pair::start(ground, RoomSettings { idle_document_ms: 50, ..not_comparing() }).await;
    let file = pair.one.file("").await;
    let mut bob = pair.two.synced(file).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut ann = pair.one.synced(file).await;
    ann.type_at(0, "a").await;
    ann.wait_answers(&[true, true]).await;
    bob.wait_text("a").await;
}

async fn submit_on_one_node_sees_what_was_acknowledged_on_the_other(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let mut ann = pair.one.synced(file).await;
    pair.relay.has(Fault::Cut);
    for count in 1..=20 {
        ann.type_at(0, "a").await;
        ann.wait("its answer", |client| client.answers.len() > count).await;
        pair.two.rooms.barrier(pair.one.task).await.unwrap();
        assert_eq!(pair.two.stored_text(file).await.len(), count);
    }
}

async fn compaction_on_one_node_leaves_the_other_able_to_go_on(ground: Ground) {
    let settings = RoomSettings { compact_after_edits: 10, ..not_comparing() };
    let pair = Pair::start(ground, settings).await;
    let file = pair.one.file("").await;
    let (mut ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    pair.relay.has(Fault::Cut);
    for _ in 0..30 {
        ann.type_at(0, "a").await;
    }
    ann.wait("all answers", |client| client.answers.len() == 31).await;
    let rows = "SELECT COUNT(*) FROM snapshots WHERE file_id = $1";
    eventually("a snapshot", || async { pair.one.number(rows, file).await == 1 }).await;
    // What it lacks is in a snapshot by now: it reads the whole document.
    bob.type_at(0, "b").await;
    bob.wait("its edit", |client| client.answers.len() == 2).await;
    bob.wait("everything", |client| client.text().len() == 31).await;
    pair.relay.has(Fault::None);
    for _ in 0..30 {
        bob.type_at(0, "b").await;
        ann.type_at(0, "a").await;
    }
    ann.wait("everything", |client| client.text().len() == 91).await;
    bob.wait("everything", |client| client.text() == ann.text()).await;
    assert_eq!(pair.one.stored_text(file).await, ann.text());
}

fn somebody(client: u64, clock: u32) -> Entry<'static> {
    Entry { client, clock, state: Some(r#"{"user":"ann"}"#) }
}

async fn sees(client: &mut Client, who: u64, is_here: bool) {
    let what = format!("that {who} is here: {is_here}");
    client.wait(&what, |client| client.presence.get(&who).is_some_and(|(_, state)| state.is_some() == is_here)).await;
}

async fn presence_reaches_the_other_node_and_who_comes_later(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let ann = pair.one.editor(file).await;
    let mut bob = pair.two.editor(file).await;
    ann.announce(&[somebody(7, 1)]).await;
    sees(&mut bob, 7, true).await;
    // A node on which nobody has been asks who is here.
    let cleo_node = pair.two.twin(not_comparing());
    let mut cleo = cleo_node.editor(file).await;
    sees(&mut cleo, 7, true).await;
    ann.detach().await;
    sees(&mut bob, 7, false).await;
    sees(&mut cleo, 7, false).await;
    // The page comes back to the other node at the same clock.
    let again = pair.two.editor(file).await;
    again.announce(&[somebody(7, 1)]).await;
    sees(&mut bob, 7, true).await;
}

async fn presence_of_a_node_that_died_goes_away(ground: Ground) {
    let pair = Pair::start(ground, RoomSettings { presence_expiry_ms: 400, ..not_comparing() }).await;
    let (ann, mut bob) = (
        pair.one.client(Place::Task, Role::Editor, pair.one.user, Door::Room).await,
        pair.two.client(Place::Task, Role::Editor, pair.one.user, Door::Room).await,
    );
    ann.announce(&[somebody(7, 1)]).await;
    sees(&mut bob, 7, true).await;
    pair.relay.has(Fault::Cut);
    sees(&mut bob, 7, false).await;
}

async fn moving_cursors_are_gathered_into_few_messages(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let file = pair.one.file("").await;
    let (ann, mut bob) = (pair.one.editor(file).await, pair.two.editor(file).await);
    let began = tokio::time::Instant::now();
    for clock in 1..=100 {
        ann.announce(&[somebody(7, clock)]).await;
    }
    bob.wait("the last cursor", |client| client.presence.get(&7).is_some_and(|(clock, _)| *clock == 100)).await;
    // One for each time that presence gathers, and one more for the node that asked who is here.
    let ticks = began.elapsed().as_millis() / u128::from(not_comparing().presence_tick_ms);
    let messages = pair.relay.presence.load(Ordering::Relaxed);
    assert!(messages as u128 <= ticks + 3, "{messages} messages in {ticks} ticks");
}

async fn changes_of_tree_and_roles_reach_the_other_nodes_sockets(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let (one, two) = (&pair.one, &pair.two);
    let (kept, deleted) = (one.file("").await, one.file("").await);
    let (mut bob, mut cleo) = (two.synced(kept).await, two.synced(deleted).await);
    let mut watcher = two.client(Place::Task, Role::Editor, one.user, Door::Text).await;
    delete(one, deleted).await;
    cleo.wait("the end", |client| client.farewell.is_some()).await;
    watcher.wait("the tree", |client| client.control.iter().any(|event| event["type"] == "tree")).await;
    one.roles.lock().unwrap().insert(one.user, Some(Role::Viewer));
    one.announce(&TaskEvent::Members { user: one.user }).await;
    bob.wait("readonly", |client| client.control.iter().any(|said| said["scope"] == "readonly")).await;
    bob.type_at(0, "x").await;
    bob.wait("a refusal", |client| client.answers.last() == Some(&false)).await;
    one.announce(&TaskEvent::Deleted {}).await;
    bob.wait("the end", |client| client.farewell.is_some()).await;
    watcher.wait("the end", |client| client.farewell.is_some()).await;
}

async fn delete(node: &Node, file: FileId) {
    node.tables.execute("DELETE FROM files WHERE id = $1", values![file.to_string()]).await.unwrap();
    let changes = vec![TreeChange::Deleted { file, path: "a".into() }];
    node.announce(&TaskEvent::Tree { revision: 1, changes, by: "ann".into() }).await;
}

async fn run_is_never_told_to_be_less_far_than_it_was(ground: Ground) {
    let pair = Pair::start(ground, not_comparing()).await;
    let node = &pair.one;
    let mut watcher = node.client(Place::Task, Role::Editor, node.user, Door::Text).await;
    // The room hears the bus, and the watcher is in it.
    node.rooms.barrier(node.task).await.unwrap();
    let run = queued_run(node.task);
    let later = queued_run(node.task);
    // Each process announces what it has read, and the bus brings it when it does.
    for (run, state) in [
        (&run, RunState::Running),
        (&run, RunState::Queued),
        (&run, RunState::Done),
        (&run, RunState::Running),
        (&later, RunState::Queued),
    ] {
        node.announce(&TaskEvent::Run { run: Box::new(Run { state, ..run.clone() }) }).await;
    }
    let told = |client: &Client, run: &Run| -> Vec<u64> {
        let events = client.control.iter().filter(|event| event["run"]["id"] == run.id.to_string());
        events.filter_map(|event| event["run"]["state"].as_u64()).collect()
    };
    watcher.wait("the last announcement", |client| !told(client, &later).is_empty()).await;
    assert_eq!(told(&watcher, &run), [2, 3]);
}

/// Each of these on SQLite and a bus in the process, and on PostgreSQL and Redis.
macro_rules! on_each {
    ($($test:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Ground::Embedded).await;
            })*
        }

        mod cluster {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Ground::Cluster).await;
            })*
        }
    };
}

on_each! {
    edit_on_one_node_is_shown_on_the_other_by_one_message
    two_nodes_that_write_one_document_converge
    doubled_messages_change_nothing
    swapped_messages_change_nothing
    lost_messages_are_made_good_from_the_tables
    nodes_that_hear_nothing_of_each_other_still_converge
    next_message_shows_that_one_was_lost
    edit_that_was_stored_and_never_published_is_found
    number_of_an_edit_that_was_never_stored_leaves_no_gap
    edits_that_were_never_stored_leave_no_gap
    run_is_never_told_to_be_less_far_than_it_was
    client_from_another_node_is_caught_up_with_and_not_asked_to_repeat
    returning_client_does_not_store_again_what_its_old_node_stored
    written_text_replaces_what_the_other_node_stored
    nobody_writes_on_one_node_in_the_name_of_somebody_on_the_other
    document_that_left_memory_still_gets_what_others_store
    submit_on_one_node_sees_what_was_acknowledged_on_the_other
    compaction_on_one_node_leaves_the_other_able_to_go_on
    presence_reaches_the_other_node_and_who_comes_later
    presence_of_a_node_that_died_goes_away
    moving_cursors_are_gathered_into_few_messages
    changes_of_tree_and_roles_reach_the_other_nodes_sockets
}

#[tokio::test]
async fn what_one_commit_gathered_is_one_message_here() {
    // Only SQLite has one writer that can be kept busy.
    what_one_commit_gathered_is_one_message(Ground::Embedded).await;
}
