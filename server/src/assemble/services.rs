//! Opens the backing services that the settings name, and brings the tables up to date.

use anyhow::Context as _;
use coderoom_backing::{bus::Bus, objects::Objects, queue::Queue, tables::Tables};

use crate::config::{
    Settings,
    topics::{BusKind, ObjectsKind, QueueKind, TablesKind},
};

/// The services behind a server or worker.
#[derive(Clone, Debug)]
pub struct Services {
    /// The truth.
    pub tables: Tables,
    /// Blobs, snapshots, finished logs.
    pub objects: Objects,
    /// Announcements.
    pub bus: Bus,
    /// The doorbell of runs.
    pub queue: Queue,
}

impl Services {
    /// Opens them in the order in which failures are easiest to understand.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data = &settings.deployment.data;
        make_private_directory(data).with_context(|| format!("make the data directory {}", data.display()))?;
        let tables = match settings.deployment.tables {
            TablesKind::Sqlite => Tables::open_sqlite(&data.join("coderoom.sqlite")).await,
        };
        let tables = tables.with_context(|| format!("open the tables in {}", data.display()))?;
        tables.migrate(coderoom_worker::schema::MIGRATIONS).await.context("bring the tables up to date")?;
        let objects = match settings.deployment.objects {
            ObjectsKind::Directory => Objects::open_directory(&data.join("objects")).await,
        };
        let objects = objects.context("open the object storage")?;
        let bus = match settings.deployment.bus {
            BusKind::Local => Bus::open_local(&data.join("streams")).await,
        };
        let bus = bus.context("open the bus")?;
        let queue = match settings.deployment.queue {
            QueueKind::Local => Queue::open_local(),
        };
        Ok(Self { tables, objects, bus, queue })
    }
}

/// Makes the data directory for its owner alone. One that is there keeps its mode: its owner chose it.
fn make_private_directory(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
