//! Two nodes over the same tables, embedded or a cluster's.

use coderoom_backing::{
    bus::{Bus, RedisSettings},
    tables::{PostgresSettings, Tables},
};
use coderoom_protocol::ids::TaskId;
use coderoom_services::Database;

use super::{Node, local_bus, relay::Relay};
use crate::rooms::RoomSettings;

/// Two nodes and the way between them.
pub(in crate::rooms::tests) struct Pair {
    pub(in crate::rooms::tests) one: Node,
    pub(in crate::rooms::tests) two: Node,
    pub(in crate::rooms::tests) relay: Relay,
    _data: tempfile::TempDir,
    _database: Option<Database>,
}

/// Which tables.
#[derive(Clone, Copy)]
pub(in crate::rooms::tests) enum Ground {
    /// One SQLite for both.
    Embedded,
    /// A PostgreSQL, to which each node has its own connections, and a Redis in which each has its own subscriptions.
    Cluster,
}

/// A bus on the Redis of this run, apart from all others: the relay is the only way between two of them.
async fn redis_bus() -> Bus {
    let url = std::env::var("CODEROOM_TEST_REDIS")
        .expect("CODEROOM_TEST_REDIS is not set: run the tests below `coderoom-services`");
    let prefix = format!("test-{}:", TaskId::new());
    Bus::open_redis(RedisSettings { prefix, ..RedisSettings::new(url) }).await.unwrap()
}

impl Pair {
    pub(in crate::rooms::tests) async fn start(ground: Ground, settings: RoomSettings) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (tables, [one, two], database) = match ground {
            Ground::Embedded => {
                let tables = Tables::open_sqlite(&data.path().join("coderoom.db")).await.unwrap();
                let buses = [local_bus(&data.path().join("one")).await, local_bus(&data.path().join("two")).await];
                ([tables.clone(), tables], buses, None)
            }
            Ground::Cluster => {
                let database = Database::create();
                let open = || Tables::open_postgres(PostgresSettings::new(database.url()));
                ([open().await.unwrap(), open().await.unwrap()], [redis_bus().await, redis_bus().await], Some(database))
            }
        };
        let [tables_of_one, tables_of_two] = tables;
        let one = Node::start_on(tables_of_one, one, settings.clone()).await;
        let two = one.twin_on(tables_of_two, two, settings);
        let relay = Relay::between(&one.bus, &two.bus, one.task).await;
        Self { one, two, relay, _data: data, _database: database }
    }
}
