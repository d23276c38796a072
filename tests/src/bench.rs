//! The benchmarks of DESIGN §8 that concern one machine: each starts its own server (the binary beside this one) and says
//! what it measured in one line. CPU is the server's, read from /proc, so that the clients on the same machine do not count.

pub mod documents;
pub mod fan_out;
pub mod kubernetes;
pub mod logs;
pub mod member;
pub mod memory;
pub mod stall;
pub mod two_nodes;
pub mod zips;

use std::{sync::Arc, time::Duration};

use coderoom_services::{Ceph, Postgres, RabbitMq, Redis};

use crate::cluster::{Addresses, Cluster};

/// Services that live as long as this does.
type OwnServices = (Postgres, Redis, RabbitMq, Ceph);

/// A new deployment in services of its own.
async fn own_cluster() -> (Arc<Cluster>, OwnServices) {
    let start = || (Postgres::start(), Redis::start(), RabbitMq::start(), Ceph::start());
    let services = tokio::task::spawn_blocking(start).await.expect("the services start");
    let (postgres, redis, rabbitmq, s3) = &services;
    let cluster = Cluster::at(&Addresses {
        postgres: postgres.url(),
        redis: redis.url(),
        rabbitmq: rabbitmq.url(),
        s3: s3.url(),
        s3_keys: [s3.access_key(), s3.secret_key()].map(str::to_owned),
    });
    (cluster, services)
}

/// What one benchmark found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was measured.
    pub what: String,
    /// The number with its unit.
    pub measured: String,
    /// The goal with its unit.
    pub goal: String,
    /// Whether the goal was reached.
    pub reached: bool,
}

impl Finding {
    /// A number that should not be larger than the goal.
    #[must_use]
    pub fn at_most(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            measured: format!("{measured:.1} {unit}"),
            goal: format!("<= {goal} {unit}"),
            reached: measured <= goal,
        }
    }

    /// A number that should not be smaller than the goal.
    #[must_use]
    pub fn at_least(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            measured: format!("{measured:.0} {unit}"),
            goal: format!(">= {goal} {unit}"),
            reached: measured >= goal,
        }
    }
}

/// The value below which `share` (0 to 1) of the durations lie, in milliseconds.
#[must_use]
pub fn percentile_ms(durations: &mut [Duration], share: f64) -> f64 {
    durations.sort_unstable();
    let at = ((durations.len().saturating_sub(1)) as f64 * share).round() as usize;
    durations.get(at).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e3)
}
