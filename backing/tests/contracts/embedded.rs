//! Runs every suite on the embedded twins.

use std::path::Path;

use coderoom_backing::{bus::Bus, objects::Objects, queue::Queue, tables::Tables};

async fn open_tables(directory: &Path) -> Tables {
    Tables::open_sqlite(&directory.join("t.db")).await.unwrap()
}

async fn open_objects(directory: &Path) -> Objects {
    Objects::open_directory(directory).await.unwrap()
}

async fn open_bus(directory: &Path) -> Bus {
    Bus::open_local(directory).await.unwrap()
}

async fn open_queue(_directory: &Path) -> Queue {
    Queue::open_local_with(crate::queue::LIMITS)
}

/// A test for each claim of a suite, on a fresh embedded twin.
macro_rules! on_embedded {
    ($port:ident, $open:path, $($claim:ident),* $(,)?) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let directory = tempfile::tempdir().unwrap();
                let port = $open(directory.path()).await;
                crate::$port::$claim(&port).await;
            })*
        }
    };
}

crate::tables::every_claim!(on_embedded, super::open_tables);
crate::objects::every_claim!(on_embedded, super::open_objects, readers_keep_the_object_they_opened);
crate::bus::every_claim!(on_embedded, super::open_bus);
crate::queue::every_claim!(on_embedded, super::open_queue);
