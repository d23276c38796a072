//! First syncs, loads, and clients that read slowly.

use coderoom_backing::values;
use coderoom_protocol::role::Role;

use super::harness::{Door, Node, counters::Counters, eventually};
use crate::rooms::{Place, RoomEvent, RoomSettings, outbox::OutboxLimits};

/// So many joins of one cold document at the same moment.
async fn joined_at_once(count: usize) {
    let counters = Counters::default();
    let _counting = counters.begin();
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file(&"line of text\n".repeat(3_000)).await;
    let mut joiners = Vec::new();
    for _ in 0..count {
        joiners.push(node.editor(file).await);
    }
    for joiner in &joiners {
        joiner.send_step1().await;
    }
    for joiner in &mut joiners {
        joiner.wait("step 2", |client| client.is_synced).await;
        assert_eq!(joiner.text().len(), 39_000);
        assert_eq!(joiner.step1s.len(), 1);
    }
    assert_eq!(counters.get("coderoom_documents_loaded_total"), 1);
    assert_eq!(counters.get("coderoom_documents_encoded_total"), 1);
}

#[tokio::test]
async fn two_joins_of_a_cold_document_cost_one_load_and_one_encode() {
    joined_at_once(2).await;
}

#[tokio::test]
async fn twenty_joins_of_a_cold_document_cost_one_load_and_one_encode() {
    joined_at_once(20).await;
}

#[tokio::test]
async fn large_first_sync_comes_in_pieces_and_whole() {
    let settings = RoomSettings { sync_piece_bytes: 10_000, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let text = "some text 😀\r\n".repeat(5_000);
    let file = node.file(&text).await;
    let mut ann = node.editor(file).await;
    ann.sync().await;
    assert_eq!(ann.text(), text);
    assert!(ann.updates >= 6, "{} pieces came before the last", ann.updates);
}

#[tokio::test]
async fn slow_reader_gets_one_diff_for_all_it_missed() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let ann = node.synced(file).await;
    let limits = OutboxLimits { edits_bytes: 1_000, hard_bytes: 1_000_000 };
    let mut slow = node.client_with(Place::File(file), Role::Editor, node.user, Door::Room, limits).await;
    slow.sync().await;
    let piece = "x".repeat(500);
    for _ in 0..200 {
        ann.type_at(0, &piece).await;
    }
    node.rooms.barrier(node.task).await.unwrap();
    assert!(slow.outbox.queued_bytes() < 100_000, "{} bytes are queued", slow.outbox.queued_bytes());
    slow.wait_text(&ann.text()).await;
    // And it goes on as before.
    ann.type_at(0, "end").await;
    slow.wait_text(&ann.text()).await;
}

#[tokio::test]
async fn states_that_are_asked_for_and_not_read_are_encoded_few_times() {
    let counters = Counters::default();
    let _counting = counters.begin();
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file(&"line of text\n".repeat(3_000)).await;
    let limits = OutboxLimits { edits_bytes: 100_000, hard_bytes: 10_000_000 };
    let mut asker = node.client_with(Place::File(file), Role::Viewer, node.user, Door::Room, limits).await;
    asker.answers_step1 = false;
    // Each with another vector, so that no answer is remembered.
    for clock in 1..=100 {
        let state_vector = vec![1, 5, clock].into();
        asker.send(RoomEvent::SyncStep1 { session: asker.id, state_vector }).await;
    }
    node.rooms.barrier(node.task).await.unwrap();
    let encoded = counters.get("coderoom_documents_encoded_total");
    assert!((1..=5).contains(&encoded), "{encoded}");
    assert!(asker.outbox.queued_bytes() < 300_000, "{} bytes are queued", asker.outbox.queued_bytes());
    asker.send_step1().await;
    asker.wait("step 2", |client| client.text().len() == 39_000).await;
}

#[tokio::test]
async fn refused_first_sync_comes_when_the_socket_has_drained() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("text").await;
    let limits = OutboxLimits { edits_bytes: 10, hard_bytes: 1_000_000 };
    let mut ann = node.client_with(Place::File(file), Role::Editor, node.user, Door::Room, limits).await;
    ann.outbox.push(crate::rooms::frames::binary(&frame_of_nothing(file)));
    ann.sync().await;
    assert_eq!(ann.text(), "text");
}

