//! The disk fills while people type.

use std::{path::PathBuf, process::Command};

use crate::{
    editor::Editor,
    person::Person,
    server::{Deployment, Server},
    wait::until,
};

/// A small file system that is unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("coderoom-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(&folder)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// While the disk is full nothing is acknowledged or shown; when space is back everything is stored by itself.
pub async fn full_disk_acknowledges_nothing_and_recovers(deployment: Deployment) {
    let Some(disk) = SmallDisk::mount(48) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    let server = Server::start_in(deployment, disk.0.join("data"), None, &[]).await;
    let person = Person::admin(&server);
    let task = person.create_task("full", "python").await;
    person.write(task, "notes.txt", "").await;
    let mut ana = Editor::open(&person, task, "notes.txt").await;
    let bo = Editor::open(&person, task, "notes.txt").await;
    ana.append("stored ").await;
    ana.wait_until_stored().await;
    bo.wait_for_text("the first edit arrives", |text| text == "stored ").await;

    // Leave a few free pages in files that exist, no more.
    let filler = disk.0.join("filler");
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filler.display())).output();
    let acknowledged = ana.stored();
    let big = "x".repeat(60_000);
    let mut sent = 0;
    for _ in 0..20 {
        ana.append(&big).await;
        sent += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let stored_while_full = ana.stored() - acknowledged;
    assert!(stored_while_full < sent, "a full disk stores all {sent} edits of 60 kB?");
    assert_eq!(ana.refused(), 0, "edits wait, they are not refused");
    let shown = bo.text().len();
    assert!(shown <= "stored ".len() + stored_while_full * big.len() + big.len(), "nothing unstored is shown");

    std::fs::remove_file(&filler).expect("the filler goes");
    ana.wait_until_stored().await;
    let whole = "stored ".len() + sent * big.len();
    bo.wait_for_text("everything arrives", |text| text.len() == whole).await;
    until(async || {
        let length = person.read(task, "notes.txt").await.len();
        if length == whole { Ok(()) } else { Err(format!("{length} of {whole} bytes are stored")) }
    })
    .await;
}
