//! What must hold between the choice of services and their settings.

use super::{
    Settings,
    topics::{BusKind, ExecutorKind, ObjectsKind, QueueKind, TablesKind},
    value::Secret,
};

/// Rows that several processes share work only when objects, announcements and doorbells are shared too; that is checked
/// where they meet, in the tables. Here: what one process can know alone.
impl Settings {
    pub(super) fn check_services(&self) -> Result<(), String> {
        let deployment = &self.deployment;
        if deployment.tables == TablesKind::Postgres {
            address("tables = \"postgres\"", "postgres.url", self.postgres.url.as_ref(), &["postgres", "postgresql"])?;
            if self.postgres.max_connections < 2 {
                return Err("postgres.max_connections must be at least 2".into());
            }
        }
        if deployment.bus == BusKind::Redis {
            address("bus = \"redis\"", "redis.url", self.redis.url.as_ref(), &["redis", "rediss", "redis+unix"])?;
        }
        if deployment.queue == QueueKind::RabbitMq {
            address("queue = \"rabbitmq\"", "rabbitmq.url", self.rabbitmq.url.as_ref(), &["amqp", "amqps"])?;
        }
        if deployment.objects == ObjectsKind::S3 {
            let s3 = &self.s3;
            for (key, set) in [
                ("s3.endpoint", s3.endpoint.is_some()),
                ("s3.access_key", s3.access_key.is_some()),
                ("s3.secret_key", s3.secret_key.is_some()),
                ("s3.bucket", !s3.bucket.is_empty()),
            ] {
                if !set {
                    return Err(format!("objects = \"s3\" needs {key}"));
                }
            }
        }
        if deployment.executor == ExecutorKind::Kubernetes {
            if self.kubernetes.images.is_empty() {
                return Err("executor = \"kubernetes\" needs kubernetes.images".into());
            }
            if deployment.objects == ObjectsKind::Directory {
                return Err(
                    "executor = \"kubernetes\" needs objects = \"s3\": pods fetch the files of a run from there, and \
                            cannot reach a directory of this machine"
                        .into(),
                );
            }
        }
        if deployment.tables == TablesKind::Sqlite && self.runs.slots == Some(0) {
            return Err("runs.slots = 0 on tables = \"sqlite\" would never run anything: no other process can share them. Without \
                        it there are as many as cores"
                .into());
        }
        Ok(())
    }
}

/// Whether a needed address is there and of a kind that the service understands. It is never shown: it may hold a password.
fn address(because: &str, key: &str, url: Option<&Secret>, schemes: &[&str]) -> Result<(), String> {
    let Some(Secret(url)) = url else { return Err(format!("{because} needs {key}")) };
    let known = url.split_once("://").is_some_and(|(scheme, _)| schemes.contains(&scheme));
    if known { Ok(()) } else { Err(format!("{key} must begin with {}://", schemes.join(":// or "))) }
}
