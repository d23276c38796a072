//! Everybody with every message of a room's socket and of the second door. The control messages come from their type.

use std::time::Duration;

use coderoom_protocol::{
    control::ClientMessage,
    frame::{
        ClientPayload, SyncMessage,
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
    },
    ids::TaskId,
    y_frame::{self, YFrame, parse_y_frame},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, Response},
    },
};
use yrs::{Doc, ReadTxn as _, StateVector, Text as _, Transact as _};

use super::{
    cast::{Cast, Knocker},
    requests::telling_headers,
    table::Cell,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longest wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an echo may stay away before it counts as refused: the second door says nothing when it refuses an edit.
const SILENCE: Duration = Duration::from_secs(2);
/// The document everybody wants to get at.
const FILE: &str = "/extra.txt";
/// What presence carries, to be recognised.
const PRESENCE: &str = r#"{"user":"matrix"}"#;

/// Frames of documents, over both doors. A new kind of frame does not compile until it has a row.
fn frames() -> Vec<&'static str> {
    let kinds = [
        ClientPayload::Sync(SyncMessage::Step1(&[])),
        ClientPayload::Sync(SyncMessage::Step2(&[])),
        ClientPayload::Sync(SyncMessage::Update(&[])),
        ClientPayload::Awareness(&[]),
        ClientPayload::QueryAwareness,
        ClientPayload::Stateless(""),
    ];
    let name = |kind: &ClientPayload<'_>| match kind {
        ClientPayload::Sync(SyncMessage::Step1(_)) => "Step1",
        ClientPayload::Sync(SyncMessage::Step2(_)) => "Step2",
        ClientPayload::Sync(SyncMessage::Update(_)) => "Update",
        ClientPayload::Awareness(_) => "Awareness",
        ClientPayload::QueryAwareness => "QueryAwareness",
        ClientPayload::Stateless(_) => "Stateless",
        // These are how somebody comes and goes; or nothing comes of them, whoever sends them.
        ClientPayload::Auth { .. } | ClientPayload::Close | ClientPayload::Forbidden(_) | ClientPayload::Unknown(_) => {
            ""
        }
    };
    kinds.iter().map(name).collect()
}

/// Every message that can be sent, as rows are named.
pub(super) fn doors() -> Vec<String> {
    let unknown = serde_json::from_value::<ClientMessage>(json!({ "type": "no such request" }));
    let words = unknown.expect_err("there is no such request").to_string();
    let known = words.split_once("expected one of").expect("the error lists all requests").1;
    let controls: Vec<_> = known.split('`').skip(1).step_by(2).map(|name| format!("ROOM {name}")).collect();
    assert!(controls.len() >= 13, "the requests are found: {words}");
    let room = frames().into_iter().map(|frame| format!("ROOM {frame}"));
    let second = frames().into_iter().filter(|frame| *frame != "Stateless").map(|frame| format!("YJS {frame}"));
    controls.into_iter().chain(room).chain(second).chain(["YJS create".to_owned()]).collect()
}

/// Whether a row is about a socket.
pub(super) fn is_of_rooms(door: &str) -> bool {
    door.starts_with("ROOM ") || door.starts_with("YJS ")
}

/// Says it, and what came of it.
pub(super) async fn say(cast: &Cast, door: &str, who: &str, person: &Knocker) -> Cell {
    let told = match door.split_once(' ') {
        Some(("ROOM", "Stateless")) => timeout(PATIENCE, stateless(cast, person)).await,
        Some(("ROOM", name)) if name.starts_with(char::is_uppercase) => {
            timeout(PATIENCE, frame(cast, name, person)).await
        }
        Some(("ROOM", name)) => timeout(PATIENCE, control(cast, name, person)).await,
        Some(("YJS", name)) => timeout(PATIENCE, second_door(cast, name, person)).await,
        _ => panic!("{door} is no message"),
    };
    told.unwrap_or_else(|_| panic!("{door} as {who}: no answer after {PATIENCE:?}"))
}

