//! Clients that break every rule of the socket itself. Nobody else may notice.

use std::time::Duration;

use coderoom_protocol::{
    frame::{
        SyncMessage,
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
    },
    ids::TaskId,
};
use futures_util::{SinkExt, StreamExt};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Error, Message},
};

use crate::{
    editor::Editor,
    person::Person,
    process::resident_bytes,
    server::{Deployment, Server},
    wait::PATIENCE,
};

/// A server with a task, two files, and somebody who only wants to work.
struct Neighbourhood {
    server: Server,
    person: Person,
    task: TaskId,
    neighbour: Editor,
}

impl Neighbourhood {
    async fn begin(deployment: Deployment) -> Self {
        let server = Server::start(deployment).await;
        let person = Person::admin(&server);
        let task = person.create_task("hostile", "python").await;
        person.write(task, "calm.txt", "calm").await;
        person.write(task, "wild.txt", "wild").await;
        let neighbour = Editor::open(&person, task, "calm.txt").await;
        Self { server, person, task, neighbour }
    }

    fn path(&self) -> String {
        format!("/ws/tasks/{}", self.task)
    }

    async fn websocket(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let url = format!("{}{}", self.server.url().replacen("http", "ws", 1), self.path());
        connect_async(url).await.expect("the upgrade is accepted").0
    }

    /// The same with so small a window that little is on its way when nobody reads.
    async fn narrow_websocket(&self) -> WebSocketStream<TcpStream> {
        let address = self.server.url().replacen("http://", "", 1).parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(8 << 10).expect("a small window");
        let stream = socket.connect(address).await.expect("the server listens");
        let url = format!("{}{}", self.server.url().replacen("http", "ws", 1), self.path());
        client_async(url, stream).await.expect("the upgrade is accepted").0
    }

    /// A socket after the upgrade, without anybody who keeps to the rules on this side.
    async fn raw(&self) -> TcpStream {
        let host = self.server.url().replacen("http://", "", 1);
        let mut stream = TcpStream::connect(&host).await.expect("the server listens");
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.path()
        );
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("an answer"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        stream
    }

    /// The neighbour's next edit is stored, and nothing of the neighbour's was lost or changed.
    async fn is_calm(&mut self) {
        self.neighbour.append(".").await;
        self.neighbour.wait_until_stored().await;
        assert!(!self.neighbour.ended(), "the neighbour's socket has ended");
        assert_eq!(self.person.read(self.task, "calm.txt").await, self.neighbour.text());
        assert!(self.neighbour.text().starts_with("calm."));
    }
}

/// Bytes that are no WebSocket frames end the socket that sent them, with a reason, and nothing else.
pub async fn broken_framing_ends_only_its_own_socket(deployment: Deployment) {
    let mut place = Neighbourhood::begin(deployment).await;
    let cases: [(&str, &[u8]); 7] = [
        ("not masked", &[0x82, 1, 0]),
        ("reserved bits", &[0xf2, 0x80, 0, 0, 0, 0]),
        ("unknown opcode", &[0x83, 0x80, 0, 0, 0, 0]),
        ("continuation of nothing", &[0x80, 0x80, 0, 0, 0, 0]),
        ("fragmented ping", &[0x09, 0x80, 0, 0, 0, 0]),
        ("ping of 126 bytes", &[0x89, 0xfe, 0, 126, 0, 0, 0, 0]),
        ("noise", b"GET / HTTP/1.1\r\nHost: there\r\n\r\n and so on for a while, until somebody has had enough"),
    ];
    for (what, bytes) in cases {
        let mut stream = place.raw().await;
        stream.write_all(bytes).await.expect("the server reads");
        // Some cases announce a payload; this is it.
        let _ = stream.write_all(&[0; 200]).await;
        let mut said = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "{what}: the socket stays open");
        let close = said.windows(4).rev().find(|window| window[0] == 0x88);
        assert!(close.is_some(), "{what}: no close frame in {said:?}");
    }
    place.is_calm().await;
}

