//! Many at once, and slow ones: memory stays bounded, and others are served meanwhile.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    person::{Person, http_client},
    process::resident_bytes,
    server::{ADMIN_TOKEN, Deployment, Server},
    wait::until,
};

/// What somebody else may wait for an answer during a flood. Machines are shared; alone it is milliseconds.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// Connections opened together.
const AT_ONCE: usize = 50;

async fn connect(server: &Server) -> TcpStream {
    let address = server.url().replace("http://", "");
    TcpStream::connect(address).await.expect("the server accepts")
}

/// Others are served.
async fn others_are_served(person: &Person) {
    let began = Instant::now();
    person.json(Method::GET, "/api/v1/tasks", &Value::Null).await;
    let took = began.elapsed();
    assert!(took < SERVED_WITHIN, "somebody else waited {took:?}");
}

/// An upgrade request for the room's socket.
fn upgrade(task: &str, token: Option<&str>) -> String {
    let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "GET /ws/tasks/{task} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{credential}\r\n"
    )
}

/// Opens a socket and reads the first line of the answer.
async fn open(server: &Server, request: &str) -> (TcpStream, String) {
    let mut stream = connect(server).await;
    stream.write_all(request.as_bytes()).await.expect("the request is sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.expect("an answer");
        answer.push(byte);
    }
    (stream, String::from_utf8_lossy(&answer).into_owned())
}

async fn open_many(server: &Server, request: &str, count: usize) -> Vec<TcpStream> {
    let opened = stream::iter(0..count).map(|_| open(server, request)).buffer_unordered(AT_ONCE);
    opened
        .map(|(stream, answer)| {
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            stream
        })
        .collect()
        .await
}

/// Four hundred connections send their headers a byte now and then; they end at the time limit for headers.
pub async fn slow_headers_hold_up_nobody(deployment: Deployment) {
    let server = Server::start_with(deployment, &[("CODEROOM_SERVER_HEADER_TIMEOUT", "3s")]).await;
    let person = Person::admin(&server);
    let mut slow = join_all((0..400).map(|_| connect(&server))).await;
    for _ in 0..3 {
        for stream in &mut slow {
            // One that was ended already cannot be written to.
            let _ = stream.write_all(b"G").await;
        }
        others_are_served(&person).await;
    }
    let ended = join_all(slow.iter_mut().map(|stream| async {
        let mut rest = Vec::new();
        tokio::time::timeout(crate::wait::PATIENCE, stream.read_to_end(&mut rest)).await.is_ok()
    }));
    let ended = ended.await.into_iter().filter(|ended| *ended).count();
    assert_eq!(ended, 400, "slow connections end");
    others_are_served(&person).await;
}

/// Five hundred sockets that never say who they are.
pub async fn sockets_without_a_name_cost_little(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("flood", "python").await;
    let before = resident_bytes(server.pid());
    let nameless = open_many(&server, &upgrade(&task.to_string(), None), 500).await;
    others_are_served(&person).await;
    let each = resident_bytes(server.pid()).saturating_sub(before) / 500;
    assert!(each < 100 << 10, "a socket without a name costs {each} bytes");
    drop(nameless);
}

/// Five thousand idle sockets of one address.
pub async fn five_thousand_idle_sockets(deployment: Deployment) {
    raise_file_limit();
    let settings = [
        ("CODEROOM_SOCKETS_MAX_PER_USER", "6000"),
        ("CODEROOM_SOCKETS_MAX_PER_ADDRESS", "6000"),
        ("CODEROOM_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("CODEROOM_LIMITS_REQUESTS_PER_ADDRESS", "1000000"),
    ];
    let server = Server::start_with(deployment, &settings).await;
    let person = Person::admin(&server);
    let task = person.create_task("idle", "python").await;
    let before = resident_bytes(server.pid());
    let idle = open_many(&server, &upgrade(&task.to_string(), Some(ADMIN_TOKEN)), 5000).await;
    others_are_served(&person).await;
    let used = resident_bytes(server.pid()).saturating_sub(before);
    assert!(used < 300 << 20, "5,000 idle sockets use {} MiB", used >> 20);
    drop(idle);
    others_are_served(&person).await;
}

/// One user has a hundred sockets, and not one more; others have theirs.
pub async fn hundred_sockets_of_one_user(deployment: Deployment) {
    let server = Server::start_with(deployment, &[("CODEROOM_SOCKETS_MAX_PER_USER", "100")]).await;
    let admin = Person::admin(&server);
    let (ada, _) = admin.another("ada").await;
    let task = ada.create_task("crowded", "python").await.to_string();
    let mut open_ones = open_many(&server, &upgrade(&task, Some(&ada.token)), 100).await;
    let (_, refused) = open(&server, &upgrade(&task, Some(&ada.token))).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.to_lowercase().contains("retry-after: "), "it says when to come again: {refused}");
    let (_, other) = open(&server, &upgrade(&task, Some(ADMIN_TOKEN))).await;
    assert!(other.starts_with("HTTP/1.1 101"), "others have theirs: {other}");
    open_ones.truncate(99);
    until(async || {
        let (_, answer) = open(&server, &upgrade(&task, Some(&ada.token))).await;
        if answer.starts_with("HTTP/1.1 101") { Ok(()) } else { Err("a closed socket makes no room") }
    })
    .await;
}

/// Three hundred sign-ins at once: few are hashed together, most are told to wait, and memory stays.
pub async fn login_storm_is_held_back(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let person = Person::admin(&server);
    person.another("ada").await;
    let before = resident_bytes(server.pid());
    let http = http_client();
    let guesses = join_all((0..300).map(|number| {
        let body = json!({ "name": "ada", "password": format!("guess number {number}") });
        http.post(format!("{}/api/v1/sign-in", server.url())).json(&body).send()
    }));
    let (guesses, ()) = tokio::join!(guesses, others_are_served(&person));
    let mut told_to_wait = 0;
    for guess in guesses {
        let guess = guess.expect("an answer");
        match guess.status() {
            StatusCode::TOO_MANY_REQUESTS => {
                assert!(guess.headers().contains_key("retry-after"));
                told_to_wait += 1;
            }
            status => assert_eq!(status, StatusCode::UNAUTHORIZED),
        }
    }
    assert!(told_to_wait >= 250, "only {told_to_wait} of 300 guesses were held back");
    let used = resident_bytes(server.pid()).saturating_sub(before);
    assert!(used < 150 << 20, "the storm took {} MiB", used >> 20);
}

/// As many files as the system allows: each connection of a test is one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
