//! Runs the suite of objects on a bucket of a real S3 store, and what only such a store can be asked: other people's
//! wrong settings, presigned addresses, and uploads that nobody finished.

use std::{future::Future, time::Duration};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use bytes::Bytes;
use coderoom_backing::objects::{Objects, ObjectsError, S3Settings};
use futures_util::{StreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    service::{on_service, url},
    wait::within,
};

/// Settings for a bucket of this test's own, which is made when it is opened.
fn settings() -> S3Settings {
    let bucket = format!("test-{:032x}", rand::random::<u128>());
    let (endpoint, access) = (url("CODEROOM_TEST_S3"), url("CODEROOM_TEST_S3_ACCESS_KEY"));
    let settings = S3Settings::new(endpoint, bucket, access, url("CODEROOM_TEST_S3_SECRET_KEY"));
    S3Settings { create_bucket: true, ..settings }
}

async fn open() -> Objects {
    within("opening a bucket", Objects::open_s3(settings())).await.unwrap()
}

/// The store as somebody else sees it.
fn raw_client(settings: &S3Settings) -> Client {
    let tls =
        aws_smithy_http_client::tls::Provider::Rustls(aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&settings.endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(&settings.access_key, &settings.secret_key, None, None, "test"))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .build();
    Client::from_conf(config)
}

crate::objects::every_claim!(on_service, super::open);

/// What `Objects::open_s3` says about settings that somebody got wrong.
async fn refusal(settings: S3Settings) -> String {
    match within("opening with wrong settings", Objects::open_s3(settings)).await {
        Err(ObjectsError::Refused(sentence)) => sentence,
        other => panic!("should be refused: {other:?}"),
    }
}

#[tokio::test]
async fn wrong_settings_are_named_at_start() {
    let good = S3Settings { create_bucket: false, ..settings() };
    let said = refusal(good.clone()).await;
    assert!(said.contains(&good.bucket) && said.contains("s3.create_bucket"), "{said}");
    let made = S3Settings { create_bucket: true, ..good.clone() };
    within("making the bucket", Objects::open_s3(made.clone())).await.unwrap();
    within("opening it again", Objects::open_s3(made)).await.unwrap();
    let said = refusal(S3Settings { access_key: "NOBODY".into(), ..good.clone() }).await;
    assert!(said.contains("s3.access_key"), "{said}");
    let said = refusal(S3Settings { secret_key: "wrong".into(), ..good.clone() }).await;
    assert!(said.contains("s3.secret_key") && !said.contains("wrong secret"), "{said}");
    let said = refusal(S3Settings { endpoint: "s3.example.org".into(), ..good.clone() }).await;
    assert!(said.contains("http://"), "{said}");
    let said = refusal(S3Settings { prefix: "a//b".into(), ..good.clone() }).await;
    assert!(said.contains("prefix"), "{said}");
    let nobody = S3Settings { endpoint: "http://127.0.0.1:9".into(), ..good };
    let silent = within("opening nothing", Objects::open_s3(nobody)).await;
    assert!(matches!(&silent, Err(error @ ObjectsError::Unavailable(_)) if !error.is_permanent()), "{silent:?}");
}

#[tokio::test]
async fn what_is_not_s3_is_named_at_start() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno").await;
        }
    });
    let said = refusal(S3Settings::new(endpoint, "bucket", "k", "s")).await;
    assert!(said.contains("s3.endpoint"), "{said}");
}

