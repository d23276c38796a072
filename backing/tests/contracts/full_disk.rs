//! What the embedded twins do when the disk is full, on a real file system of 2 MiB: they say so, lose nothing,
//! and go on by themselves when there is room again.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use coderoom_backing::{
    bus::{Bus, BusError},
    objects::{Objects, ObjectsError},
    tables::{Statement, Tables, TablesError},
    values,
};
use futures_util::StreamExt;

/// A small file system; unmounted when dropped.
struct SmallDisk(PathBuf, #[expect(dead_code, reason = "removed after the unmount")] tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        match rustix::mount::mount("tmpfs", &at, "tmpfs", rustix::mount::MountFlags::empty(), c"size=2m") {
            Ok(()) => Some(Self(at, directory)),
            Err(error) => {
                println!("skipped: cannot mount a small disk: {error}");
                None
            }
        }
    }

    /// Takes all room; dropping the guard gives it back.
    fn fill(&self) -> Filling {
        let path = self.0.join("filling");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [65_536, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
        }
        Filling(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

struct Filling(PathBuf);

impl Drop for Filling {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn row(number: i64) -> Statement {
    Statement::new("INSERT INTO t VALUES ($1, $2)", values![number, vec![7_u8; 3000]])
}

async fn count(tables: &Tables) -> u64 {
    tables.query("SELECT COUNT(*) FROM t", vec![]).await.unwrap()[0].uint(0).unwrap()
}

#[tokio::test]
async fn tables_on_a_full_disk_say_so_and_recover() {
    let Some(disk) = SmallDisk::mount() else { return };
    let tables = Tables::open_sqlite(&disk.0.join("t.db")).await.unwrap();
    tables.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY, b BLOB)", vec![]).await.unwrap();
    let mut stored = 0;
    for round in 0..3 {
        tables.batch(vec![row(stored)]).await.unwrap();
        stored += 1;
        let filling = disk.fill();
        // The log may have room left inside its file; then it must run out.
        let mut refused = None;
        for _ in 0..1000 {
            match tables.batch(vec![row(stored), row(stored + 1)]).await {
                Ok(_) => stored += 2,
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        assert!(matches!(refused, Some(TablesError::Full)), "round {round}: {refused:?}");
        assert!(matches!(tables.execute(row(stored).sql, row(stored).values).await, Err(TablesError::Full)));
        let mut transaction = tables.begin().await.unwrap();
        let written = transaction.batch((stored..stored + 300).map(row).collect()).await;
        let refused = match written {
            Ok(_) => transaction.commit().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(refused, TablesError::Full), "{refused:?}");
        assert_eq!(count(&tables).await, stored.unsigned_abs(), "reading goes on, and sees what was stored");
        drop(filling);
        tables.batch(vec![row(stored)]).await.unwrap();
        stored += 1;
        assert_eq!(count(&tables).await, stored.unsigned_abs());
        tables.execute("DELETE FROM t WHERE a > 0", vec![]).await.unwrap();
        tables.execute("DELETE FROM t", vec![]).await.unwrap();
        stored = 0;
    }
    assert_eq!(tables.query("PRAGMA integrity_check", vec![]).await.unwrap()[0].text(0).unwrap(), "ok");
}

fn files_in(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn objects_on_a_full_disk_say_so_and_recover() {
    let Some(disk) = SmallDisk::mount() else { return };
    let objects = Objects::open_directory(&disk.0.join("objects")).await.unwrap();
    objects.put("a", Bytes::from(vec![1; 10_000])).await.unwrap();
    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), vec![1; 3 << 20]).unwrap();
    let refusals = [
        objects.put("a", Bytes::from(vec![2; 3 << 20])).await.unwrap_err(),
        objects.put_file("a", source.path()).await.unwrap_err(),
        {
            let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![2; 50_000]))).boxed();
            objects.put_stream("a", endless, u64::MAX).await.unwrap_err()
        },
    ];
    for refused in refusals {
        assert!(matches!(refused, ObjectsError::Full) && !refused.is_permanent(), "{refused:?}");
    }
    assert_eq!(files_in(&disk.0.join("objects/incoming")), 0, "nothing half-written stays");
    assert_eq!(objects.get("a").await.unwrap(), Some(Bytes::from(vec![1; 10_000])));
    objects.put("a", Bytes::from(vec![3; 1_300_000])).await.unwrap();
    // A copy that does not fit leaves no part.
    let refused = objects.fetch_to_file("a", &disk.0.join("copy")).await;
    assert!(matches!(refused, Err(ObjectsError::Full)), "{refused:?}");
    assert!(!disk.0.join("copy").exists());
}

#[tokio::test]
async fn stream_on_a_full_disk_says_so_and_recovers() {
    let Some(disk) = SmallDisk::mount() else { return };
    let at = disk.0.join("streams");
    let bus = Bus::open_local(&at).await.unwrap();
    bus.append("s", 1, Bytes::from(vec![1; 5000])).await.unwrap();
    let filling = disk.fill();
    let mut end = 2;
    while let Ok(()) = bus.append("s", end, Bytes::from(vec![2; 5000])).await {
        end += 1;
    }
    let refused = bus.append("s", end, Bytes::from(vec![2; 50_000])).await;
    assert!(matches!(refused, Err(BusError::Full)), "{refused:?}");
    assert_eq!(bus.last("s").await.unwrap(), Some(end - 1));
    assert!(bus.append("new", 1, Bytes::from_static(b"x")).await.is_err());
    drop(filling);
    bus.append("s", end, Bytes::from(vec![3; 5000])).await.unwrap();
    bus.append("new", 1, Bytes::from_static(b"x")).await.unwrap();
    drop(bus);
    let bus = Bus::open_local(&at).await.unwrap();
    let entries = bus.read("s", end - 1, usize::MAX).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].bytes, vec![3; 5000]);
}