/// A frame of 64 MiB is refused by its header; one that is announced and never sent costs nothing.
pub async fn huge_frame_is_refused_before_it_comes(deployment: Deployment) {
    let mut place = Neighbourhood::begin(deployment).await;
    let before = resident_bytes(place.server.pid());
    let mut header = vec![0x82, 0xff];
    header.extend((64_u64 << 20).to_be_bytes());
    header.extend([0; 4]);
    let mut stream = place.raw().await;
    stream.write_all(&header).await.expect("the server reads");
    let mut said = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("the socket is closed").expect("in order");
    assert_eq!(said.get(..4), Some(&[0x88, said.len() as u8 - 2, 3, 0xf1][..]), "closed with 1009");
    let mut waiting = Vec::new();
    for _ in 0..200 {
        // As large as a frame may be, and only begun.
        let mut stream = place.raw().await;
        let mut header = vec![0x82, 0xff];
        header.extend((4_u64 << 20).to_be_bytes());
        header.extend([0; 10]);
        stream.write_all(&header).await.expect("the server reads");
        waiting.push(stream);
    }
    place.is_calm().await;
    let grown = resident_bytes(place.server.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "200 announced frames cost {} MiB", grown >> 20);
}

/// A client that never reads keeps nobody waiting, costs bounded memory, and has everything once it reads.
pub async fn client_that_never_reads_holds_up_nobody(deployment: Deployment) {
    const PIECES: usize = 150;
    const PIECE: usize = 10_000;
    // Pieces that a writer has under way at most: what waits to be stored must not hide what the stalled reader costs.
    const UNSTORED: usize = 10;
    // Whatever the system keeps for a connection, more is sent: 9 MB with Linux's default of 4 MiB.
    let files = 6_usize.max((kept_by_the_system() + OUTBOX) / (PIECES * PIECE) + 1);
    let mut place = Neighbourhood::begin(deployment).await;
    let mut stalled = place.narrow_websocket().await;
    let mut rooms = Vec::new();
    for file in 0..files {
        let path = format!("wild{file}.txt");
        place.person.write(place.task, &path, "").await;
        let address = format!("/{path}");
        for frame in
            [as_client::auth(&address, &place.person.token, None), as_client::sync(&address, SyncMessage::Step1(&[0]))]
        {
            stalled.send(Message::binary(frame)).await.expect("the server reads");
        }
        let writer = Editor::open(&place.person, place.task, &path).await;
        let reader = Editor::open(&place.person, place.task, &path).await;
        rooms.push((address, writer, reader));
    }
    let before = resident_bytes(place.server.pid());
    let piece = "z".repeat(PIECE);
    for sent in 1..=PIECES {
        for (_, writer, _) in &mut rooms {
            writer.append(&piece).await;
            if sent.is_multiple_of(UNSTORED) {
                writer.wait_until_stored().await;
            }
        }
    }
    for (_, writer, reader) in &rooms {
        writer.wait_until_stored().await;
        let length = writer.text().len();
        reader.wait_for_text("the other reader has everything", |seen| seen.len() == length).await;
    }
    place.is_calm().await;
    let grown = resident_bytes(place.server.pid()).saturating_sub(before);
    let megabytes = files * PIECES * PIECE / 1_000_000;
    assert!(grown < 96 << 20, "{megabytes} MB in {files} documents and a stalled reader cost {} MiB", grown >> 20);
    // Now it reads: what was left out comes as one diff for each document.
    let addresses: Vec<&str> = rooms.iter().map(|(address, ..)| address.as_str()).collect();
    let all = timeout(PATIENCE, read_all(&mut stalled, &addresses, PIECES * PIECE)).await;
    assert!(all.is_ok(), "the stalled reader has everything in the end");
    let metrics = place.person.send(reqwest::Method::GET, "/metrics").await.text().await.expect("metrics");
    let drained = metrics.lines().any(|line| line.starts_with("coderoom_outbox_drained_total"));
    assert!(drained, "its outbox was never full, so this test has shown nothing");
}

/// More than an outbox takes: its bound for edits and a push that goes above it.
const OUTBOX: usize = 3 << 20;

/// Bytes that the system keeps at most for a connection of which nobody reads: the largest send buffer.
fn kept_by_the_system() -> usize {
    let sizes = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").expect("Linux has it");
    sizes.split_whitespace().last().and_then(|largest| largest.parse().ok()).expect("three numbers")
}

