//! What counts as storage of who made tasks: what is stored does, also when no file has it any more, and what was refused is not.

use std::io::{Cursor, Write as _};

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    person::Person,
    server::{Deployment, Server},
};

/// Bytes that are no text.
fn noise(seed: u8) -> Vec<u8> {
    (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed | 0x80).collect()
}

/// Data that was deleted or overwritten counts until it is removed, each content once; what is refused leaves nothing.
pub async fn deleted_data_counts_and_refused_data_does_not(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Person::admin(&server);
    let (owner, id) = admin.another("owner").await;
    let task = owner.create_task("data", "python").await;
    let files = format!("/api/v1/tasks/{task}/files");
    let usage = async || {
        let usage = admin.json(Method::GET, &format!("/api/v1/users/{id}/usage"), &Value::Null).await;
        usage["storage_bytes"].as_u64().expect("a number")
    };
    let put = async |path: &str, seed: u8| {
        owner.send_bytes(Method::PUT, &format!("{files}/{path}"), noise(seed)).await.status()
    };
    let empty = usage().await;
    assert_eq!(put("a.bin", 1).await, StatusCode::CREATED);
    assert_eq!(put("a.bin", 2).await, StatusCode::OK);
    assert_eq!(usage().await, empty + 200_000, "the first content is still stored");
    assert_eq!(owner.send(Method::DELETE, &format!("{files}/a.bin")).await.status(), StatusCode::OK);
    assert_eq!(usage().await, empty + 200_000, "and the second");
    assert_eq!(put("b.bin", 1).await, StatusCode::CREATED);
    assert_eq!(usage().await, empty + 200_000, "what a file has again counts with the file");

    assert_eq!(put("run.py", 3).await, StatusCode::CONFLICT);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, seed) in [("data.bin", 4), ("run.py", 5)] {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(&noise(seed)).expect("its content");
    }
    let zip = zip.finish().expect("an archive").into_inner();
    let import = format!("/api/v1/tasks/{task}/import?replace=true");
    assert_eq!(owner.send_bytes(Method::POST, &import, zip).await.status(), StatusCode::CONFLICT);
    assert_eq!(usage().await, empty + 200_000, "nothing of what was refused");

    // The same bytes to paths of which only some can be: what is refused takes nothing from the others.
    for seed in 10..14 {
        let paths: Vec<_> = (0..8).map(|n| format!("{}{seed}/{}", if n % 2 == 0 { "d" } else { "D" }, n / 2)).collect();
        let done = join_all(paths.iter().map(|path| put(path, seed))).await;
        assert!(done.contains(&StatusCode::CREATED) && done.contains(&StatusCode::CONFLICT), "{done:?}");
        for (path, _) in paths.iter().zip(done).filter(|(_, status)| status.is_success()) {
            let read = owner.send(Method::GET, &format!("{files}/{path}")).await;
            assert_eq!(read.bytes().await.expect("the content"), noise(seed), "{path}");
        }
    }
}
