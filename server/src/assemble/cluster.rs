//! What the cluster twins need to know, out of the settings.

use anyhow::Context as _;
use coderoom_backing::{
    bus::{Bus, RedisSettings},
    objects::S3Settings,
    queue::{Queue, QueueError, RabbitMqNames, RabbitMqSettings},
    tables::{PostgresSettings, Tables, TablesError},
};

use super::{parts, services::patiently};
use crate::config::{Settings, value::Secret};

/// A secret that the check of the settings has seen.
fn secret(value: Option<&Secret>) -> String {
    value.map(|Secret(text)| text.clone()).unwrap_or_default()
}

pub(super) async fn open_tables(settings: &Settings) -> anyhow::Result<Tables> {
    let postgres = &settings.postgres;
    let postgres = PostgresSettings {
        max_connections: postgres.max_connections,
        acquire_timeout: postgres.connect_timeout,
        statement_timeout: postgres.statement_timeout,
        lock_timeout: postgres.lock_timeout,
        ..PostgresSettings::new(secret(postgres.url.as_ref()))
    };
    let open = || Tables::open_postgres(postgres.clone());
    patiently("PostgreSQL", TablesError::is_permanent, open).await.context("open the tables at postgres.url")
}

pub(super) async fn open_bus(settings: &Settings) -> anyhow::Result<Bus> {
    let redis = RedisSettings {
        // Ends in a colon, so that no deployment's prefix is the beginning of another's key.
        prefix: format!("{}:", settings.redis.prefix),
        connect_timeout: settings.redis.connect_timeout,
        response_timeout: settings.redis.response_timeout,
        ..RedisSettings::new(secret(settings.redis.url.as_ref()))
    };
    let open = || Bus::open_redis(redis.clone());
    patiently("Redis", |_| false, open).await.context("open the bus at redis.url")
}

pub(super) async fn open_queue(settings: &Settings) -> anyhow::Result<Queue> {
    let given = &settings.rabbitmq;
    let names = RabbitMqNames {
        exchange: given.exchange.clone(),
        queue: given.queue.clone(),
        routing_key: given.routing_key.clone(),
        dead_exchange: given.dead_exchange.clone(),
        dead_queue: given.dead_queue.clone(),
        dead_routing_key: given.dead_routing_key.clone(),
    };
    let rabbitmq = RabbitMqSettings {
        names,
        limits: parts::queue_limits(settings),
        connect_timeout: given.connect_timeout,
        confirm_timeout: given.confirm_timeout,
        ..RabbitMqSettings::new(secret(given.url.as_ref()))
    };
    let open = || Queue::open_rabbitmq(rabbitmq.clone());
    patiently("RabbitMQ", QueueError::is_permanent, open).await.context("open the queue at rabbitmq.url")
}

pub(super) fn s3_settings(settings: &Settings) -> S3Settings {
    let s3 = &settings.s3;
    S3Settings {
        presign_endpoint: s3.presign_endpoint.clone(),
        region: s3.region.clone(),
        prefix: s3.prefix.clone(),
        create_bucket: s3.create_bucket,
        ca_file: s3.ca_file.clone(),
        connect_timeout: s3.connect_timeout,
        request_timeout: s3.request_timeout,
        attempts: s3.attempts,
        part_bytes: s3.part_size.as_usize(),
        ..S3Settings::new(
            s3.endpoint.clone().unwrap_or_default(),
            s3.bucket.clone(),
            secret(s3.access_key.as_ref()),
            secret(s3.secret_key.as_ref()),
        )
    }
}
