//! One reader stalls while much passes: the server's memory, that others are unhurt, and that it misses nothing in the end.

use std::{
    collections::HashMap,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use coderoom_protocol::{
    frame::{
        SyncMessage,
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
    },
    gate,
    ids::TaskId,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::{
    Finding,
    member::{Member, wait},
};
use crate::{
    person::Person,
    process::resident_bytes,
    server::{Deployment, Server},
    typist::Typist,
};

/// Pieces of 11 kB, 2,000 of them: 22 MB, over 20 files so that no file grows past its limit.
const PIECES: usize = 2_000;
const PIECE: usize = 11_000;
const FILES: usize = 20;
/// What each file has in the end.
const PER_FILE: u64 = (PIECES / FILES * PIECE) as u64;

/// One socket with all files open.
struct Reader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// How much of each file it has.
    has: HashMap<String, u32>,
    synced: usize,
}

impl Reader {
    async fn join(person: &Person, task: TaskId) -> Self {
        let url = format!("{}/ws/tasks/{task}", person.url.replacen("http", "ws", 1));
        let (mut socket, _) = connect_async(url).await.expect("the upgrade is accepted");
        for file in 0..FILES {
            let address = format!("/file{file}.txt");
            let auth = as_client::auth(&address, &person.token, Some("4.8.0"));
            let step1 = as_client::sync(&address, SyncMessage::Step1(&[0]));
            for frame in [auth, step1] {
                socket.send(Message::binary(frame)).await.expect("the socket is open");
            }
        }
        let mut reader = Self { socket, has: HashMap::new(), synced: 0 };
        while reader.synced < FILES {
            reader.read().await;
        }
        reader
    }

    /// Takes one message. An edit that rests on one it did not get ends the benchmark.
    async fn read(&mut self) {
        let Some(Ok(message)) = self.socket.next().await else { panic!("the reader's socket has ended") };
        let Message::Binary(bytes) = message else { return };
        let Ok(ServerFrame::Message { address, message: ServerPayload::Sync(sync) }) = parse_server_frame(&bytes)
        else {
            return;
        };
        let update = match sync {
            SyncMessage::Step1(_) => return,
            SyncMessage::Step2(update) => {
                self.synced += 1;
                update
            }
            SyncMessage::Update(update) => update,
        };
        let facts = gate::check(update, |_| u32::MAX).expect("the server's updates are good");
        let has = self.has.entry(address.to_owned()).or_default();
        for writer in facts.writers {
            assert!(writer.start <= *has, "{address}: {} to {} are missing", *has, writer.start);
            *has = writer.end.max(*has);
        }
    }

    fn has_everything(&self) -> bool {
        self.has.len() == FILES && self.has.values().all(|has| u64::from(*has) == PER_FILE)
    }
}

/// Peak of the server's memory above what it was before, in MB, and the seconds that the others took.
async fn passes(is_stalled: bool) -> (f64, f64) {
    let settings = [("CODEROOM_SOCKETS_FRAMES_PER_SECOND", "1000000"), ("CODEROOM_SOCKETS_BYTES_PER_SECOND", "1GiB")];
    let server = Server::start_with(Deployment::Embedded, &settings).await;
    let person = Person::admin(&server);
    let task = person.create_task("stall", "python").await;
    let text = "y".repeat(PIECE);
    let mut rooms = Vec::new();
    for file in 0..FILES {
        let path = format!("file{file}.txt");
        person.write(task, &path, "").await;
        let writer = Member::join(&person, task, &path).await;
        let other = Member::join(&person, task, &path).await;
        writer.synced().await;
        other.synced().await;
        rooms.push((writer, other, Typist::new(5_000_000 + file as u64)));
    }
    let mut reader = Reader::join(&person, task).await;
    let before = resident_bytes(server.pid());
    let (began, mut peak) = (Instant::now(), before);
    // The one that reads does so beside the writers.
    let reading = tokio::spawn(async move {
        if is_stalled {
            return reader;
        }
        while !reader.has_everything() {
            reader.read().await;
        }
        reader
    });
    for piece in 0..PIECES {
        let (writer, _, typist) = &mut rooms[piece % FILES];
        writer.send(&typist.next_text(&text)).await;
        if piece % 50 == 0 {
            peak = peak.max(resident_bytes(server.pid()));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    for (writer, other, _) in &rooms {
        wait(|| writer.heard.stored.load(Relaxed) >= (PIECES / FILES) as u64, "all edits to be stored").await;
        wait(|| other.heard.characters.load(Relaxed) >= PER_FILE, "the other readers to have everything").await;
    }
    let seconds = began.elapsed().as_secs_f64();
    peak = peak.max(resident_bytes(server.pid()));
    let mut reader = reading.await.expect("the reader");
    while !reader.has_everything() {
        let read = tokio::time::timeout(Duration::from_secs(60), reader.read()).await;
        assert!(read.is_ok(), "the stalled reader does not get the rest");
    }
    ((peak - before) as f64 / 1e6, seconds)
}

/// One of three readers stalls while 22 MB of edits pass, on one socket with all files open.
pub async fn stalled_reader() -> Vec<Finding> {
    let (all_read, unhurt) = passes(false).await;
    let (one_stalls, beside) = passes(true).await;
    let what = format!(
        "one reader stalls while 22 MB pass: extra memory (others done after {beside:.1} s; {unhurt:.1} s when all read)"
    );
    vec![Finding::at_most(what, (one_stalls - all_read).max(0.0), 4.0, "MB")]
}