#[tokio::test]
async fn two_prefixes_of_one_bucket_do_not_see_each_other() {
    let one = S3Settings { prefix: "one".into(), ..settings() };
    let two = S3Settings { prefix: "two/deep".into(), ..one.clone() };
    let (one, two) = (Objects::open_s3(one).await.unwrap(), Objects::open_s3(two).await.unwrap());
    one.put("a/b", Bytes::from_static(b"one")).await.unwrap();
    two.put("a/b", Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(one.get("a/b").await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(two.list("a/").await.unwrap().len(), 1);
    one.delete("a/b").await.unwrap();
    assert_eq!(two.get("a/b").await.unwrap().as_deref(), Some(&b"two"[..]));
}

/// Status and body of a plain GET.
async fn fetch(url: &str) -> (u16, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("the store of the tests speaks plain HTTP");
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP answer has a head");
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

#[tokio::test]
async fn presigned_address_gives_one_object_for_a_time() {
    let objects = open().await;
    objects.put("runs/1/(code)=+@.zip", Bytes::from_static(b"content")).await.unwrap();
    objects.put("runs/2/code.zip", Bytes::from_static(b"another")).await.unwrap();
    let url = objects.presign("runs/1/(code)=+@.zip", Duration::from_secs(300)).await.unwrap().unwrap();
    assert_eq!(fetch(&url).await, (200, b"content".to_vec()));
    let (status, _) = fetch(&url.replace("runs/1", "runs/2")).await;
    assert_eq!(status, 403, "the signature is of one object");
    let short = objects.presign("runs/2/code.zip", Duration::from_secs(1)).await.unwrap().unwrap();
    let expired = async {
        while fetch(&short).await.0 != 403 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    within("the end of a presigned address", expired).await;
    assert!(objects.presign("../secret", Duration::from_secs(1)).await.is_err());
}

async fn unfinished(client: &Client, bucket: &str) -> usize {
    client.list_multipart_uploads().bucket(bucket).send().await.unwrap().uploads().len()
}

async fn until_none_is_unfinished(client: &Client, bucket: &str) {
    let none = async {
        while unfinished(client, bucket).await != 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the end of unfinished uploads", none).await;
}

#[tokio::test]
async fn uploads_that_end_early_leave_no_parts() {
    let settings = settings();
    let (objects, client) = (Objects::open_s3(settings.clone()).await.unwrap(), raw_client(&settings));
    let many = || stream::repeat_with(|| Ok(Bytes::from(vec![7; 1 << 20])));
    let broken = many().take(20).chain(stream::iter([Err(std::io::Error::other("hung up"))])).boxed();
    assert!(objects.put_stream("broken", broken, u64::MAX).await.is_err());
    assert!(objects.put_stream("long", many().boxed(), 30 << 20).await.is_err());
    let stalled = many().take(20).chain(stream::pending()).boxed();
    let stalled = objects.put_stream("stalled", stalled, u64::MAX);
    let abandoned = async {
        tokio::pin!(stalled);
        while unfinished(&client, &settings.bucket).await == 0 {
            tokio::select! {
                _ = &mut stalled => panic!("a stalled stream cannot end"),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
    };
    within("a part of the stalled upload", abandoned).await;
    until_none_is_unfinished(&client, &settings.bucket).await;
    assert_eq!(objects.list("").await.unwrap(), []);
}

#[tokio::test]
async fn old_unfinished_uploads_are_swept_and_young_ones_left() {
    let settings = settings();
    Objects::open_s3(settings.clone()).await.unwrap();
    let client = raw_client(&settings);
    client.create_multipart_upload().bucket(&settings.bucket).key("left").send().await.unwrap();
    Objects::open_s3(settings.clone()).await.unwrap();
    assert_eq!(unfinished(&client, &settings.bucket).await, 1);
    let impatient = S3Settings { abandoned_after: Duration::ZERO, ..settings.clone() };
    Objects::open_s3(impatient).await.unwrap();
    until_none_is_unfinished(&client, &settings.bucket).await;
}

/// Most memory this process has had so far, in bytes. The runner gives each test a process of its own.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux counts VmHWM");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

async fn in_a_minute<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("not within 60 s: {what}"))
}

#[tokio::test]
async fn two_hundred_mebibytes_pass_with_flat_memory() {
    const SIZE: u64 = 200 << 20;
    let objects = open().await;
    let before = most_memory();
    let number = |piece: u64| u8::try_from(piece % 251).unwrap();
    let source = stream::iter(0..SIZE >> 16).map(move |piece| Ok(Bytes::from(vec![number(piece); 1 << 16]))).boxed();
    assert_eq!(in_a_minute("200 MiB up", objects.put_stream("big", source, SIZE)).await.unwrap(), SIZE);
    let (size, mut read) = objects.get_stream("big", 0).await.unwrap().unwrap();
    assert_eq!(size, SIZE);
    let mut at = 0_u64;
    let down = async {
        while let Some(piece) = read.next().await {
            for byte in piece.unwrap() {
                assert_eq!(byte, number(at >> 16), "at {at}");
                at += 1;
            }
        }
    };
    in_a_minute("200 MiB down", down).await;
    assert_eq!(at, SIZE);
    let more = most_memory().saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more memory for {SIZE} bytes of object");
}
