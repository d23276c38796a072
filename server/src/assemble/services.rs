//! Opens the backing services that the settings name, and brings the tables up to date.

use std::{fs::File, future::Future, path::Path, time::Duration};

use anyhow::Context as _;
use coderoom_backing::{bus::Bus, objects::Objects, queue::Queue, tables::Tables};
use rustix::fs::FlockOperation;
use tokio::time::Instant;

use super::{cluster, parts};
use crate::config::{
    Settings,
    topics::{BusKind, ObjectsKind, QueueKind, TablesKind},
};

/// How long a start waits for a service that does not answer yet: services and servers are often started together.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a service that does not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Name of the file in the data directory that a process holds locked as long as it lives.
const LOCK_FILE: &str = "node.lock";

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
            TablesKind::Sqlite => {
                let opened = Tables::open_sqlite(&data.join("coderoom.sqlite")).await;
                opened.with_context(|| format!("open the tables in {}", data.display()))?
            }
            TablesKind::Postgres => cluster::open_tables(settings).await?,
        };
        tables.migrate(coderoom_worker::schema::MIGRATIONS).await.context("bring the tables up to date")?;
        let objects = match settings.deployment.objects {
            ObjectsKind::Directory => Objects::open_directory(&data.join("objects")).await?,
            ObjectsKind::S3 => {
                let s3 = cluster::s3_settings(settings);
                let open = || Objects::open_s3(s3.clone());
                patiently("the object storage", coderoom_backing::objects::ObjectsError::is_permanent, open)
                    .await
                    .context("open the object storage")?
            }
        };
        let bus = match settings.deployment.bus {
            BusKind::Local => Bus::open_local(&data.join("streams")).await.context("open the bus")?,
            BusKind::Redis => cluster::open_bus(settings).await?,
        };
        let queue = match settings.deployment.queue {
            QueueKind::Local => Queue::open_local_with(parts::queue_limits(settings)),
            QueueKind::RabbitMq => cluster::open_queue(settings).await?,
        };
        Ok(Self { tables, objects, bus, queue })
    }
}

/// Opens a service; tries again for [`PATIENCE`] while it does not answer, and not at all when that cannot help.
pub(super) async fn patiently<T, E, F>(
    what: &str,
    is_permanent: impl Fn(&E) -> bool,
    mut open: impl FnMut() -> F,
) -> Result<T, E>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    loop {
        match open().await {
            Err(error) if !is_permanent(&error) && began.elapsed() < PATIENCE => {
                tracing::warn!(%error, "{what} does not answer yet; trying again");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            done => return done,
        }
    }
}

/// Takes the data directory for this process alone: programs, streams and temporary files of two would mix. The kernel
/// releases it when the process ends, however it ends.
pub(super) fn lock_data(data: &Path) -> anyhow::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    let path = data.join(LOCK_FILE);
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        anyhow::anyhow!(
            "another coderoom process uses the data directory {}; give each process on this machine its own by --data",
            data.display()
        )
    })?;
    Ok(file)
}

/// Makes the data directory for its owner alone. One that is there keeps its mode: its owner chose it.
fn make_private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
