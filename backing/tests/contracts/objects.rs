//! What every twin of the objects holds. Each function gets an empty store.

use std::io;

use bytes::Bytes;
use coderoom_backing::objects::{ByteStream, Objects, ObjectsError};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::wait::within;

fn pieces(pieces: Vec<io::Result<Bytes>>) -> ByteStream {
    stream::iter(pieces).boxed()
}

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|place| u8::try_from(place * 31 % 251).unwrap()).collect::<Vec<_>>().into()
}

async fn collect(stream: ByteStream) -> Vec<u8> {
    stream.map_ok(|piece| piece.to_vec()).try_concat().await.unwrap()
}

async fn keys(objects: &Objects, prefix: &str) -> Vec<String> {
    objects.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}

pub(crate) async fn stored_object_comes_back_whole(objects: &Objects) {
    for (key, size) in [("a", 0), ("runs/1/code.zip", 1), ("runs/1/log/0", 1 << 20), ("x/(y)_=+@,!.z", 300_000)] {
        objects.put(key, pattern(size)).await.unwrap();
        assert_eq!(objects.get(key).await.unwrap(), Some(pattern(size)));
        assert_eq!(objects.size(key).await.unwrap(), Some(size as u64));
    }
}

pub(crate) async fn put_replaces(objects: &Objects) {
    objects.put("a/b", pattern(100)).await.unwrap();
    objects.put("a/b", pattern(10)).await.unwrap();
    assert_eq!(objects.get("a/b").await.unwrap(), Some(pattern(10)));
    assert_eq!(keys(objects, "").await, ["a/b"]);
}

pub(crate) async fn missing_object_is_none(objects: &Objects) {
    objects.put("a/b", pattern(1)).await.unwrap();
    for key in ["a", "b", "a/c", "a/b/c"] {
        assert_eq!(objects.get(key).await.unwrap(), None);
        assert!(objects.get_stream(key, 0).await.unwrap().is_none());
        assert_eq!(objects.size(key).await.unwrap(), None);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("copy");
        assert!(!objects.fetch_to_file(key, &file).await.unwrap());
        assert!(!file.exists());
    }
}

pub(crate) async fn stream_starts_at_any_offset(objects: &Objects) {
    let all = pattern(700_000);
    objects.put("a", all.clone()).await.unwrap();
    for offset in [0, 1, 131_071, 131_072, 699_999, 700_000, 700_001] {
        let (size, stream) = objects.get_stream("a", offset as u64).await.unwrap().unwrap();
        assert_eq!(size, 700_000);
        assert_eq!(collect(stream).await, all.get(offset..).unwrap_or_default(), "from {offset}");
    }
}

pub(crate) async fn streamed_object_is_stored_whole(objects: &Objects) {
    let sizes = [0, 1, 70_000, 0, 131_072, 131_073, 500_000, 3];
    let all = pattern(sizes.iter().sum());
    let mut rest = all.clone();
    let parts = sizes.iter().map(|size| Ok(rest.split_to(*size))).collect();
    let size = objects.put_stream("a/b", pieces(parts), all.len() as u64).await.unwrap();
    assert_eq!(size, all.len() as u64);
    assert_eq!(objects.get("a/b").await.unwrap(), Some(all));
    assert_eq!(objects.put_stream("empty", pieces(vec![]), 0).await.unwrap(), 0);
    assert_eq!(objects.get("empty").await.unwrap(), Some(Bytes::new()));
}

pub(crate) async fn stream_over_its_limit_leaves_the_old_object(objects: &Objects) {
    objects.put("a", pattern(5)).await.unwrap();
    let endless = stream::repeat_with(|| Ok(pattern(100_000))).boxed();
    let refused = objects.put_stream("a", endless, 1_000_000).await;
    assert!(matches!(refused, Err(ObjectsError::TooLarge { limit: 1_000_000 })), "{refused:?}");
    assert_eq!(objects.get("a").await.unwrap(), Some(pattern(5)));
    assert!(objects.put_stream("b", pieces(vec![Ok(pattern(2))]), 1).await.is_err());
    assert_eq!(objects.get("b").await.unwrap(), None);
}

