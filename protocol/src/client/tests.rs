//! The client against the other end of the wire, written out frame by frame. The real server is met in the
//! scenarios.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request as Upgrade, Response},
    },
};

use super::*;
use crate::{
    control::{NoticeCode, Request, SUBPROTOCOL, ServerMessage},
    frame::{ClientFrame, ClientPayload, SyncMessage, parse_frame, write},
    ids::TaskId,
    problem::ErrorCode,
    role::Role,
};

/// Accepts one connection and gives it to `serve` as a WebSocket; agrees to the subprotocol.
async fn listen<F>(serve: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static) -> (ApiClient, JoinHandle<()>)
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = client_for(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let agree = |upgrade: &Upgrade, mut response: Response| {
            assert!(upgrade.uri().path().starts_with("/ws/tasks/"));
            assert_eq!(upgrade.headers()["authorization"], "Bearer tok");
            if let Some(offered) = upgrade.headers().get("sec-websocket-protocol") {
                response.headers_mut().insert("sec-websocket-protocol", offered.clone());
            }
            Ok(response)
        };
        serve(accept_hdr_async(stream, agree).await.unwrap()).await;
    });
    (api, server)
}

fn client_for(address: SocketAddr) -> ApiClient {
    ApiClient::new(&format!("http://{address}"), Some("tok")).unwrap()
}

fn notice(message: &str) -> ServerMessage {
    ServerMessage::Notice { code: NoticeCode::Stored, message: message.into(), file: None }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, message: &ServerMessage) {
    socket.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
}

#[tokio::test]
async fn request_gets_its_own_reply_and_events_are_kept() {
    let (api, server) = listen(|mut socket| async move {
        let asked = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert_eq!(asked.as_str(), r#"{"id":"c1","type":"ping"}"#);
        say(&mut socket, &notice("first")).await;
        let other = r#"{"type":"reply","id":"c0","ok":true,"result":{"wrong":1}}"#;
        socket.send(Message::text(other)).await.unwrap();
        socket.send(Message::binary(Bytes::from_static(b"\x01a\x01\x01\x00"))).await.unwrap();
        socket.send(Message::text(r#"{"type":"reply","id":"c1","ok":true,"result":{}}"#)).await.unwrap();
        let refused = r#"{"type":"reply","id":"c2","ok":false,"error":{"code":"run_active","message":"Wait."}}"#;
        socket.next().await.unwrap().unwrap();
        socket.send(Message::text(refused)).await.unwrap();
        socket.close(None).await.unwrap();
        while socket.next().await.is_some() {}
    })
    .await;
    let mut room = RoomClient::connect(&api, TaskId::new(), RoomMode::Text).await.unwrap();
    assert_eq!(room.request::<serde_json::Value>(Request::Ping {}).await.unwrap(), serde_json::json!({}));
    let error = room.request::<()>(Request::Submit { command: None, remarks: None }).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, ErrorCode::RunActive);
    assert_eq!(room.next().await.unwrap(), Some(RoomEvent::Message(Box::new(notice("first")))));
    assert_eq!(room.next().await.unwrap(), Some(RoomEvent::Frame(Bytes::from_static(b"\x01a\x01\x01\x00"))));
    assert_eq!(room.next().await.unwrap(), None);
    server.await.unwrap();
}

#[tokio::test]
async fn document_is_opened_in_parts_and_an_update_is_stored() {
    let (api, server) = listen(|mut socket| async move {
        let prefix = write::address_prefix("/run.py");
        let mut out = vec![vec![]; 7];
        write::auth_ok(&mut out[0], &prefix, Role::Editor);
        write::sync_step1(&mut out[1], &prefix, &[1, 7, 3]);
        out[2].extend(write::PING);
        write::keep_alive(&mut out[3], &prefix);
        write::sync_update(&mut out[4], &prefix, b"part");
        write::sync_step2(&mut out[5], &prefix, b"rest");
        write::sync_status(&mut out[6], &prefix, true);
        let status = out.pop().unwrap();
        for frame in out {
            socket.send(Message::binary(frame)).await.unwrap();
        }
        let mut seen = Vec::new();
        while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
            match parse_frame(&bytes).unwrap() {
                ClientFrame::Message { message: ClientPayload::Sync(SyncMessage::Update(update)), .. } => {
                    assert_eq!(update, b"mine");
                    socket.send(Message::binary(status.clone())).await.unwrap();
                }
                ClientFrame::Pong => seen.push("pong"),
                ClientFrame::Message { message: ClientPayload::Auth { token, version }, .. } => {
                    assert!(crate::frame::understands_ping(version) && token.is_empty());
                    seen.push("auth");
                }
                ClientFrame::Message { message: ClientPayload::Sync(SyncMessage::Step1(&[0])), .. } => {
                    seen.push("step1")
                }
                other => panic!("{other:?} was not expected"),
            }
        }
        assert_eq!(seen, ["auth", "step1", "pong"]);
    })
    .await;
    let mut room = RoomClient::connect(&api, TaskId::new(), RoomMode::Frames).await.unwrap();
    let opened = room.open("/run.py", "", &[0]).await.unwrap();
    let updates = vec![Bytes::from_static(b"part"), Bytes::from_static(b"rest")];
    assert_eq!(opened, Opened { may_edit: true, updates, state_vector: Bytes::from_static(&[1, 7, 3]) });
    assert_eq!(room.push("/run.py", b"mine").await.unwrap(), Pushed::Stored);
    room.close().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn refused_upgrade_has_the_servers_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = client_for(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(String::from_utf8_lossy(&request[..read]).contains(SUBPROTOCOL));
        let body =
            r#"{"type":"about:blank","title":"Not found","status":404,"detail":"No such task.","code":"not_found"}"#;
        let head = "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n";
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    });
    let error = RoomClient::connect(&api, TaskId::new(), RoomMode::Text).await.unwrap_err();
    let refusal = error.refusal().unwrap_or_else(|| panic!("{error:?} is no refusal"));
    assert_eq!((refusal.code, refusal.message.as_str()), (ErrorCode::NotFound, "No such task."));
    server.await.unwrap();
}

#[test]
fn only_addresses_of_servers_are_taken() {
    for bad in ["", "localhost:8080", "ftp://x", "file:///etc/passwd"] {
        assert!(matches!(ApiClient::new(bad, None), Err(ClientError::BadUrl(_))), "{bad}");
    }
    let api = ApiClient::new("http://h:1/base/", None).unwrap();
    assert_eq!(api.url("/api/v1/tasks?q=a%20b").unwrap().as_str(), "http://h:1/base/api/v1/tasks?q=a%20b");
}