/// Ways to a room or a document: with the token in a header, in the address, or in Auth.
pub(super) const WAYS: [&str; 7] = [
    "header",
    "header, as text",
    "address",
    "Auth of the room",
    "Auth of a document",
    "second door",
    "second door, making a file",
];

/// Everything that a way tells of a task to somebody who is refused there: the answer to the request, the messages and the
/// close, word for word.
pub(super) async fn told(cast: &Cast, way: &str, task: TaskId, person: &Knocker) -> Vec<String> {
    let token = person.token.as_deref();
    let room = format!("/ws/tasks/{task}");
    let opened = match way {
        "header" => open(cast, &room, token, None).await,
        "header, as text" => open(cast, &room, token, Some("coderoom.v1")).await,
        "address" => open(cast, &format!("{room}?token={}", token.unwrap_or_default()), None, None).await,
        "second door" => open(cast, &format!("/yjs/{task}{FILE}"), token, None).await,
        "second door, making a file" => open(cast, &format!("/yjs/{task}/new.txt?create=true"), token, None).await,
        _ => open(cast, &room, None, None).await,
    };
    let mut socket = match opened {
        Ok(socket) => socket,
        Err(answer) => {
            let mut told = telling_headers(answer.headers());
            told.push(answer.status().to_string());
            told.push(String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned());
            return told;
        }
    };
    let address = if way == "Auth of the room" { "@task" } else { FILE };
    // The last asks for something that is answered however the address stands.
    let auth = as_client::auth(address, token.unwrap_or_default(), Some("4.8.0"));
    let step1 = as_client::sync(address, SyncMessage::Step1(&[0]));
    let frames = if way.starts_with("Auth") { vec![step1.clone(), auth.clone(), step1, auth] } else { vec![] };
    let mut awaited = frames.len() / 2;
    for frame in frames {
        // A socket that is closed says so below.
        let _ = socket.send(Message::binary(frame)).await;
    }
    let mut told = Vec::new();
    let listen = async {
        while let Some(heard) = socket.next().await {
            let denied = matches!(&heard, Ok(Message::Binary(bytes)) if is_denial(bytes));
            told.push(format!("{heard:?}"));
            awaited = awaited.saturating_sub(usize::from(denied));
            if denied && awaited == 0 {
                return;
            }
        }
    };
    timeout(PATIENCE, listen).await.unwrap_or_else(|_| panic!("{way}: no refusal after {PATIENCE:?}: {told:?}"));
    told
}

fn is_denial(bytes: &[u8]) -> bool {
    matches!(parse_server_frame(bytes), Ok(ServerFrame::Message { message: ServerPayload::AuthDenied(_), .. }))
}

async fn connect(cast: &Cast, path: &str, token: Option<&str>, protocol: Option<&'static str>) -> Result<Socket, u16> {
    open(cast, path, token, protocol).await.map_err(|answer| answer.status().as_u16())
}

async fn open(
    cast: &Cast,
    path: &str,
    token: Option<&str>,
    protocol: Option<&'static str>,
) -> Result<Socket, Box<Response<Option<Vec<u8>>>>> {
    let url = format!("{}{path}", cast.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a good address");
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a good token");
        request.headers_mut().insert("authorization", value);
    }
    if let Some(protocol) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer),
        Err(error) => panic!("the socket could not be opened: {error}"),
    }
}

/// A control message as text.
async fn control(cast: &Cast, name: &str, person: &Knocker) -> Cell {
    let changes = !matches!(name, "submit" | "stop" | "rerun" | "follow" | "unfollow" | "tree" | "ping");
    let task = if changes { cast.fresh_task().await } else { cast.task };
    let path = format!("/ws/tasks/{task}");
    let mut socket = match connect(cast, &path, person.token.as_deref(), Some("coderoom.v1")).await {
        Ok(socket) => socket,
        Err(status) => return Cell::Refused(status),
    };
    let mut message = fields(cast, name);
    message["type"] = name.into();
    message["id"] = "q".into();
    socket.send(Message::text(message.to_string())).await.expect("it can be sent");
    loop {
        let heard = socket.next().await.expect("the socket stays open").expect("a message");
        let Message::Text(text) = heard else { continue };
        let said: Value = serde_json::from_str(&text).expect("JSON");
        if said["type"] == "reply" && said["id"] == "q" {
            return judge(&said);
        }
    }
}

