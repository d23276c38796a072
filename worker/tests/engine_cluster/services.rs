//! PostgreSQL, Redis and RabbitMQ, as `coderoom-services` started them; each test has a database and names of its own.

use std::{path::Path, time::Duration};

use coderoom_backing::{
    bus::{Bus, RedisSettings},
    queue::{Queue, QueueLimits, RabbitMqNames, RabbitMqSettings},
    tables::{PostgresSettings, Tables},
};
use coderoom_services::Database;
use tempfile::TempDir;

/// What outlives a process.
pub(crate) struct Home {
    dir: TempDir,
    database: Database,
}

fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run this below `coderoom-services`, which starts the service")
    })
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), database: Database::create() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn open(&self, limits: QueueLimits) -> (Tables, Bus, Queue) {
        // No other test has this directory, so none has its name.
        let own = self.path().file_name().unwrap().to_str().unwrap();
        let tables = Tables::open_postgres(PostgresSettings::new(self.database.url())).await.unwrap();
        let mut redis = RedisSettings::new(url("CODEROOM_TEST_REDIS"));
        redis.prefix = format!("{own}:");
        let bus = Bus::open_redis(redis).await.unwrap();
        let mut rabbitmq = RabbitMqSettings::new(url("CODEROOM_TEST_RABBITMQ"));
        rabbitmq.limits = limits;
        rabbitmq.connect_timeout = Duration::from_secs(15);
        rabbitmq.confirm_timeout = Duration::from_secs(15);
        rabbitmq.names = RabbitMqNames {
            exchange: format!("{own}.direct"),
            queue: format!("{own}.queue"),
            routing_key: format!("{own}.key"),
            dead_exchange: format!("{own}.dead.direct"),
            dead_queue: format!("{own}.dead.queue"),
            dead_routing_key: format!("{own}.dead.key"),
        };
        (tables, bus, Queue::open_rabbitmq(rabbitmq).await.unwrap())
    }
}
