//! Large documents and many clients at once: cold to synced, and a storm of reconnects.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use yrs::{Doc, OffsetKind, Options, Text, Transact, block::ClientID};

use super::{
    Finding,
    member::{Member, wait},
    percentile_ms,
};
use crate::{
    person::Person,
    server::{Deployment, Server},
};

/// Single edits of somebody who writes, corrects and jumps: typing runs, deletions, jumps; the same on every machine.
fn edits(count: usize) -> Vec<Vec<u8>> {
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(7_654_321))
    });
    let text = doc.get_or_insert_text("source");
    let mut random = StdRng::seed_from_u64(42);
    let mut cursor = 0_u32;
    let mut length = 0_u32;
    let mut updates = Vec::with_capacity(count);
    for _ in 0..count {
        let mut txn = doc.transact_mut();
        let mut has_deleted = false;
        match random.random_range(0..100) {
            0..2 if length > 0 => cursor = random.random_range(0..length),
            2..30 if cursor > 0 => {
                text.remove_range(&mut txn, cursor - 1, 1);
                cursor -= 1;
                length -= 1;
                has_deleted = true;
            }
            _ => {}
        }
        if !has_deleted {
            text.insert(&mut txn, cursor, "e");
            cursor += 1;
            length += 1;
        }
        updates.push(txn.encode_update_v1());
    }
    updates
}

/// A document of 260,000 edits: from a cold server to synced, for one client and for 20 at once.
pub async fn cold_to_synced() -> Vec<Finding> {
    const EDITS: usize = 260_000;
    let mut server =
        Server::start_with(Deployment::Embedded, &[("CODEROOM_SOCKETS_FRAMES_PER_SECOND", "1000000")]).await;
    let person = Person::admin(&server);
    let task = person.create_task("large", "python").await;
    person.write(task, "large.txt", "").await;
    let mut writer = Member::join(&person, task, "large.txt").await;
    writer.synced().await;
    for (index, update) in edits(EDITS).iter().enumerate() {
        writer.feed(update).await;
        if index % 256 == 255 {
            writer.flush().await;
            let heard = &writer.heard;
            wait(|| heard.stored.load(std::sync::atomic::Ordering::Relaxed) + 4096 >= index as u64, "acknowledgements")
                .await;
        }
    }
    writer.flush().await;
    wait(|| writer.heard.stored.load(std::sync::atomic::Ordering::Relaxed) >= EDITS as u64, "the last acknowledgement")
        .await;
    assert_eq!(writer.heard.refused.load(std::sync::atomic::Ordering::Relaxed), 0, "no edit is refused");
    drop(writer);

    let mut findings = Vec::new();
    for (clients, goal) in [(1, 20.0), (20, 50.0)] {
        let mut times = Vec::new();
        for _ in 0..7 {
            server.terminate().await;
            server.start_again().await;
            // The first connection of a process pays for much that has nothing to do with the document.
            Member::join(&person, task, "run.py").await.synced().await;
            let began = Instant::now();
            let joins = (0..clients).map(|_| async {
                let member = Member::join(&person, task, "large.txt").await;
                member.synced().await;
                member
            });
            let members = futures_util::future::join_all(joins).await;
            times.push(began.elapsed());
            drop(members);
        }
        let what = format!("document of 260,000 edits, cold to synced, {clients} at once (median of 7)");
        findings.push(Finding::at_most(what, percentile_ms(&mut times, 0.5), goal, "ms"));
    }
    findings
}

/// 200 clients of 20 rooms lose their connections and come back at once.
pub async fn reconnect_storm() -> Vec<Finding> {
    let server = Server::start(Deployment::Embedded).await;
    let person = Person::admin(&server);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(person.create_task("storm", "python").await);
    }
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..6 {
        let began = Instant::now();
        let joins = (0..200).map(|client| {
            let (person, task) = (&person, tasks[client % tasks.len()]);
            async move {
                let member = Member::join(person, task, "run.py").await;
                member.synced().await;
                member
            }
        });
        let members = futures_util::future::join_all(joins).await;
        times.push(began.elapsed());
        drop(members);
    }
    times.remove(0);
    vec![Finding::at_most(
        "200 clients reconnect at once, all synced (median of 5)",
        percentile_ms(&mut times, 0.5),
        40.0,
        "ms",
    )]
}
