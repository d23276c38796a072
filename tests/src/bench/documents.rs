//! Large documents and many clients at once: cold to synced, and a storm of reconnects.

use std::time::{Duration, Instant};

use coderoom_protocol::lib0::{write_string, write_var_uint};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Finding,
    member::{Member, wait},
    percentile_ms,
};
use crate::{
    person::Person,
    server::{Deployment, Server},
};

/// Single edits (Yjs v1) of somebody who writes, corrects and jumps, the same on every machine. Encoded by hand: a client's
/// document would need minutes for so many edits by index.
fn edits(count: usize) -> Vec<Vec<u8>> {
    const CLIENT: u64 = 7_654_321;
    const STRING: u8 = 4;
    const HAS_LEFT: u8 = 0x80;
    const HAS_RIGHT: u8 = 0x40;
    let mut random = StdRng::seed_from_u64(42);
    let mut cursor = 0;
    let mut clock = 0_u64;
    // Characters still to be taken back: people correct several at a time.
    let mut burst = 0;
    // The clock of each visible character.
    let mut text: Vec<u64> = Vec::new();
    let mut updates = Vec::with_capacity(count);
    for _ in 0..count {
        let mut out = Vec::with_capacity(24);
        match random.random_range(0..100) {
            0 if burst == 0 => cursor = random.random_range(0..=text.len()),
            1..=2 if burst == 0 => burst = random.random_range(1..=28),
            _ => {}
        }
        if burst > 0 && cursor > 0 {
            burst -= 1;
            cursor -= 1;
            out.extend([0, 1]);
            write_var_uint(&mut out, CLIENT);
            out.push(1);
            write_var_uint(&mut out, text.remove(cursor));
            out.push(1);
        } else {
            burst = 0;
            let (left, right) = (cursor.checked_sub(1).map(|at| text[at]), text.get(cursor).copied());
            out.extend([1, 1]);
            write_var_uint(&mut out, CLIENT);
            write_var_uint(&mut out, clock);
            out.push(STRING | left.map_or(0, |_| HAS_LEFT) | right.map_or(0, |_| HAS_RIGHT));
            for neighbour in left.into_iter().chain(right) {
                write_var_uint(&mut out, CLIENT);
                write_var_uint(&mut out, neighbour);
            }
            if left.is_none() && right.is_none() {
                out.push(1);
                write_string(&mut out, "source");
            }
            write_string(&mut out, "e");
            out.push(0);
            text.insert(cursor, clock);
            cursor += 1;
            clock += 1;
        }
        updates.push(out);
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
    // A document at rest: its last compaction has ended.
    tokio::time::sleep(Duration::from_secs(2)).await;

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
