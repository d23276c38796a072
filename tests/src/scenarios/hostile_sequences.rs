//! A list of hostile sequences of frames, by name, run one after the other against one server while two people edit a file
//! in the same room. Nothing dies, and nobody notices.

use std::time::Duration;

use coderoom_protocol::{
    frame::{SyncMessage, as_client},
    ids::TaskId,
    lib0::{write_string, write_var_uint},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    editor::Editor,
    person::Person,
    server::{Deployment, Server},
    wait::PATIENCE,
};

/// The file that the sequences are aimed at.
const WILD: &str = "/wild.txt";
/// The design's number of them; the list may be longer.
pub const SEQUENCES_AT_LEAST: usize = 66;

/// Messages of one socket that has signed in to [`WILD`] and to the room, in order.
type Sequence = (String, Vec<Message>);

/// Runs all of them; gives how many there were.
///
/// # Panics
/// When the server dies, something panics in it, or the two people notice anything.
pub async fn hostile_sequences_disturb_nobody(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("hostile", "python").await;
    person.write(task, "calm.txt", "calm").await;
    person.write(task, "wild.txt", "wild").await;
    let pid = server.pid();
    let (stop, stopped) = watch::channel(false);
    let pair = tokio::spawn(edit_until(person.clone(), task, stopped));
    let sequences = sequences(&person);
    assert!(sequences.len() >= SEQUENCES_AT_LEAST, "{} sequences are on the list", sequences.len());
    for (name, messages) in &sequences {
        attack(&person, task, messages).await;
        assert_eq!(server.pid(), pid, "{name}: the server died");
        assert!(!server.log().contains("panicked"), "{name}: something panicked:\n{}", server.log());
    }
    let _ = stop.send(true);
    let edits = pair.await.expect("the two people notice nothing");
    assert!(edits > 0, "they edited meanwhile");
    let live = person.send(reqwest::Method::GET, "/health/live").await;
    assert!(live.status().is_success(), "the server serves");
    // The file that was aimed at still works.
    let mut later = Editor::open(&person, task, "wild.txt").await;
    later.append("still works").await;
    later.wait_until_stored().await;
    assert_eq!(person.read(task, "wild.txt").await, later.text());
    eprintln!("{} hostile sequences, {edits} edits of others meanwhile, 0 deaths", sequences.len());
}

/// Two people in one file; every edit is stored and seen. Gives how many there were.
async fn edit_until(person: Person, task: TaskId, stopped: watch::Receiver<bool>) -> usize {
    let mut ann = Editor::open(&person, task, "calm.txt").await;
    let mut bob = Editor::open(&person, task, "calm.txt").await;
    let mut edits = 0;
    while !*stopped.borrow() {
        let (writer, reader) = if edits % 2 == 0 { (&mut ann, &mut bob) } else { (&mut bob, &mut ann) };
        writer.append(".").await;
        writer.wait_until_stored().await;
        let text = writer.text();
        reader.wait_for_text("the other's edit", |seen| seen == text).await;
        edits += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for editor in [&ann, &bob] {
        assert!(!editor.ended() && editor.refused() == 0, "an edit was refused or a socket ended");
    }
    assert_eq!(person.read(task, "calm.txt").await, ann.text());
    assert_eq!(ann.text().len(), "calm".len() + edits);
    edits
}

/// One socket that does its worst; then it is asked for a sign of life, or has been closed.
async fn attack(person: &Person, task: TaskId, messages: &[Message]) {
    let url = format!("{}/ws/tasks/{task}", person.url.replacen("http", "ws", 1));
    let (mut socket, _) = connect_async(url).await.expect("the upgrade is accepted");
    for address in [WILD, "@task"] {
        let auth = as_client::auth(address, &person.token, Some("4.8.0"));
        socket.send(Message::binary(auth)).await.expect("the server reads");
    }
    for message in messages {
        if socket.send(message.clone()).await.is_err() {
            return;
        }
    }
    if socket.send(Message::Ping(b"alive"[..].into())).await.is_err() {
        return;
    }
    // Whatever it answers, it answers the ping after it, or it has hung up.
    let answered = timeout(PATIENCE, async {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Pong(_)) {
                return;
            }
        }
    });
    answered.await.expect("the socket answers or ends");
}

fn sequences(person: &Person) -> Vec<Sequence> {
    let mut list = Vec::new();
    for (name, update) in hostile_updates() {
        let edit = as_client::sync(WILD, SyncMessage::Update(&update));
        list.push((format!("update: {name}"), vec![Message::binary(edit)]));
        let step2 = as_client::sync(WILD, SyncMessage::Step2(&update));
        list.push((format!("step 2: {name}"), vec![Message::binary(step2)]));
    }
    for (name, vector) in hostile_vectors() {
        let step1 = as_client::sync(WILD, SyncMessage::Step1(&vector));
        list.push((format!("step 1: {name}"), vec![Message::binary(step1)]));
    }
    for (name, update) in hostile_presence() {
        list.push((format!("presence: {name}"), vec![Message::binary(as_client::awareness(WILD, &update))]));
    }
    list.extend(hostile_frames(person));
    list.extend(floods());
    list
}