fn frame_of_nothing(file: coderoom_protocol::ids::FileId) -> Vec<u8> {
    let mut frame = Vec::new();
    let prefix = coderoom_protocol::frame::write::address_prefix(&file.to_string());
    coderoom_protocol::frame::write::keep_alive(&mut frame, &prefix);
    frame
}

#[tokio::test]
async fn resting_document_leaves_memory_and_wakes_for_the_next_edit() {
    let settings = RoomSettings { idle_document_ms: 50, compact_idle_after_edits: 10, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("").await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    for _ in 0..30 {
        ann.type_at(0, "ab").await;
        ann.send_update(ann.edit(1, 1, "")).await;
    }
    ann.wait("all answers", |client| client.answers.len() == 61).await;
    eventually("the log is compacted", || async { node.stored_edits(file).await == 0 }).await;
    assert_eq!(node.stored_text(file).await, "a".repeat(30));
    assert_eq!(node.number("SELECT size FROM files WHERE id = $1", file).await, 30);
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    bob.wait_text(&"a".repeat(30)).await;
    bob.type_at(0, "z").await;
    ann.wait_text(&format!("z{}", "a".repeat(30))).await;
    assert_eq!(node.number("SELECT seq FROM files WHERE id = $1", file).await, 61);
    let mut cleo = node.synced(file).await;
    cleo.wait_text(&ann.text()).await;
}

#[tokio::test]
async fn log_is_compacted_while_people_type() {
    let settings = RoomSettings { compact_after_edits: 50, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("seed").await;
    let mut ann = node.synced(file).await;
    for number in 0..400_u32 {
        ann.type_at(number % 4, "x").await;
        if number % 20 == 0 {
            node.rooms.barrier(node.task).await.unwrap();
        }
    }
    ann.wait("all answers", |client| client.answers.len() == 401).await;
    eventually("the log is short", || async { node.stored_edits(file).await < 50 }).await;
    let snapshot = node.number("SELECT seq FROM snapshots WHERE file_id = $1", file).await;
    assert!(snapshot >= 351, "the snapshot is at {snapshot}");
    assert_eq!(node.stored_text(file).await, ann.text());
    let mut bob = node.synced(file).await;
    bob.wait_text(&ann.text()).await;
}

#[tokio::test]
async fn history_is_kept_when_asked_for() {
    let settings = RoomSettings { compact_after_edits: 5, keep_history: true, ..RoomSettings::default() };
    let node = Node::start(settings).await;
    let file = node.file("").await;
    let ann = node.synced(file).await;
    for _ in 0..20 {
        ann.type_at(0, "x").await;
        node.rooms.barrier(node.task).await.unwrap();
    }
    eventually("a snapshot", || async {
        node.number("SELECT COUNT(*) FROM snapshots WHERE file_id = $1", file).await == 1
    })
    .await;
    assert_eq!(node.stored_edits(file).await, 20);
    assert_eq!(node.stored_text(file).await, "x".repeat(20));
}

#[tokio::test]
async fn document_that_cannot_be_read_ends_its_sessions_and_no_others() {
    let node = Node::start(RoomSettings::default()).await;
    let (bad, good) = (node.file("bad").await, node.file("good").await);
    node.tables
        .execute("UPDATE edits SET data = $2 WHERE file_id = $1", values![bad.to_string(), vec![9_u8, 1]])
        .await
        .unwrap();
    let mut ann = node.editor(bad).await;
    let mut bob = node.synced(good).await;
    ann.send_step1().await;
    ann.wait("the end", |client| client.farewell.is_some()).await;
    bob.type_at(0, "very ").await;
    bob.wait_answers(&[true, true]).await;
    assert_eq!(node.stored_text(good).await, "very good");
}

#[tokio::test]
async fn provider_on_the_task_itself_comes_to_rest() {
    let node = Node::start(RoomSettings::default()).await;
    let mut ann = node.client(Place::Task, Role::Viewer, node.user, Door::Room).await;
    ann.sync().await;
    assert_eq!((ann.text().as_str(), ann.answers.as_slice()), ("", &[true][..]));
    ann.send(RoomEvent::Update { session: ann.id, update: ann.edit(0, 0, "x").into(), is_step2: false }).await;
    ann.wait_answers(&[true, false]).await;
}
