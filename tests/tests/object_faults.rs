//! The S3 twin of the objects while its store is killed, paused and started again. Each test has a store of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use coderoom_backing::objects::{ByteStream, Objects, ObjectsError, S3Settings};
use coderoom_services::Ceph;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

const MIB: usize = 1 << 20;

async fn within<T>(what: &str, seconds: u64, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(seconds);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("did not happen within {limit:?}: {what}"))
}

/// A store and a bucket in it, opened with little patience.
async fn store() -> (Ceph, Objects) {
    let ceph = tokio::task::spawn_blocking(Ceph::start).await.unwrap();
    let settings = S3Settings::new(ceph.url(), "objects", ceph.access_key(), ceph.secret_key());
    let settings = S3Settings {
        create_bucket: true,
        request_timeout: Duration::from_secs(3),
        connect_timeout: Duration::from_secs(1),
        attempts: 2,
        ..settings
    };
    let objects = within("opening a bucket", 30, Objects::open_s3(settings)).await.unwrap();
    (ceph, objects)
}

/// A stream that ends when its sender is dropped. One piece at a time, so that the sender knows how far the reader is.
fn by_hand() -> (mpsc::Sender<Bytes>, ByteStream) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (io::Result::Ok(piece), receiver))
    });
    (sender, pieces.boxed())
}

/// Starts to replace `key`, and comes back when two parts of the new object have been sent.
async fn half_way(
    objects: &Objects,
    key: &'static str,
) -> (mpsc::Sender<Bytes>, tokio::task::JoinHandle<Result<u64, ObjectsError>>) {
    let (sender, stream) = by_hand();
    let objects = objects.clone();
    let put = tokio::spawn(async move { objects.put_stream(key, stream, u64::MAX).await });
    for _ in 0..20 {
        within("the reader takes a piece", 20, sender.send(Bytes::from(vec![2; MIB]))).await.unwrap();
    }
    (sender, put)
}

/// Sends more until the put has failed, and gives its error.
async fn failure(sender: mpsc::Sender<Bytes>, put: tokio::task::JoinHandle<Result<u64, ObjectsError>>) -> ObjectsError {
    let rest = async {
        while sender.send(Bytes::from(vec![2; MIB])).await.is_ok() {}
        put.await.unwrap().unwrap_err()
    };
    within("the put fails", 60, rest).await
}

async fn has_old_object(objects: &Objects) {
    assert_eq!(within("reading the old object", 30, objects.get("a")).await.unwrap(), Some(Bytes::from(vec![1; 10])));
    let listed = within("listing", 30, objects.list("")).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_killed_in_the_middle_of_an_upload_leaves_the_old_object() {
    let (mut ceph, objects) = store().await;
    objects.put("a", Bytes::from(vec![1; 10])).await.unwrap();
    let (sender, put) = half_way(&objects, "a").await;
    ceph.kill();
    let error = failure(sender, put).await;
    assert!(matches!(error, ObjectsError::Unavailable(_)) && !error.is_permanent(), "{error}");
    assert!(within("asking a dead store", 20, objects.ping()).await.is_err());
    let ceph = tokio::task::spawn_blocking(move || {
        ceph.restart();
        ceph
    });
    let _ceph = ceph.await.unwrap();
    has_old_object(&objects).await;
    objects.put("a", Bytes::from(vec![3; 5])).await.unwrap();
    assert_eq!(objects.get("a").await.unwrap(), Some(Bytes::from(vec![3; 5])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_paused_in_the_middle_of_an_upload_hangs_nobody_and_leaves_the_old_object() {
    let (ceph, objects) = store().await;
    objects.put("a", Bytes::from(vec![1; 10])).await.unwrap();
    let (sender, put) = half_way(&objects, "a").await;
    ceph.pause();
    let began = Instant::now();
    let error = failure(sender, put).await;
    assert!(!error.is_permanent(), "{error}");
    assert!(within("asking a paused store", 20, objects.size("a")).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(40), "two requests took {:?}", began.elapsed());
    ceph.resume();
    has_old_object(&objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_goes_on_where_a_store_that_was_killed_stopped() {
    const SIZE: usize = 100 * MIB;
    let (mut ceph, objects) = store().await;
    let number = |piece: usize| u8::try_from(piece % 251).unwrap();
    let source = stream::iter(0..SIZE / MIB).map(move |piece| Ok(Bytes::from(vec![number(piece); MIB]))).boxed();
    within("100 MiB up", 60, objects.put_stream("big", source, u64::MAX)).await.unwrap();
    let (_, mut read) = objects.get_stream("big", 5).await.unwrap().unwrap();
    let first = read.next().await.unwrap().unwrap();
    ceph.kill();
    let restarted = tokio::task::spawn_blocking(move || {
        ceph.restart();
        ceph
    });
    let mut at = 5;
    let mut check = |piece: Bytes| {
        for byte in piece {
            assert_eq!(byte, number(at / MIB), "at {at}");
            at += 1;
        }
    };
    check(first);
    let rest = async {
        while let Some(piece) = read.next().await {
            check(piece.unwrap());
        }
    };
    within("the rest of the object", 90, rest).await;
    assert_eq!(at, SIZE);
    drop(restarted.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_of_an_object_that_was_replaced_meanwhile_gets_an_error_and_no_mixture() {
    const SIZE: usize = 100 * MIB;
    let (mut ceph, objects) = store().await;
    let object = |byte: u8| stream::iter(0..SIZE / MIB).map(move |_| Ok(Bytes::from(vec![byte; MIB]))).boxed();
    within("100 MiB up", 60, objects.put_stream("big", object(1), u64::MAX)).await.unwrap();
    let (_, mut read) = objects.get_stream("big", 0).await.unwrap().unwrap();
    let mut seen = read.next().await.unwrap().unwrap().len();
    within("another 100 MiB up", 60, objects.put_stream("big", object(2), u64::MAX)).await.unwrap();
    ceph.kill();
    let restarted = tokio::task::spawn_blocking(move || {
        ceph.restart();
        ceph
    });
    let rest = async {
        while let Some(piece) = read.next().await {
            match piece {
                Ok(piece) => {
                    assert!(piece.iter().all(|byte| *byte == 1), "bytes of the other object from {seen} on");
                    seen += piece.len();
                }
                Err(_) => return,
            }
        }
        assert_eq!(seen, SIZE, "an end that came early");
    };
    within("the end of the old object, or an error", 90, rest).await;
    drop(restarted.await.unwrap());
}
