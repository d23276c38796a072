//! Edits to many members: CPU of the server per delivery, edits per CPU second, and time to the stored acknowledgement.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use super::{
    Finding,
    member::{Member, wait},
    percentile_ms,
};
use crate::{
    person::Person,
    process::cpu,
    server::{Deployment, Server},
    typist::Typist,
};

async fn room(person: &Person, members: usize) -> Vec<Member> {
    let task = person.create_task("fan out", "python").await;
    let mut all = Vec::new();
    for _ in 0..members {
        all.push(Member::join(person, task, "run.py").await);
    }
    for member in &all {
        member.synced().await;
    }
    all
}

/// What one `send` of 60 bytes to a loopback socket costs on this machine at this moment, in microseconds of CPU: `sockets` of
/// them in a row, `per_second` times a second. Every delivery costs at least this, whatever the server does.
fn bare_send(sockets: usize, per_second: f64, rounds: u32) -> f64 {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut far = Vec::new();
    let mut near = Vec::new();
    for _ in 0..sockets {
        far.push(TcpStream::connect(address).expect("a connection"));
        let stream = listener.accept().expect("a connection").0;
        stream.set_nodelay(true).expect("an option");
        near.push(stream);
    }
    let readers: Vec<_> = far
        .into_iter()
        .map(|mut stream| std::thread::spawn(move || while stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {}))
        .collect();
    let sending = std::thread::spawn(move || {
        let mut used = std::time::Duration::ZERO;
        for _ in 0..rounds {
            std::thread::sleep(Duration::from_secs_f64(1.0 / per_second));
            let before = thread_cpu();
            for stream in &mut near {
                stream.write_all(&[7; 60]).expect("sent");
            }
            used += thread_cpu() - before;
        }
        used
    });
    let used = sending.join().expect("a thread");
    for reader in readers {
        let _ = reader.join();
    }
    used.as_secs_f64() * 1e6 / (sockets as f64 * f64::from(rounds))
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Types for `seconds` at `per_second` from the first `typing` members of each room; gives CPU per delivery in microseconds.
async fn paced(server: &Server, rooms: &mut [Vec<Member>], typing: usize, per_second: f64, seconds: f64) -> f64 {
    let before = cpu(server.pid());
    let rounds = (per_second * seconds) as u32;
    let members: usize = rooms[0].len();
    let mut typists: Vec<Vec<Typist>> = (0..rooms.len())
        .map(|room| (0..typing).map(|who| Typist::new(1_000_000 + (room * 100 + who) as u64)).collect())
        .collect();
    let gap = Duration::from_secs_f64(1.0 / per_second / (rooms.len() * typing) as f64);
    let mut next = tokio::time::Instant::now();
    for _ in 0..rounds {
        for (room, typists) in rooms.iter_mut().zip(&mut typists) {
            for (member, typist) in room.iter_mut().zip(typists) {
                tokio::time::sleep_until(next).await;
                next += gap;
                member.send(&typist.next_update()).await;
            }
        }
    }
    for room in rooms.iter() {
        let all = u64::from(rounds) * typing as u64;
        for (index, member) in room.iter().enumerate() {
            let own = if index < typing { u64::from(rounds) } else { 0 };
            wait(|| member.heard.characters.load(Relaxed) >= all - own, "all edits to arrive").await;
        }
    }
    let deliveries = u64::from(rounds) as usize * typing * (members - 1) * rooms.len();
    (cpu(server.pid()) - before).as_secs_f64() * 1e6 / deliveries as f64
}

/// One document, 40 members, 8 typing 5 a second.
pub async fn one_document() -> Vec<Finding> {
    let server = Server::start(Deployment::Embedded).await;
    let mut rooms = [room(&Person::admin(&server), 40).await];
    let cost = paced(&server, &mut rooms, 8, 5.0, 20.0).await;
    drop(server);
    let bare = bare_send(39, 40.0, 200);
    let what = format!(
        "one document, 40 members, 8 typing 5/s: CPU per delivery (a bare loopback send here and now: {bare:.1} us)"
    );
    vec![Finding::at_most(what, cost, 6.0, "us")]
}

/// 50 rooms of 3, one typing 4 a second.
pub async fn many_rooms() -> Vec<Finding> {
    let server = Server::start(Deployment::Embedded).await;
    let person = Person::admin(&server);
    let mut rooms = Vec::new();
    for _ in 0..50 {
        rooms.push(room(&person, 3).await);
    }
    let cost = paced(&server, &mut rooms, 1, 4.0, 20.0).await;
    drop(server);
    let bare = bare_send(2, 200.0, 600);
    let what =
        format!("50 rooms of 3, one typing 4/s: CPU per delivery (a bare loopback send here and now: {bare:.1} us)");
    vec![Finding::at_most(what, cost, 40.0, "us")]
}

/// 20 members, 4 typing as fast as it goes; then the acknowledgement at a tenth of that rate.
pub async fn flat_out() -> Vec<Finding> {
    const EDITS: u64 = 60_000;
    let server = Server::start_with(Deployment::Embedded, &[("CODEROOM_SOCKETS_FRAMES_PER_SECOND", "1000000")]).await;
    let mut members = room(&Person::admin(&server), 20).await;
    let began = Instant::now();
    let before = cpu(server.pid());
    let listeners = members.split_off(4);
    let typing: Vec<_> = members
        .into_iter()
        .enumerate()
        .map(|(who, mut member)| {
            tokio::spawn(async move {
                let mut typist = Typist::new(2_000_000 + who as u64);
                // A window of unanswered edits, so that neither side's buffers decide the result.
                const WINDOW: u64 = 512;
                for sent in 0..EDITS {
                    member.feed(&typist.next_update()).await;
                    if sent % 64 == 63 {
                        member.flush().await;
                        wait(|| member.heard.stored.load(Relaxed) + WINDOW >= sent, "acknowledgements").await;
                    }
                }
                member.flush().await;
                wait(|| member.heard.stored.load(Relaxed) >= EDITS, "the last acknowledgement").await;
                assert_eq!(member.heard.refused.load(Relaxed), 0, "no edit is refused");
                member
            })
        })
        .collect();
    let mut typists = Vec::new();
    for task in typing {
        typists.push(task.await.expect("a typist"));
    }
    for member in &listeners {
        wait(|| member.heard.characters.load(Relaxed) >= 4 * EDITS, "every edit at every member").await;
    }
    let used = cpu(server.pid()) - before;
    let rate = 4.0 * EDITS as f64 / used.as_secs_f64();
    let wall = 4.0 * EDITS as f64 / began.elapsed().as_secs_f64();

    // A tenth of what went through, spread over the four.
    let gap = Duration::from_secs_f64(10.0 * 4.0 / wall);
    let mut waits = Vec::new();
    let mut tasks = Vec::new();
    for (who, mut member) in typists.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let mut typist = Typist::new(3_000_000 + who as u64);
            let mut waits = Vec::new();
            let mut next = tokio::time::Instant::now();
            let begin = member.heard.stored.load(Relaxed);
            let mut sent_at = std::collections::VecDeque::new();
            let mut answered = 0;
            let collect = |member: &Member,
                           sent_at: &mut std::collections::VecDeque<Instant>,
                           answered: &mut u64,
                           waits: &mut Vec<Duration>| {
                let stored = member.heard.stored.load(Relaxed) - begin;
                while *answered < stored {
                    if let Some(at) = sent_at.pop_front() {
                        waits.push(Instant::now() - at);
                    }
                    *answered += 1;
                }
            };
            for _ in 0..2_000 {
                while tokio::time::Instant::now() < next {
                    let heard = std::sync::Arc::clone(&member.heard);
                    let _ = tokio::time::timeout_at(next, heard.news.notified()).await;
                    collect(&member, &mut sent_at, &mut answered, &mut waits);
                }
                next += gap;
                sent_at.push_back(Instant::now());
                member.send(&typist.next_update()).await;
            }
            while answered < 2_000 {
                let heard = std::sync::Arc::clone(&member.heard);
                let _ = tokio::time::timeout(Duration::from_secs(1), heard.news.notified()).await;
                collect(&member, &mut sent_at, &mut answered, &mut waits);
            }
            waits
        }));
    }
    for task in tasks {
        waits.extend(task.await.expect("a typist"));
    }
    vec![
        Finding::at_least(
            "20 members, 4 typing flat out: edits per server CPU second, delivered whole",
            rate,
            80_000.0,
            "/s",
        ),
        Finding::at_most(
            format!("stored acknowledgement at {:.0} edits/s, p50", wall / 10.0),
            percentile_ms(&mut waits, 0.5),
            5.0,
            "ms",
        ),
        Finding::at_most("the same, p99", percentile_ms(&mut waits, 0.99), 20.0, "ms"),
    ]
}
