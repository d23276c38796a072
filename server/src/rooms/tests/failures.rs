//! What happens when storing fails.

use std::path::Path;

use coderoom_backing::{tables::Sql, values};
use coderoom_protocol::role::Role;

use super::harness::{Door, Node, counters::Counters};
use crate::rooms::{Place, RoomSettings, replica::fault};

#[tokio::test]
async fn nothing_is_shown_or_acknowledged_before_it_is_stored() {
    let node = Node::start(RoomSettings::default()).await;
    let file = node.file("").await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    let writer_is_busy = node.hold_writes().await;
    for _ in 0..5 {
        ann.type_at(0, "x").await;
    }
    ann.read_all().await;
    bob.read_all().await;
    assert_eq!((ann.answers.len(), bob.text()), (1, String::new()));
    drop(writer_is_busy);
    ann.wait_answers(&[true; 6]).await;
    bob.wait_text("xxxxx").await;
    assert_eq!(node.stored_edits(file).await, 5);
}

#[tokio::test]
async fn edits_that_came_another_way_are_read_from_the_tables() {
    let node = Node::start(RoomSettings::default()).await;
    let twin = node.twin(RoomSettings::default());
    let file = node.file("a").await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    let mut cleo = twin.synced(file).await;
    cleo.type_at(1, "c").await;
    cleo.wait_answers(&[true, true]).await;
    // The next commit here shows that a number is missing: what is missing is read, everybody gets it.
    ann.type_at(0, "b").await;
    for client in [&mut ann, &mut bob] {
        client.wait_text("bac").await;
    }
    ann.type_at(0, "d").await;
    bob.wait_text("dbac").await;
    assert_eq!(node.stored_text(file).await, "dbac");
    assert!(ann.answers.iter().all(|is_stored| *is_stored));
}

#[tokio::test]
async fn panic_while_applying_costs_one_document_a_rebuild_and_others_nothing() {
    let counters = Counters::default();
    let _counting = counters.begin();
    let node = Node::start(RoomSettings::default()).await;
    let (struck, other) = (node.file("a").await, node.file("x").await);
    let (mut ann, mut bob) = (node.synced(struck).await, node.synced(struck).await);
    let (mut cleo, mut dan) = (node.synced(other).await, node.synced(other).await);
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    assert_eq!(counters.get("coderoom_documents_loaded_total"), 2);
    fault::panic_at(b"poison");
    ann.type_at(1, "poison").await;
    cleo.type_at(1, "y").await;
    ann.wait_answers(&[true, true]).await;
    watcher.wait("a notice", |client| client.control.iter().any(|notice| notice["code"] == "rebuilt")).await;
    bob.wait_text("apoison").await;
    dan.wait_text("xy").await;
    // Both go on.
    bob.type_at(0, "> ").await;
    ann.wait_text("> apoison").await;
    dan.type_at(0, "> ").await;
    cleo.wait_text("> xy").await;
    assert_eq!(
        (node.stored_text(struck).await.as_str(), node.stored_text(other).await.as_str()),
        ("> apoison", "> xy")
    );
    assert_eq!(counters.get("coderoom_documents_rebuilt_total"), 1);
    assert_eq!(counters.get("coderoom_documents_loaded_total"), 3, "one was read again");
    for client in [&ann, &bob, &cleo, &dan] {
        assert!(client.farewell.is_none() && client.answers.iter().all(|is_stored| *is_stored));
    }
    assert_eq!((cleo.step1s.len(), dan.step1s.len()), (1, 1), "others were not asked for anything");
}

/// A row that the tables refuse, for one file only.
async fn poison(node: &Node, file: coderoom_protocol::ids::FileId) {
    let poison = Sql {
        sqlite: format!(
            "CREATE TRIGGER poison BEFORE INSERT ON edits WHEN NEW.file_id = '{file}' \
             BEGIN SELECT RAISE(ABORT, 'poisoned'); END"
        )
        .into(),
        postgres: format!("ALTER TABLE edits ADD CONSTRAINT poison CHECK (file_id <> '{file}') NOT VALID").into(),
    };
    node.tables.execute(poison, values![]).await.unwrap();
}

#[tokio::test]
async fn document_that_the_tables_refuse_harms_nobody() {
    let node = Node::start(RoomSettings::default()).await;
    let (bad, good) = (node.file("").await, node.file("").await);
    let (mut ann, mut bob) = (node.synced(bad).await, node.synced(good).await);
    poison(&node, bad).await;
    let writer_is_busy = node.hold_writes().await;
    for _ in 0..3 {
        ann.type_at(0, "x").await;
        bob.type_at(0, "y").await;
    }
    drop(writer_is_busy);
    bob.wait_answers(&[true; 4]).await;
    ann.answers_step1 = false;
    ann.wait("refusals", |client| client.answers.len() >= 4).await;
    assert_eq!(ann.answers[..4], [true, false, false, false]);
    assert_eq!((node.stored_text(bad).await.as_str(), node.stored_text(good).await.as_str()), ("", "yyy"));
    // When the fault is gone the client's answer to our question brings everything.
    let antidote =
        Sql { sqlite: "DROP TRIGGER poison".into(), postgres: "ALTER TABLE edits DROP CONSTRAINT poison".into() };
    node.tables.execute(antidote, values![]).await.unwrap();
    ann.answers_step1 = true;
    ann.sync().await;
    assert_eq!(node.stored_text(bad).await, "xxx");
}

#[tokio::test]
async fn full_disk_is_told_survived_and_made_good() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    }
    let mount = Mount::tmpfs("12m");
    let settings = RoomSettings { max_backlog_bytes: 20_000, retry_ms: (5, 20), ..RoomSettings::default() };
    let node = Node::start_at(mount.path(), settings).await;
    let file = node.file("").await;
    let (mut ann, mut bob) = (node.synced(file).await, node.synced(file).await);
    let mut watcher = node.client(Place::Task, Role::Viewer, node.user, Door::Text).await;
    let filler = mount.fill();
    // Pages that are free in the log may still take a few edits.
    let mut sent = 1;
    while !watcher.control.iter().any(|notice| notice["code"] == "not_stored") {
        ann.type_at(0, &"x".repeat(3_000)).await;
        sent += 1;
        assert!(sent < 100, "the disk does not fill");
        ann.read_all().await;
        watcher.read_all().await;
    }
    let (acknowledged, shown) = (ann.answers.len(), bob.text().len());
    for _ in 0..10 {
        ann.type_at(0, &"y".repeat(3_000)).await;
        sent += 1;
    }
    watcher.wait("read only", |client| client.control.iter().any(|notice| notice["code"] == "read_only")).await;
    ann.read_all().await;
    assert_eq!(ann.answers.len(), acknowledged, "nothing is answered, since answers keep their order");
    bob.read_all().await;
    assert!(bob.text().len() >= shown && !bob.text().contains('y'));
    std::fs::remove_file(filler).unwrap();
    watcher.wait("stored again", |client| client.control.iter().any(|notice| notice["code"] == "stored")).await;
    // Refused edits come again with the client's answer to our question.
    let text = ann.text();
    ann.wait("all answers", |client| client.answers.len() > sent).await;
    bob.wait_text(&text).await;
    assert_eq!(node.stored_text(file).await, text);
    let notices = watcher.control.iter().filter(|notice| notice["code"] == "not_stored").count();
    assert_eq!(notices, 1, "members are told once");
}

/// A small file system, gone when dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(status.success());
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte; gives the file that does.
    fn fill(&self) -> std::path::PathBuf {
        use std::io::Write as _;
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
