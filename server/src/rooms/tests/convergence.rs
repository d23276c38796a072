//! Random sessions: several people edit, lose their sockets, read slowly; rooms rest, compact and restart. When all is
//! quiet, everybody has the text that the tables have. `ROOMS_SEED=…` replays one.

use rand::{Rng, RngExt as _, SeedableRng, rngs::StdRng};

use super::harness::{Client, Node};
use crate::rooms::{RoomSettings, outbox::OutboxLimits};

fn settings() -> RoomSettings {
    RoomSettings {
        idle_document_ms: 5,
        idle_room_ms: 5,
        compact_after_edits: 20,
        compact_idle_after_edits: 3,
        ..RoomSettings::default()
    }
}

fn random_limits(random: &mut StdRng) -> OutboxLimits {
    OutboxLimits { edits_bytes: [200, 2_000, 1_000_000][random.random_range(0..3)], hard_bytes: 10_000_000 }
}

async fn random_edit(client: &Client, random: &mut StdRng) {
    let text: Vec<u16> = client.text().encode_utf16().collect();
    let length = text.len() as u32;
    let offset = random.random_range(0..=length);
    let removed = random.random_range(0..=(length - offset).min(3));
    let words = ["a", "bc", "😀", "\r\n", "line\n", ""];
    let inserted = words[random.random_range(0..words.len())];
    // Like an editor, never cuts a character.
    let is_cut = |at: u32| text.get(at as usize).is_some_and(|unit| (0xdc00..0xe000).contains(unit));
    if (removed == 0 && inserted.is_empty()) || is_cut(offset) || is_cut(offset + removed) {
        return;
    }
    client.send_update(client.edit(offset, removed, inserted)).await;
}

async fn session(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut node = Node::start(settings()).await;
    let file = node.file("def main():\n    pass\n").await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(node.synced(file).await);
    }
    for _ in 0..300 {
        let index = random.random_range(0..clients.len());
        match random.random_range(0..100) {
            0..70 => random_edit(&clients[index], &mut random).await,
            70..85 => clients[index].read_all_quickly().await,
            85..92 => {
                let client = clients.swap_remove(index);
                let mut client = node.reconnect(client, random_limits(&mut random)).await;
                client.sync().await;
                clients.push(client);
            }
            92..95 => tokio::time::sleep(std::time::Duration::from_millis(random.random_range(0..15))).await,
            95..97 => {
                let text = format!("{}# {}\n", clients[index].text(), random.next_u32());
                node.rooms.write_text(node.task, file, text).await.unwrap();
            }
            97..98 => {
                node.restart(settings()).await;
                let mut back = Vec::new();
                for client in clients.drain(..) {
                    let mut client = node.reconnect(client, random_limits(&mut random)).await;
                    client.sync().await;
                    back.push(client);
                }
                clients = back;
            }
            _ => node.rooms.barrier(node.task).await.unwrap(),
        }
    }
    // Everybody says all they have, then everybody hears all there is.
    for _ in 0..2 {
        for client in &mut clients {
            client.read_all().await;
            client.sync().await;
        }
        node.rooms.barrier(node.task).await.unwrap();
    }
    let stored = node.stored_text(file).await;
    for client in &mut clients {
        client.wait(&format!("the stored text (seed {seed})"), |client| client.text() == stored).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sessions_converge_on_what_is_stored() {
    let seeds = match std::env::var("ROOMS_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..4).map(|_| rand::random()).collect::<Vec<u64>>(),
    };
    for seed in seeds {
        println!("ROOMS_SEED={seed}");
        session(seed).await;
    }
}