/// One block of client 77 at clock 0 under the root, with this content.
fn block(info: u8, content: &[u8]) -> Vec<u8> {
    [&[1, 1, 77, 0, info, 1, 6][..], b"source", content, &[0]].concat()
}

/// A number as lib0 writes it.
fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_var_uint(&mut out, value);
    out
}

fn hostile_updates() -> Vec<(&'static str, Vec<u8>)> {
    const HUGE: u64 = (1 << 53) - 1;
    let nested = [&[1, 1, 77, 0, 8, 1, 6][..], b"source", &[1], &[117, 1].repeat(200_000), &[126, 0]].concat();
    vec![
        ("nothing at all", vec![]),
        ("one byte", vec![0xff]),
        ("a count of clients and no clients", number(HUGE)),
        ("a count of blocks and no blocks", [&[1][..], &number(HUGE), &[77, 0]].concat()),
        ("200,000 nested arrays", nested),
        ("a map", block(7, &[1])),
        ("a document inside", block(9, &[1, b'x', 118, 0])),
        ("an embedded object", block(5, b"\x02{}")),
        ("a format", block(6, b"\x01b\x04true")),
        ("JSON content", block(2, &[1, 2, b'{', b'}'])),
        ("binary content", block(3, &[3, 1, 2, 3])),
        ("any content", block(8, &[1, 126])),
        ("a move", block(11, &[0, 0, 0])),
        ("an unknown kind of content", block(31, &[1])),
        ("a huge deleted run", block(1, &number(HUGE))),
        ("a garbage block of everything", [&[1, 1, 77, 0, 0][..], &number(HUGE), &[0]].concat()),
        ("a skip of everything", [&[1, 1, 77, 0, 10][..], &number(HUGE), &[0]].concat()),
        ("a string of nothing", block(4, &[0])),
        ("a string that is not UTF-8", block(4, &[2, 0xc3, 0x28])),
        ("half of a surrogate pair", block(4, &[3, 0xed, 0xa0, 0x80])),
        ("a string longer than the message", block(4, &number(HUGE))),
        ("another root", [&[1, 1, 77, 0, 4, 1, 5][..], b"other", &[1, b'x', 0]].concat()),
        ("a root of a megabyte's name", {
            let mut out = vec![1, 1, 77, 0, 4, 1];
            write_string(&mut out, &"r".repeat(1 << 20));
            out.extend([1, b'x', 0]);
            out
        }),
        ("a parent that does not exist", vec![1, 1, 77, 0, 4, 0, 99, 7, 1, b'x', 0]),
        ("a key in a map", [&[1, 1, 77, 0, 0x24, 1, 6][..], b"source", &[1, b'k', 1, b'x', 0]].concat()),
        ("an origin that does not exist", vec![1, 1, 77, 0, 0x84, 99, 5, 1, b'x', 0]),
        ("itself as origin", vec![1, 1, 77, 0, 0x84, 77, 0, 1, b'x', 0]),
        ("a hole before it", [&[1, 1, 77, 5, 4, 1, 6][..], b"source", &[1, b'x', 0]].concat()),
        (
            "the last clock there is",
            [&[1, 1, 77][..], &number(u64::from(u32::MAX)), &block(4, &[1, b'x'])[4..]].concat(),
        ),
        ("a client beyond all numbers", [&[1, 1][..], &[0xff; 9], &[1, 0], &block(4, &[1, b'x'])[4..]].concat()),
        ("one client twice", [&[2][..], &block(4, &[1, b'x'])[1..14], &block(4, &[1, b'y'])[1..]].concat()),
        ("bytes after its end", [block(4, &[1, b'x']), vec![1, 2, 3]].concat()),
        ("an end cut off", block(4, &[5, b'h', b'i'])),
        ("deletions of nobody's text", vec![0, 1, 99, 1, 0, 10]),
        ("deletions beyond the end", [&[0, 1, 1, 1, 0][..], &number(HUGE)].concat()),
        ("a count of deletions and none", [&[0, 1, 1][..], &number(HUGE)].concat()),
        ("deletions that overlap", vec![0, 1, 1, 2, 0, 3, 0, 3]),
    ]
}

