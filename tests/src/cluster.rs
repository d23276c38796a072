//! The cluster deployment of one test: a database, a bucket, and names in Redis and RabbitMQ of its own, in services that
//! the whole run shares or that the test has started to hurt them.

use std::sync::Arc;

use coderoom_services::Database;

use crate::server::Server;

/// Where the services are.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// `postgres://…` of a superuser.
    pub postgres: String,
    /// `redis://…`.
    pub redis: String,
    /// `amqp://…`.
    pub rabbitmq: String,
    /// `http://…` of the S3 store.
    pub s3: String,
    /// Its access key and secret key.
    pub s3_keys: [String; 2],
}

impl Addresses {
    /// Those of the services that `coderoom-services` has started for this run.
    ///
    /// # Panics
    /// When the tests do not run below it.
    #[must_use]
    pub fn of_this_run() -> Self {
        Self {
            postgres: variable("CODEROOM_TEST_POSTGRES"),
            redis: variable("CODEROOM_TEST_REDIS"),
            rabbitmq: variable("CODEROOM_TEST_RABBITMQ"),
            s3: variable("CODEROOM_TEST_S3"),
            s3_keys: ["CODEROOM_TEST_S3_ACCESS_KEY", "CODEROOM_TEST_S3_SECRET_KEY"].map(variable),
        }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests below `coderoom-services`"))
}

/// What all processes of one deployment are started with.
#[derive(Debug)]
pub struct Cluster {
    settings: Vec<(String, String)>,
    /// Removed with the last server.
    _database: Database,
}

impl Cluster {
    /// A new empty deployment in the services of this run.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::at(&Addresses::of_this_run())
    }

    /// A new empty deployment in these services.
    #[must_use]
    pub fn at(addresses: &Addresses) -> Arc<Self> {
        let database = Database::create_in(&addresses.postgres);
        let name = format!("test-{}", uuid::Uuid::now_v7().simple());
        let named = |what: &str| format!("{name}.{what}");
        let settings = [
            ("TABLES", "postgres".to_owned()),
            ("POSTGRES_URL", database.url()),
            // Many deployments share the server.
            ("POSTGRES_MAX_CONNECTIONS", "8".to_owned()),
            ("OBJECTS", "s3".to_owned()),
            ("S3_ENDPOINT", addresses.s3.clone()),
            ("S3_ACCESS_KEY", addresses.s3_keys[0].clone()),
            ("S3_SECRET_KEY", addresses.s3_keys[1].clone()),
            ("S3_BUCKET", name.clone()),
            ("S3_CREATE_BUCKET", "true".to_owned()),
            ("BUS", "redis".to_owned()),
            ("REDIS_URL", addresses.redis.clone()),
            ("REDIS_PREFIX", name.clone()),
            ("QUEUE", "rabbitmq".to_owned()),
            ("RABBITMQ_URL", addresses.rabbitmq.clone()),
            ("RABBITMQ_EXCHANGE", named("direct")),
            ("RABBITMQ_QUEUE", named("queue")),
            ("RABBITMQ_DEAD_EXCHANGE", named("dead.direct")),
            ("RABBITMQ_DEAD_QUEUE", named("dead.queue")),
        ];
        let settings = settings.map(|(name, value)| (format!("CODEROOM_{name}"), value)).to_vec();
        Arc::new(Self { settings, _database: database })
    }

    /// The variables of its processes.
    #[must_use]
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Starts one more server with these settings beside the deployment's own.
    pub async fn server(self: &Arc<Self>, settings: &[(&str, &str)]) -> Server {
        Server::start_on(self, "serve", settings).await
    }

    /// Starts one more worker.
    pub async fn worker(self: &Arc<Self>, settings: &[(&str, &str)]) -> Server {
        Server::start_on(self, "worker", settings).await
    }

    /// The name of its queue in RabbitMQ.
    ///
    /// # Panics
    /// Never: it has one.
    #[must_use]
    pub fn queue(&self) -> &str {
        let found = self.settings.iter().find(|(name, _)| name == "CODEROOM_RABBITMQ_QUEUE");
        found.map(|(_, value)| value.as_str()).expect("the deployment has a queue")
    }
}
