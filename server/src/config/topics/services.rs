//! Settings of the services behind a cluster deployment. Addresses that hold a password are secrets as a whole.

use std::{path::PathBuf, time::Duration};

use super::{Field, SettingValue, Topic, topic};
use crate::config::value::{ByteSize, Secret};

topic! {
    /// The PostgreSQL server of `tables = "postgres"`.
    Postgres "postgres" {
        /// Its address: `postgres://user:password@host:5432/database`, with `?sslmode=verify-full` where it has a certificate.
        url: Option<Secret> = None;
        /// Connections that one process may hold. All processes together must stay below the server's `max_connections`.
        max_connections: u32 = 16;
        /// Time for a connection, new or from the pool.
        connect_timeout: Duration = Duration::from_secs(5);
        /// Time for one statement; the server ends it after that.
        statement_timeout: Duration = Duration::from_secs(20);
        /// Time that a statement waits for a lock of another one.
        lock_timeout: Duration = Duration::from_secs(5);
    }
}

topic! {
    /// The Redis server of `bus = "redis"`. It holds hints only: it needs no persistence and no backup.
    Redis "redis" {
        /// Its address: `redis://:password@host:6379/0`, or `rediss://…` with TLS.
        url: Option<Secret> = None;
        /// Put before every key and channel, so that several deployments can share a server.
        prefix: String = "coderoom".into();
        /// Time for a connection.
        connect_timeout: Duration = Duration::from_secs(1);
        /// Time for an answer.
        response_timeout: Duration = Duration::from_secs(2);
    }
}

topic! {
    /// The RabbitMQ server of `queue = "rabbitmq"`. It holds doorbells only: runs themselves are in the tables.
    RabbitMq "rabbitmq" {
        /// Its address: `amqp://user:password@host:5672/%2f`, or `amqps://…` with TLS.
        url: Option<Secret> = None;
        /// Direct exchange that runs are announced to.
        exchange: String = "compile.code.direct".into();
        /// Durable queue that workers read.
        queue: String = "compile.code.queue".into();
        /// Routing key from the exchange to the queue.
        routing_key: String = "compile.code.routekey".into();
        /// Direct exchange for messages that expired, were malformed or delivered too often.
        dead_exchange: String = "compile.code.dead.direct".into();
        /// Queue of those.
        dead_queue: String = "compile.code.dead.queue".into();
        /// Routing key of those.
        dead_routing_key: String = "compile.code.dead.key".into();
        /// Time for a connection.
        connect_timeout: Duration = Duration::from_secs(5);
        /// Time for the broker to confirm a message.
        confirm_timeout: Duration = Duration::from_secs(5);
    }
}

topic! {
    /// The S3 store of `objects = "s3"`: any that speaks plain S3 with path-style addresses.
    S3 "s3" {
        /// Its address, such as `https://s3.example.org`.
        endpoint: Option<String> = None;
        /// Its address as the pods of runs reach it, where that is another one.
        presign_endpoint: Option<String> = None;
        /// Region that requests are signed for.
        region: String = "us-east-1".into();
        /// The bucket.
        bucket: String = "coderoom".into();
        /// Folder in the bucket, so that several deployments can share one. Empty: the whole bucket.
        prefix: String = String::new();
        /// Access key.
        access_key: Option<Secret> = None;
        /// Secret key.
        secret_key: Option<Secret> = None;
        /// Whether a missing bucket is made at start.
        create_bucket: bool = false;
        /// PEM file with certificates to trust beside the system's.
        ca_file: Option<PathBuf> = None;
        /// Time to reach the store.
        connect_timeout: Duration = Duration::from_secs(3);
        /// Time for one request, without the body of its answer.
        request_timeout: Duration = Duration::from_secs(30);
        /// How often a request is sent before it counts as failed.
        attempts: u32 = 3;
        /// Bytes of one part of an upload, at least 5 MiB: what each upload holds in memory.
        part_size: ByteSize = ByteSize::mib(8);
    }
}