fn hostile_vectors() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing at all", vec![]),
        ("seven bytes that announce half a gigabyte", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1]),
        ("cut off", vec![2, 77, 1, 78]),
        ("one client twice", vec![2, 77, 1, 77, 2]),
        ("clocks beyond all numbers", [&[1, 77][..], &[0xff; 9], &[1]].concat()),
        ("bytes after its end", vec![0, 1, 2]),
        ("a number that never ends", vec![0xff; 4096]),
    ]
}

fn hostile_presence() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |state: &str| {
        let mut out = vec![1, 77, 1];
        write_string(&mut out, state);
        out
    };
    vec![
        ("nothing at all", vec![]),
        ("a count and nobody", number((1 << 53) - 1)),
        ("a state that is no object", entry("7")),
        ("a state that is no JSON", entry("{")),
        ("100,000 nested arrays", entry(&format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)))),
        ("a state of a megabyte", entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)))),
        ("5,000 people", [number(5_000), [78, 1, 2, b'{', b'}'].repeat(5_000)].concat()),
        ("a clock beyond all numbers", [&[1, 77][..], &[0xff; 9], &[1, 2, b'{', b'}']].concat()),
    ]
}

fn hostile_frames(person: &Person) -> Vec<Sequence> {
    let framed = |address: &str, rest: &[u8]| {
        let mut out = Vec::new();
        write_string(&mut out, address);
        out.extend_from_slice(rest);
        Message::binary(out)
    };
    let one = |name: &str, message: Message| (format!("frame: {name}"), vec![message]);
    vec![
        one("empty", Message::binary(vec![])),
        one("an address and nothing else", framed(WILD, &[])),
        one("an address that is cut off", Message::binary(vec![200, 1, b'/'])),
        one("an address that is not UTF-8", Message::binary(vec![2, 0xc3, 0x28, 3])),
        one("an address of a megabyte", framed(&"a".repeat(1 << 20), &[3])),
        one("an address that climbs", framed("/../../etc/passwd", &[3])),
        one("an address with NUL in it", framed("/wild.txt\0a\0b\0c", &[3])),
        one("an unknown type", framed(WILD, &[77])),
        one("a type beyond all numbers", framed(WILD, &[0xff; 12])),
        one("a broadcast", framed(WILD, &[6, 1, b'x'])),
        one("a sync reply", framed(WILD, &[4, 0, 1, 0])),
        one("a SyncStatus", framed(WILD, &[8, 1])),
        one("an unknown sync message", framed(WILD, &[0, 9, 0])),
        one("an unknown auth message", framed("/other.txt", &[2, 9, 0])),
        one("a token of a megabyte", Message::binary(as_client::auth("/other.txt", &"t".repeat(1 << 20), None))),
        one("a control message that is no JSON", Message::binary(as_client::stateless("@task", "{"))),
        one(
            "a control message of 200,000 arrays",
            Message::binary(as_client::stateless("@task", &"[".repeat(200_000))),
        ),
        one("an unknown request", Message::binary(as_client::stateless("@task", "{\"id\":\"1\",\"type\":\"fly\"}"))),
        one(
            "a request with an id of a megabyte",
            Message::binary(as_client::stateless(
                "@task",
                &format!("{{\"id\":\"{}\",\"type\":\"ping\"}}", "i".repeat(1 << 20)),
            )),
        ),
        one("text", Message::text("{\"type\":\"submit\"}")),
        (
            String::from("an edit after a close"),
            vec![
                Message::binary(as_client::close(WILD)),
                Message::binary(as_client::sync(WILD, SyncMessage::Update(&block(4, &[1, b'x'])))),
            ],
        ),
        (
            String::from("a token that is not good over one that is"),
            vec![
                Message::binary(as_client::auth(WILD, "nonsense", None)),
                Message::binary(as_client::sync(WILD, SyncMessage::Update(&block(4, &[1, b'x'])))),
                Message::binary(as_client::auth(WILD, &person.token, None)),
            ],
        ),
    ]
}

fn floods() -> Vec<Sequence> {
    let many = |name: &str, count: usize, message: Message| (format!("flood: {name}"), vec![message; count]);
    vec![
        many("500 first syncs", 500, Message::binary(as_client::sync(WILD, SyncMessage::Step1(&[0])))),
        many("500 questions for presence", 500, Message::binary(as_client::query_awareness(WILD))),
        many("500 pings", 500, Message::binary(vec![9])),
        many("500 edits that are none", 500, Message::binary(as_client::sync(WILD, SyncMessage::Update(&[0, 0])))),
        many(
            "500 edits with a hole",
            500,
            Message::binary(as_client::sync(
                WILD,
                SyncMessage::Update(&[&[1, 1, 77, 5, 4, 1, 6][..], b"source", &[1, b'x', 0]].concat()),
            )),
        ),
    ]
}