pub(crate) async fn failed_stream_leaves_the_old_object(objects: &Objects) {
    objects.put("a", pattern(5)).await.unwrap();
    let broken = || pieces(vec![Ok(pattern(400_000)), Err(io::Error::other("hung up"))]);
    for key in ["a", "b"] {
        let refused = objects.put_stream(key, broken(), u64::MAX).await;
        assert!(matches!(&refused, Err(error @ ObjectsError::Source(_)) if error.is_permanent()), "{refused:?}");
    }
    assert_eq!(objects.get("a").await.unwrap(), Some(pattern(5)));
    assert_eq!(keys(objects, "").await, ["a"]);
}

pub(crate) async fn abandoned_stream_leaves_the_old_object(objects: &Objects) {
    objects.put("a", pattern(5)).await.unwrap();
    let stalled = stream::iter([Ok(pattern(400_000))]).chain(stream::pending()).boxed();
    let put = objects.put_stream("a", stalled, u64::MAX);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), put).await.is_err());
    assert_eq!(objects.get("a").await.unwrap(), Some(pattern(5)));
}

pub(crate) async fn readers_keep_the_object_they_opened(objects: &Objects) {
    objects.put("a", Bytes::from(vec![1; 1_000_000])).await.unwrap();
    let (_, replaced) = objects.get_stream("a", 0).await.unwrap().unwrap();
    objects.put("a", Bytes::from(vec![2; 500_000])).await.unwrap();
    let (_, deleted) = objects.get_stream("a", 0).await.unwrap().unwrap();
    objects.delete("a").await.unwrap();
    assert_eq!(collect(replaced).await, vec![1; 1_000_000]);
    assert_eq!(collect(deleted).await, vec![2; 500_000]);
}

pub(crate) async fn readers_never_get_a_mixture(objects: &Objects) {
    objects.put("a", Bytes::from(vec![1; 6_000_000])).await.unwrap();
    let (size, replaced) = objects.get_stream("a", 0).await.unwrap().unwrap();
    assert_eq!(size, 6_000_000);
    objects.put("a", Bytes::from(vec![2; 6_000_000])).await.unwrap();
    let read: Result<Vec<u8>, _> = replaced.map_ok(|piece| piece.to_vec()).try_concat().await;
    // An error is honest; bytes of the other object, or an end that comes early, are not.
    if let Ok(bytes) = read {
        assert!(bytes == vec![1; 6_000_000], "{} bytes", bytes.len());
    }
    assert_eq!(collect(objects.get_stream("a", 5_999_999).await.unwrap().unwrap().1).await, [2]);
}

pub(crate) async fn long_listing_is_complete_and_in_order(objects: &Objects) {
    let names: Vec<String> = (0..1_050).map(|number| format!("many/{number:05}")).collect();
    let puts = stream::iter(&names).map(|name| objects.put(name, pattern(1))).buffer_unordered(16);
    puts.try_collect::<()>().await.unwrap();
    assert_eq!(keys(objects, "many/").await, names);
}

pub(crate) async fn store_answers_a_ping(objects: &Objects) {
    objects.ping().await.unwrap();
}

pub(crate) async fn files_go_in_and_out(objects: &Objects) {
    let directory = tempfile::tempdir().unwrap();
    let (source, copy) = (directory.path().join("source"), directory.path().join("copy"));
    std::fs::write(&source, pattern(400_000)).unwrap();
    assert_eq!(objects.put_file("a/b", &source).await.unwrap(), 400_000);
    assert!(objects.fetch_to_file("a/b", &copy).await.unwrap());
    assert_eq!(std::fs::read(&copy).unwrap(), pattern(400_000));
    // Who got the copy may change it.
    std::fs::write(&copy, b"changed").unwrap();
    std::fs::write(&source, b"changed").unwrap();
    assert_eq!(objects.get("a/b").await.unwrap(), Some(pattern(400_000)));
    assert!(objects.fetch_to_file("a/b", &copy).await.is_err(), "an existing file is not overwritten");
    assert_eq!(std::fs::read(&copy).unwrap(), b"changed");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&source, &link).unwrap();
    for path in [&link, &directory.path().to_owned(), &directory.path().join("missing")] {
        let refused = objects.put_file("a/c", path).await;
        assert!(matches!(refused, Err(ObjectsError::Source(_))), "{refused:?}");
    }
}

