//! Edits that the server makes.

use coderoom_protocol::problem::ErrorCode;

use super::harness::Node;
use crate::rooms::RoomSettings;

#[tokio::test]
async fn text_is_written_by_the_smallest_edit_and_shown() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("a = 1\r\nb = 2\r\n").await;
    let mut ann = node.synced(file).await;
    let written = node.rooms.write_text(node.task, file, "a = 1\r\nb = 😀\r\n".into()).await.unwrap();
    assert!(written.changed);
    assert_eq!(written.seq, 2);
    ann.wait_text("a = 1\r\nb = 😀\r\n").await;
    let again = node.rooms.write_text(node.task, file, "a = 1\r\nb = 😀\r\n".into()).await.unwrap();
    assert_eq!((again.changed, again.seq), (false, 2));
    assert_eq!(node.stored_text(file).await, "a = 1\r\nb = 😀\r\n");
}

#[tokio::test]
async fn writes_at_once_leave_one_of_the_texts() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let texts: Vec<String> = (0..10).map(|number| format!("same beginning\n{number}\nsame end\n")).collect();
    let writes = texts.iter().map(|text| node.rooms.write_text(node.task, file, text.clone()));
    for written in futures_util::future::join_all(writes).await {
        assert!(written.unwrap().changed);
    }
    let text = node.stored_text(file).await;
    assert!(texts.contains(&text), "{text}");
}

#[tokio::test]
async fn write_meets_typing_and_loses_neither() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("first\nlast\n").await;
    let mut ann = node.synced(file).await;
    let writer_is_busy = node.hold_writes().await;
    ann.type_at(0, "typed ").await;
    let rooms = node.rooms.clone();
    let task = node.task;
    let write = tokio::spawn(async move { rooms.write_text(task, file, "typed first\nmiddle\nlast\n".into()).await });
    tokio::task::yield_now().await;
    drop(writer_is_busy);
    write.await.unwrap().unwrap();
    ann.wait_text("typed first\nmiddle\nlast\n").await;
}

#[tokio::test]
async fn texts_too_large_and_files_that_are_gone_are_refused() {
    let node = Node::start(RoomSettings { max_text_bytes: 10, ..RoomSettings::default() }).await;
    let file = node.file("").await;
    let write = |text: &str| node.rooms.write_text(node.task, file, text.to_owned());
    assert!(write("0123456789").await.is_ok());
    assert_eq!(write("0123456789a").await.unwrap_err().code, ErrorCode::FileTooLarge);
    let gone = node.rooms.write_text(node.task, coderoom_protocol::ids::FileId::new(), "x".into()).await;
    assert_eq!(gone.unwrap_err().code, ErrorCode::NotFound);
}