fn judge(reply: &Value) -> Cell {
    match reply["error"]["code"].as_str() {
        Some("not_allowed") => Cell::Refused(403),
        Some("not_found") => Cell::Refused(404),
        Some("sign_in_required") => Cell::Refused(401),
        Some(code @ ("bad_request" | "internal")) => panic!("the matrix sends good requests: {code} {reply}"),
        _ => Cell::Allowed,
    }
}

fn fields(cast: &Cast, name: &str) -> Value {
    let unique = format!("{}.txt", TaskId::new());
    match name {
        "submit" => json!({ "command": "true" }),
        "stop" | "rerun" | "follow" | "unfollow" => json!({ "run": cast.run }),
        "create_file" => json!({ "path": unique, "text": "x" }),
        "create_blob" => json!({ "path": unique, "base64": "/w==" }),
        "move" => json!({ "from": "extra.txt", "to": unique }),
        "delete" => json!({ "path": "extra.txt" }),
        "set_main" => json!({ "path": "extra.txt" }),
        "write_file" => json!({ "path": "extra.txt", "text": "written" }),
        "tree" | "ping" => json!({}),
        _ => panic!("{name} is new: say in {} what it carries", file!()),
    }
}

/// The control channel as a stock provider has it.
async fn stateless(cast: &Cast, person: &Knocker) -> Cell {
    let frame = as_client::stateless("@task", r#"{"id":"q","type":"ping"}"#);
    addressed(cast, "@task", person, vec![frame], |payload| match payload {
        ServerPayload::Stateless(text) if text.contains(r#""id":"q""#) => Some(Cell::Allowed),
        _ => None,
    })
    .await
}

/// A frame of a document.
async fn frame(cast: &Cast, name: &str, person: &Knocker) -> Cell {
    let update = edit();
    let presence = presence();
    let frames = match name {
        "Step1" => vec![as_client::sync(FILE, SyncMessage::Step1(&[0]))],
        "Step2" => vec![as_client::sync(FILE, SyncMessage::Step2(&update))],
        "Update" => vec![as_client::sync(FILE, SyncMessage::Update(&update))],
        "Awareness" => vec![as_client::awareness(FILE, &presence)],
        "QueryAwareness" => vec![as_client::awareness(FILE, &presence), as_client::query_awareness(FILE)],
        _ => panic!("{name} is new: say in {} what is sent", file!()),
    };
    addressed(cast, FILE, person, frames, |payload| match (name, payload) {
        ("Step1", ServerPayload::Sync(SyncMessage::Step2(_))) => Some(Cell::Allowed),
        ("Step2" | "Update", ServerPayload::SyncStatus(true)) => Some(Cell::Allowed),
        ("Step2" | "Update", ServerPayload::SyncStatus(false)) => Some(Cell::Refused(403)),
        ("Awareness" | "QueryAwareness", ServerPayload::Awareness(bytes)) => {
            String::from_utf8_lossy(bytes).contains("matrix").then_some(Cell::Allowed)
        }
        _ => None,
    })
    .await
}

/// Opens the room's socket without a credential, brings it in Auth, sends, and reads until `judge` knows.
async fn addressed(
    cast: &Cast,
    address: &str,
    person: &Knocker,
    frames: Vec<Vec<u8>>,
    judge: impl Fn(ServerPayload<'_>) -> Option<Cell>,
) -> Cell {
    let mut socket = match connect(cast, &format!("/ws/tasks/{}", cast.task), None, None).await {
        Ok(socket) => socket,
        Err(status) => return Cell::Refused(status),
    };
    let auth = as_client::auth(address, person.token.as_deref().unwrap_or_default(), Some("4.8.0"));
    for frame in std::iter::once(auth).chain(frames) {
        socket.send(Message::binary(frame)).await.expect("it can be sent");
    }
    loop {
        let heard = socket.next().await.expect("the socket stays open").expect("a message");
        let Message::Binary(bytes) = heard else { continue };
        let Ok(ServerFrame::Message { message, .. }) = parse_server_frame(&bytes) else { continue };
        if let ServerPayload::AuthDenied(reason) = message {
            return Cell::Refused(if reason.contains("sign in") { 401 } else { 404 });
        }
        if let Some(cell) = judge(message) {
            return cell;
        }
    }
}

/// A frame of the second door, or a file made by opening it there.
async fn second_door(cast: &Cast, name: &str, person: &Knocker) -> Cell {
    let path = if name == "create" {
        format!("/yjs/{}/{}.txt?create=true", cast.task, TaskId::new())
    } else {
        format!("/yjs/{}{FILE}", cast.task)
    };
    let mut socket = match connect(cast, &path, person.token.as_deref(), None).await {
        Ok(socket) => socket,
        Err(status) => return Cell::Refused(status),
    };
    let update = edit();
    let mut out = Vec::new();
    match name {
        "Step1" | "create" => y_frame::sync(&mut out, SyncMessage::Step1(&[0])),
        "Step2" => y_frame::sync(&mut out, SyncMessage::Step2(&update)),
        "Update" => y_frame::sync(&mut out, SyncMessage::Update(&update)),
        "Awareness" | "QueryAwareness" => y_frame::awareness(&mut out, &presence()),
        _ => panic!("{name} is new: say in {} what is sent", file!()),
    }
    // A socket that was closed at once cannot take it; what it was told comes all the same.
    let _ = socket.send(Message::binary(out)).await;
    if name == "QueryAwareness" {
        let mut query = Vec::new();
        y_frame::query_awareness(&mut query);
        let _ = socket.send(Message::binary(query)).await;
    }
    let is_edit = matches!(name, "Step2" | "Update");
    let mut echoes = 0;
    loop {
        let heard = match timeout(SILENCE, socket.next()).await {
            Err(_) if is_edit => return Cell::Refused(403),
            Err(_) => continue,
            Ok(heard) => heard,
        };
        let bytes = match heard {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(Some(close)))) => return Cell::Refused(u16::from(close.code) - 4000),
            Some(Ok(_)) => continue,
            other => panic!("the second door ends without a word: {other:?}"),
        };
        match parse_y_frame(&bytes) {
            Ok(YFrame::Sync(SyncMessage::Step2(_))) if matches!(name, "Step1" | "create") => return Cell::Allowed,
            Ok(YFrame::Sync(SyncMessage::Update(stored))) if is_edit && stored == update => return Cell::Allowed,
            Ok(YFrame::Awareness(bytes)) if String::from_utf8_lossy(bytes).contains("matrix") => {
                echoes += 1;
                if name == "Awareness" || echoes == 2 {
                    return Cell::Allowed;
                }
            }
            _ => {}
        }
    }
}

/// Presence of one client whose id nobody else has.
fn presence() -> Vec<u8> {
    let client = rand::random::<u32>() >> 4;
    let mut out = vec![1];
    for mut number in [client, 1] {
        while number >= 0x80 {
            out.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }
    out.push(PRESENCE.len() as u8);
    out.extend_from_slice(PRESENCE.as_bytes());
    out
}

/// An edit that stands on nothing: one character at the beginning of an empty text.
fn edit() -> Vec<u8> {
    let doc = Doc::new();
    let text = doc.get_or_insert_text("source");
    let mut transaction = doc.transact_mut();
    text.push(&mut transaction, "x");
    transaction.encode_state_as_update_v1(&StateVector::default())
}
