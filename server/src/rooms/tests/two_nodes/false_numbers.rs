//! Numbers that somebody tells and nobody stored: they are not waited for again and again.

use coderoom_protocol::ids::FileId;
use coderoom_worker::announce::task_topic;

use super::not_comparing;
use crate::rooms::{
    RoomSettings,
    between_nodes::{Message, NodeId, StoredRow, encode},
    log_row,
    tests::harness::{
        counters::Counters,
        eventually,
        pair::{Ground, Pair},
    },
};

/// Edits go on while false numbers are told; whether the tables are read only as often as `readings`.
async fn reads_no_more_than(pair: &Pair, file: FileId, forged: Message, counters: &Counters) {
    const READINGS: &str = "coderoom_documents_caught_up_total";
    let (ann, mut bob) = (pair.one.synced(file).await, pair.two.synced(file).await);
    ann.type_at(0, "a").await;
    bob.wait_text("a").await;
    let before = counters.get(READINGS);
    // Both nodes hear it.
    pair.two.bus.publish(&task_topic(pair.one.task), encode(NodeId(7), &forged)).await.unwrap();
    eventually("both nodes read what they seem to lack", || async { counters.get(READINGS) >= before + 2 }).await;
    for count in 2..=40 {
        ann.type_at(0, "a").await;
        bob.wait("the edit", |client| client.text().matches('a').count() == count).await;
    }
    let readings = counters.get(READINGS) - before;
    assert!(readings <= 6, "{readings} readings for one false number");
}

pub(super) async fn number_of_an_edit_that_was_never_stored_leaves_no_gap(ground: Ground) {
    let counters = Counters::default();
    let _counting = counters.begin();
    let pair = Pair::start(ground, RoomSettings { gap_ms: 1, ..not_comparing() }).await;
    let file = pair.one.file("").await;
    reads_no_more_than(&pair, file, Message::Behind { file, seq: 1_000_000 }, &counters).await;
}

pub(super) async fn edits_that_were_never_stored_leave_no_gap(ground: Ground) {
    let counters = Counters::default();
    let _counting = counters.begin();
    let pair = Pair::start(ground, RoomSettings { gap_ms: 1, ..not_comparing() }).await;
    let file = pair.one.file("").await;
    let stranger = pair.one.synced(file).await;
    let mut data = Vec::new();
    log_row::append(&mut data, &stranger.edit(0, 0, "never"));
    stranger.detach().await;
    let row = StoredRow { file, epoch: 1, seq: 1_000_000, count: 1, data: data.into() };
    reads_no_more_than(&pair, file, Message::Edits(row), &counters).await;
}
