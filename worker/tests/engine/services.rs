//! The embedded services in a directory, as one process after the other opens them.

use std::{path::Path, time::Duration};

use coderoom_backing::{
    bus::Bus,
    queue::{Queue, QueueLimits},
    tables::{PostgresSettings, Tables},
};
use coderoom_services::Database;
use tempfile::TempDir;

/// What outlives a process.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn open(&self, limits: QueueLimits) -> (Tables, Bus, Queue) {
        let tables = open_tables(&self.path().join("tables.sqlite")).await;
        let bus = Bus::open_local(&self.path().join("streams")).await.unwrap();
        (tables, bus, Queue::open_local_with(limits))
    }
}

async fn open_tables(file: &Path) -> Tables {
    if let Some(url) = Database::in_place_of(file) {
        return Tables::open_postgres(PostgresSettings::new(url)).await.unwrap();
    }
    // The threads of the process before may need a moment to give up the file.
    let mut last = None;
    for _ in 0..100 {
        match Tables::open_sqlite(file).await {
            Ok(tables) => return tables,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the tables could not be opened: {last:?}")
}