/// Reads until the text at every address has this length.
async fn read_all(socket: &mut WebSocketStream<TcpStream>, addresses: &[&str], length: usize) {
    use yrs::{Doc, GetString, Transact, updates::decoder::Decode};
    let docs: Vec<Doc> = addresses.iter().map(|_| Doc::new()).collect();
    let texts: Vec<_> = docs.iter().map(|doc| doc.get_or_insert_text("source")).collect();
    while docs.iter().zip(&texts).any(|(doc, text)| text.get_string(&doc.transact()).len() < length) {
        let message = socket.next().await.expect("the socket stays open").expect("and well formed");
        let Message::Binary(bytes) = message else { continue };
        let Ok(ServerFrame::Message { address, message: ServerPayload::Sync(sync) }) = parse_server_frame(&bytes)
        else {
            continue;
        };
        let doc = addresses.iter().position(|known| *known == address).and_then(|index| docs.get(index));
        if let (SyncMessage::Step2(update) | SyncMessage::Update(update), Some(doc)) = (sync, doc) {
            let update = yrs::Update::decode_v1(update).expect("the server's updates decode");
            doc.transact_mut().apply_update(update).expect("and apply");
        }
    }
}

/// Text on a socket that did not ask for it is ignored; its documents go on.
pub async fn text_on_a_binary_socket_is_ignored(deployment: Deployment) {
    let mut place = Neighbourhood::begin(deployment).await;
    let mut socket = place.websocket().await;
    for text in ["", "{\"type\":\"submit\"}", "noise"] {
        socket.send(Message::text(text)).await.expect("the server reads");
    }
    socket.send(Message::binary(as_client::auth("/wild.txt", &place.person.token, None))).await.expect("it reads on");
    let answer = timeout(PATIENCE, next_payload(&mut socket)).await.expect("an answer");
    assert!(matches!(answer, Some((_, Said::AuthOk))), "{answer:?}");
    place.is_calm().await;
}

