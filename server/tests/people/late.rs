//! What somebody began before their access ended is not finished after it.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::served::{Served, serve};

/// What anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A zip without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A request whose sender was let in and whose body is awaited.
struct Begun(TcpStream);

impl Begun {
    async fn new(served: &Served, door: &str, who: &str) -> Self {
        let mut connection = TcpStream::connect(served.server.address).await.unwrap();
        let head = format!(
            "{door} HTTP/1.1\r\nHost: a\r\nAuthorization: {who}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        // It is said when the body is asked for.
        let mut said = [0; 25];
        timeout(PATIENCE, connection.read_exact(&mut said)).await.expect("the body is asked for").unwrap();
        assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n", "{door}: {}", String::from_utf8_lossy(&said));
        Self(connection)
    }

    /// Sends the body; the status of the answer.
    async fn end(mut self, body: &[u8]) -> u16 {
        let mut rest = format!("{:x}\r\n", body.len()).into_bytes();
        rest.extend_from_slice(body);
        rest.extend_from_slice(b"\r\n0\r\n\r\n");
        self.0.write_all(&rest).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, self.0.read_to_string(&mut answer)).await.expect("there is an answer").unwrap();
        answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_else(|_| panic!("no status: {answer}"))
    }
}

#[tokio::test]
async fn body_that_ends_after_its_senders_access_changes_nothing() {
    let served = serve(|settings| settings.people.cache_time = Duration::from_secs(60)).await;
    let (task, admin) = (served.task().await, served.admin_token());
    let at = |what: &str| format!("/api/v1/tasks/{task}/{what}");
    let do_as_admin = async |method: Method, path: &str, body: Value| {
        let (status, said) = served.with(method, path, ("authorization", &admin), body).await;
        assert!(status.is_success(), "{path}: {status} {said}");
    };
    let file = format!("PUT {}", at("files/late.txt"));
    let import = format!("POST {}", at("import"));
    let submit = format!("POST {}", at("runs"));
    let token = "POST /api/v1/tokens".to_owned();
    let doors: [(&str, &[u8]); 4] = [
        (&file, b"written after it"),
        (&import, EMPTY_ZIP),
        (&submit, br#"{ "command": "true" }"#),
        (&token, br#"{ "name": "for later" }"#),
    ];
    // What ends access, and what the doors then answer.
    let ends = [
        ("removed", [404, 404, 404, 201]),
        ("viewer", [403, 403, 403, 201]),
        ("suspended", [401; 4]),
        ("revoked", [401; 4]),
    ];
    for (end, expected) in ends {
        let who = served.user(end).await;
        do_as_admin(Method::PUT, &at(&format!("members/{end}")), json!({ "role": "editor" })).await;
        let mut begun = Vec::new();
        for (door, _) in doors {
            begun.push(Begun::new(&served, door, &who).await);
        }
        match end {
            "removed" => do_as_admin(Method::DELETE, &at("members/removed"), Value::Null).await,
            "viewer" => do_as_admin(Method::PUT, &at("members/viewer"), json!({ "role": "viewer" })).await,
            "suspended" => do_as_admin(Method::POST, "/api/v1/users/suspended/suspend", Value::Null).await,
            _ => {
                let (_, tokens) =
                    served.with(Method::GET, "/api/v1/tokens", ("authorization", &who), Value::Null).await;
                let path = format!("/api/v1/tokens/{}", tokens["tokens"][0]["id"].as_str().unwrap());
                let (status, said) = served.with(Method::DELETE, &path, ("authorization", &who), Value::Null).await;
                assert!(status.is_success(), "{said}");
            }
        }
        for ((begun, (door, body)), expected) in begun.into_iter().zip(doors).zip(expected) {
            assert_eq!(begun.end(body).await, expected, "{end}: {door}");
        }
    }
    let (status, _) = served.with(Method::GET, &at("files/late.txt"), ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nothing of it is stored");
}

#[tokio::test]
async fn archive_breaks_off_when_its_reader_is_removed() {
    let served = serve(|_| {}).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let at = |what: &str| format!("/api/v1/tasks/{task}/{what}");
    // More than the buffers on the way hold, and nothing that could be packed smaller.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..24 << 20).map(|_| noise()).collect();
    let put = served.http.put(served.url(&at("files/a.bin"))).header("authorization", &admin).body(noise);
    assert!(put.send().await.unwrap().status().is_success());
    let member = at("members/ada");
    let (status, _) = served.with(Method::PUT, &member, ("authorization", &admin), json!({ "role": "viewer" })).await;
    assert_eq!(status, StatusCode::OK);
    let get = served.http.get(served.url(&at("archive"))).header("authorization", &ada);
    let mut archive = get.send().await.unwrap();
    assert!(archive.chunk().await.unwrap().is_some());
    let (status, _) = served.with(Method::DELETE, &member, ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let broke_off = async {
        loop {
            match archive.chunk().await {
                Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(5)).await, // a reader who takes their time
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    };
    let broke_off = timeout(PATIENCE, broke_off).await.expect("the archive ends, in whatever way");
    assert!(broke_off, "the whole archive came");
}
