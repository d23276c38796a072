//! What the cluster twins need to know, out of the settings.

use anyhow::Context as _;
use coderoom_backing::{
    bus::Bus,
    objects::S3Settings,
    queue::Queue,
    tables::{PostgresSettings, Tables, TablesError},
};

use super::services::patiently;
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

pub(super) async fn open_bus(_settings: &Settings) -> anyhow::Result<Bus> {
    anyhow::bail!("bus = \"redis\" comes with a later version")
}

pub(super) async fn open_queue(_settings: &Settings) -> anyhow::Result<Queue> {
    anyhow::bail!("queue = \"rabbitmq\" comes with a later version")
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