/// Ten thousand frames with random faults, on sockets that are attached: the server lives, the file they hit can still be
/// read, and the neighbour notices nothing.
pub async fn mutated_frames_harm_nobody(deployment: Deployment) {
    const FRAMES: usize = 10_000;
    const PER_SOCKET: usize = 500;
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut place = Neighbourhood::begin(deployment).await;
    // The text "hello" of client 77 in `source`, as Yjs writes it.
    let update = [&[1, 1, 77, 0, 4, 1, 6][..], b"source", &[5], b"hello", &[0]].concat();
    let awareness = [&[1, 77, 1, 2][..], b"{}"].concat();
    let good = [
        as_client::sync("/wild.txt", SyncMessage::Step1(&[0])),
        as_client::sync("/wild.txt", SyncMessage::Step2(&update)),
        as_client::sync("/wild.txt", SyncMessage::Update(&update)),
        as_client::awareness("/wild.txt", &awareness),
        as_client::query_awareness("/wild.txt"),
        as_client::stateless("@task", "{\"id\":\"1\",\"type\":\"tree\"}"),
        as_client::sync("@task", SyncMessage::Step1(&[0])),
        as_client::auth("/wild.txt", &place.person.token, Some("4.8.0")),
        as_client::auth("@task", &place.person.token, None),
        as_client::close("/wild.txt"),
        vec![9],
        vec![10],
    ];
    for _ in 0..FRAMES / PER_SOCKET {
        let mut socket = place.websocket().await;
        for address in ["/wild.txt", "@task"] {
            let auth = as_client::auth(address, &place.person.token, None);
            socket.send(Message::binary(auth)).await.expect("the server reads");
        }
        let (mut sink, mut stream) = socket.split();
        let reading = tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
        for _ in 0..PER_SOCKET {
            let mut frame = good[random.random_range(0..good.len())].clone();
            mutate(&mut frame, &mut random);
            sink.send(Message::binary(frame)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        let _ = sink.close().await;
        timeout(PATIENCE, reading).await.expect("the socket ends").expect("no panic");
    }
    place.is_calm().await;
    place.person.read(place.task, "wild.txt").await;
    let mut later = Editor::open(&place.person, place.task, "wild.txt").await;
    later.append("still works").await;
    later.wait_until_stored().await;
    assert!(!place.server.log().contains("panicked"), "seed {seed}: something panicked:\n{}", place.server.log());
}

fn mutate(frame: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..4) {
        if frame.is_empty() {
            return;
        }
        let at = random.random_range(0..frame.len());
        match random.random_range(0..5) {
            0 => frame[at] ^= 1 << random.random_range(0..8),
            1 => frame[at] = random.random(),
            2 => frame.truncate(at),
            3 => frame.insert(at, random.random()),
            _ => frame.extend_from_within(at..),
        }
    }
}

/// What waits for a token is bounded; the address is denied, the socket stays and others may come in on it.
pub async fn too_much_before_auth_is_denied(deployment: Deployment) {
    let mut place = Neighbourhood::begin(deployment).await;
    let mut socket = place.websocket().await;
    for _ in 0..1_001 {
        let frame = as_client::awareness("/wild.txt", &[0]);
        socket.send(Message::binary(frame)).await.expect("the server reads");
    }
    let answer = timeout(PATIENCE, next_payload(&mut socket)).await.expect("an answer");
    assert!(matches!(&answer, Some((address, Said::AuthDenied)) if address == "/wild.txt"), "{answer:?}");
    // Who has said who they are at the door may send more before they say what they want it for.
    let large = vec![0; 1 << 20];
    let url = format!("{}{}?token={}", place.server.url().replacen("http", "ws", 1), place.path(), place.person.token);
    let mut known = connect_async(url).await.expect("the upgrade is accepted").0;
    for _ in 0..6 {
        let frame = as_client::sync("large", SyncMessage::Update(&large));
        known.send(Message::binary(frame)).await.expect("the server reads");
    }
    let answer = timeout(PATIENCE, next_payload(&mut known)).await.expect("an answer");
    assert!(matches!(&answer, Some((address, Said::AuthDenied)) if address == "large"), "{answer:?}");
    for number in 0..101 {
        let frame = as_client::awareness(&format!("many{number}"), &[0]);
        socket.send(Message::binary(frame)).await.expect("the server reads");
    }
    let answer = timeout(PATIENCE, next_payload(&mut socket)).await.expect("an answer");
    assert!(matches!(&answer, Some((address, Said::AuthDenied)) if address == "many100"), "{answer:?}");
    let auth = as_client::auth("/calm.txt", &place.person.token, None);
    socket.send(Message::binary(auth)).await.expect("the server reads");
    let answer = timeout(PATIENCE, next_payload(&mut socket)).await.expect("an answer");
    assert!(matches!(&answer, Some((address, Said::AuthOk)) if address == "/calm.txt"), "{answer:?}");
    place.is_calm().await;
}

/// Nobody knows who they are, so little of what they send is kept: not even the beginning of a message.
pub async fn much_from_nobody_ends_the_socket(deployment: Deployment) {
    let mut place = Neighbourhood::begin(deployment).await;
    let mut socket = place.websocket().await;
    let large = vec![0; 1 << 20];
    let frame = as_client::sync("large", SyncMessage::Update(&large));
    // The server may hang up in the middle of it.
    let _ = socket.send(Message::binary(frame)).await;
    let end = async {
        while let Some(message) = socket.next().await {
            if let Ok(Message::Close(Some(close))) = message {
                return Some(u16::from(close.code));
            }
        }
        None
    };
    let code = timeout(PATIENCE, end).await.expect("the socket ends");
    assert!(code.is_none_or(|code| code == 4408), "{code:?}");
    place.is_calm().await;
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    AuthOk,
    AuthDenied,
    Other,
}

/// The next frame that is no sign of life.
async fn next_payload(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<(String, Said)> {
    loop {
        let Message::Binary(bytes) = socket.next().await?.ok()? else { continue };
        let Ok(ServerFrame::Message { address, message }) = parse_server_frame(&bytes) else { continue };
        let said = match message {
            ServerPayload::Awareness(_) => continue,
            ServerPayload::AuthOk(_) => Said::AuthOk,
            ServerPayload::AuthDenied(_) => Said::AuthDenied,
            _ => Said::Other,
        };
        return Some((address.to_owned(), said));
    }
}

/// What the upgrade refuses, it refuses as HTTP: bad ids, strangers, bad tokens.
pub async fn upgrade_is_refused_to_strangers(deployment: Deployment) {
    let place = Neighbourhood::begin(deployment).await;
    let (stranger, _) = place.person.another("stranger").await;
    let url = place.server.url().replacen("http", "ws", 1);
    let own = format!("{url}{}", place.path());
    for (what, url, status) in [
        ("no id", format!("{url}/ws/tasks/nonsense"), 404),
        ("a stranger", format!("{own}?token={}", stranger.token), 404),
        ("no such task", format!("{url}/ws/tasks/{}?token={}", TaskId::new(), place.person.token), 404),
        ("a bad token", format!("{own}?token=nonsense"), 401),
    ] {
        match timeout(Duration::from_secs(10), connect_async(url)).await.expect("an answer") {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}