pub(crate) async fn bad_keys_are_refused(objects: &Objects) {
    let (long, deep) = ("x".repeat(251), "y/".repeat(450) + "z");
    for key in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0", "a b", "a\\b", "ä", &long, &deep] {
        let refused = objects.put(key, pattern(1)).await;
        assert!(matches!(refused, Err(ObjectsError::BadKey(_))), "{key}: {refused:?}");
        assert!(objects.get(key).await.is_err());
        assert!(objects.delete(key).await.is_err());
    }
    for prefix in ["/", "a", "../", "a//"] {
        assert!(objects.list(prefix).await.is_err(), "{prefix}");
    }
    objects.put(&"x".repeat(250), pattern(1)).await.unwrap();
}

pub(crate) async fn listing_has_a_folder_in_order(objects: &Objects) {
    for key in ["b/2", "b/10", "b/1/x", "b.x", "b/1.y", "a", "c/d/e"] {
        objects.put(key, pattern(key.len())).await.unwrap();
    }
    assert_eq!(keys(objects, "").await, ["a", "b.x", "b/1.y", "b/1/x", "b/10", "b/2", "c/d/e"]);
    assert_eq!(keys(objects, "b/").await, ["b/1.y", "b/1/x", "b/10", "b/2"]);
    assert_eq!(keys(objects, "none/").await, Vec::<String>::new());
    let listed = objects.list("c/").await.unwrap();
    assert_eq!(listed[0].size, 5);
    assert!(listed[0].modified_ms > 1_600_000_000_000);
}

pub(crate) async fn deleting_is_final_and_repeatable(objects: &Objects) {
    for key in ["a/b/c", "a/b/d", "e"] {
        objects.put(key, pattern(1)).await.unwrap();
    }
    for _ in 0..2 {
        objects.delete("a/b/c").await.unwrap();
        assert_eq!(keys(objects, "").await, ["a/b/d", "e"]);
    }
    objects.delete("a/b").await.unwrap();
    objects.delete("e/f").await.unwrap();
    assert_eq!(keys(objects, "").await, ["a/b/d", "e"]);
    objects.delete("a/b/d").await.unwrap();
    // The folder was never more than what a key implied.
    objects.put("a", pattern(1)).await.unwrap();
    assert_eq!(keys(objects, "").await, ["a", "e"]);
}

pub(crate) async fn puts_and_deletes_in_one_folder_do_not_disturb_each_other(objects: &Objects) {
    let tasks = (0..4).map(|task| {
        let objects = objects.clone();
        tokio::spawn(async move {
            let key = format!("deep/er/{task}");
            for _ in 0..40 {
                objects.put(&key, pattern(10)).await.unwrap();
                objects.delete(&key).await.unwrap();
            }
            objects.put(&key, pattern(10)).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within("puts and deletes", task).await.unwrap();
    }
    assert_eq!(keys(objects, "").await, ["deep/er/0", "deep/er/1", "deep/er/2", "deep/er/3"]);
}

/// Every claim of this suite, handed to the macro of a twin; `more` are those that not every twin can hold.
macro_rules! every_claim {
    ($on_twin:ident, $open:path $(, $more:ident)*) => {
        $on_twin!(
            objects,
            $open,
            stored_object_comes_back_whole,
            put_replaces,
            missing_object_is_none,
            stream_starts_at_any_offset,
            streamed_object_is_stored_whole,
            stream_over_its_limit_leaves_the_old_object,
            failed_stream_leaves_the_old_object,
            abandoned_stream_leaves_the_old_object,
            readers_never_get_a_mixture,
            long_listing_is_complete_and_in_order,
            store_answers_a_ping,
            files_go_in_and_out,
            bad_keys_are_refused,
            listing_has_a_folder_in_order,
            deleting_is_final_and_repeatable,
            puts_and_deletes_in_one_folder_do_not_disturb_each_other,
            $($more,)*
        );
    };
}
pub(crate) use every_claim;
