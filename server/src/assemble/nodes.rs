//! The processes on shared tables. Each has a row whose counter it raises while it lives, so that one that starts can
//! tell who else is there by watching counters move: no clock is compared with another's.
//!
//! Two processes that share tables but not what carries their announcements would show people different rooms, so the
//! later one is refused. A row instead of a lock held by a connection: connections break and pools between us and the
//! database swap them, and a row also says to people who is there.

use std::{sync::Arc, time::Duration};

use coderoom_backing::{
    tables::{Sql, Tables},
    values,
};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::config::{
    Settings,
    topics::{BusKind, QueueKind},
    value::SettingValue as _,
};

/// How often a node raises its counter.
const BEAT: Duration = Duration::from_secs(2);

/// How often a counter must be seen unmoved in a row, a [`LOOK`] apart, until its node counts as dead: three beats and one
/// look more. Looks that fail do not count, because then nobody can raise a counter either.
const DEAD_AFTER_LOOKS: u32 = 7;

/// Between two looks at counters of others.
const LOOK: Duration = Duration::from_secs(1);

/// Rows of nodes that died are removed after so many beats of silence.
const FORGET_AFTER_BEATS: u32 = 30;

/// What a node shares with others, and who it is.
#[derive(Clone, Debug)]
pub(super) struct Me {
    kind: &'static str,
    bus: String,
    queue: String,
    host: String,
}

impl Me {
    /// A node of this kind (`server` or `worker`).
    pub(super) fn new(kind: &'static str, settings: &Settings) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let deployment = &settings.deployment;
        Self { kind, bus: deployment.bus.show(), queue: deployment.queue.show(), host: host.trim().to_owned() }
    }
}

/// Another node, as its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    number: i64,
    beat: i64,
    kind: String,
    host: String,
    bus: String,
    queue: String,
}

/// Why two nodes cannot work on the same tables; `None` when they can.
fn conflict(me: &Me, other: &Other) -> Option<String> {
    let (local_bus, local_queue) = (BusKind::Local.show(), QueueKind::Local.show());
    let (what, set, because) = if me.bus == local_bus || other.bus == local_bus {
        ("bus", "bus = \"redis\" and redis.url", "edits and presence of one would not reach the other")
    } else if me.queue == local_queue || other.queue == local_queue {
        ("queue", "queue = \"rabbitmq\" and rabbitmq.url", "runs submitted to one would not be announced to the other")
    } else {
        return None;
    };
    Some(format!(
        "another {} (on {}) already works on these tables, and the two share no {what}: {because}. Set {set} on every process, or \
         stop the other one first",
        other.kind, other.host
    ))
}

/// This process's row. Dropping it stops the counter; [`Nodes::leave`] removes the row as well.
#[derive(Debug)]
pub(super) struct Nodes {
    tables: Tables,
    shared: Arc<Shared>,
    beating: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Number of the own row; changes when it had to be made again.
    number: std::sync::atomic::AtomicI64,
    /// Cancelled when this process must not go on, because another one took its place while it was silent.
    displaced: CancellationToken,
}

impl Nodes {
    /// Enters this process, or says in a sentence why it cannot be one of several. Takes seconds only when a process died
    /// without leaving and this one could not work beside it.
    pub(super) async fn join(tables: &Tables, me: Me) -> anyhow::Result<Self> {
        let number = enter(tables, &me).await?;
        let shared = Arc::new(Shared { number: number.into(), displaced: CancellationToken::new() });
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(tables.clone(), me.clone(), shared.clone())));
        let nodes = Self { tables: tables.clone(), shared, beating };
        if let Err(why) = make_way(tables, &me, number).await {
            nodes.leave().await;
            return Err(why);
        }
        Ok(nodes)
    }

    /// Cancelled when this process must not go on.
    pub(super) fn displaced(&self) -> CancellationToken {
        self.shared.displaced.clone()
    }

    /// Removes the row, so that the next process need not wait to see that this one is gone.
    pub(super) async fn leave(self) {
        drop(self.beating);
        let number = self.shared.number.load(std::sync::atomic::Ordering::Relaxed);
        let gone = self.tables.execute("DELETE FROM nodes WHERE number = $1", values![number]);
        if tokio::time::timeout(LOOK, gone).await.is_err() {
            tracing::debug!("the row of this process stays; others see that it is silent");
        }
    }
}

async fn enter(tables: &Tables, me: &Me) -> anyhow::Result<i64> {
    let sql = "INSERT INTO nodes (kind, host, bus, queue, beat) VALUES ($1, $2, $3, $4, 0) RETURNING number";
    let values = values![me.kind, me.host.as_str(), me.bus.as_str(), me.queue.as_str()];
    let rows = tables.batch(vec![coderoom_backing::tables::Statement::new(Sql::from(sql), values)]).await?;
    let row = rows.first().and_then(|rows| rows.first()).ok_or_else(|| anyhow::anyhow!("a new row has no number"))?;
    Ok(row.int(0)?)
}

/// Those who came before `number` and cannot work beside us. Of two that start at once the later number gives way.
async fn in_the_way(tables: &Tables, me: &Me, number: i64) -> anyhow::Result<Vec<Other>> {
    let sql = "SELECT number, beat, kind, host, bus, queue FROM nodes WHERE number < $1 ORDER BY number";
    let rows = tables.query(sql, values![number]).await?;
    let others = rows.iter().map(|row| -> anyhow::Result<Other> {
        Ok(Other {
            number: row.int(0)?,
            beat: row.int(1)?,
            kind: row.text(2)?.to_owned(),
            host: row.text(3)?.to_owned(),
            bus: row.text(4)?.to_owned(),
            queue: row.text(5)?.to_owned(),
        })
    });
    let others: Vec<Other> = others.collect::<Result<_, _>>()?;
    Ok(others.into_iter().filter(|other| conflict(me, other).is_some()).collect())
}

/// Waits until nobody who lives is in the way; an error says who is.
async fn make_way(tables: &Tables, me: &Me, number: i64) -> anyhow::Result<()> {
    let first = in_the_way(tables, me, number).await?;
    if first.is_empty() {
        return Ok(());
    }
    tracing::info!("another process was on these tables; watching whether it lives");
    let mut unmoved = 0;
    while unmoved < DEAD_AFTER_LOOKS {
        tokio::time::sleep(LOOK).await;
        let Ok(now) = in_the_way(tables, me, number).await else {
            unmoved = 0;
            continue;
        };
        if now.is_empty() {
            return Ok(());
        }
        if let Some(alive) = now.iter().find(|other| !first.contains(other)) {
            anyhow::bail!(conflict(me, alive).unwrap_or_default());
        }
        unmoved += 1;
    }
    for dead in first {
        tables.execute("DELETE FROM nodes WHERE number = $1 AND beat = $2", values![dead.number, dead.beat]).await?;
    }
    Ok(())
}

/// Raises the counter until it is aborted, and enters again when somebody took this process for dead.
async fn beat(tables: Tables, me: Me, shared: Arc<Shared>) {
    let mut seen = Vec::new();
    let mut often = tokio::time::interval(BEAT);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        let number = shared.number.load(std::sync::atomic::Ordering::Relaxed);
        match tables.execute("UPDATE nodes SET beat = beat + 1 WHERE number = $1", values![number]).await {
            Ok(0) => match enter_again(&tables, &me).await {
                Ok(Some(number)) => shared.number.store(number, std::sync::atomic::Ordering::Relaxed),
                Ok(None) => {
                    tracing::error!("this process was silent for so long that another one took its place; it ends");
                    shared.displaced.cancel();
                    return;
                }
                Err(error) => tracing::warn!(%error, "this process could not enter again; trying again"),
            },
            Ok(_) => {
                if let Err(error) = forget_the_dead(&tables, number, &mut seen).await {
                    tracing::debug!(%error, "rows of other processes could not be read");
                }
            }
            Err(error) => tracing::debug!(%error, "the row of this process could not be renewed; trying again"),
        }
    }
}

/// A new row after the old one was removed; `None` when somebody is there now that we cannot work beside.
async fn enter_again(tables: &Tables, me: &Me) -> anyhow::Result<Option<i64>> {
    let number = enter(tables, me).await?;
    if in_the_way(tables, me, number).await?.is_empty() {
        return Ok(Some(number));
    }
    tables.execute("DELETE FROM nodes WHERE number = $1", values![number]).await?;
    Ok(None)
}

/// Removes rows whose counter has not moved for [`FORGET_AFTER_BEATS`] of ours. `seen`: number, counter, since when.
async fn forget_the_dead(tables: &Tables, own: i64, seen: &mut Vec<(i64, i64, Instant)>) -> anyhow::Result<()> {
    let rows = tables.query("SELECT number, beat FROM nodes WHERE number <> $1", values![own]).await?;
    let mut now = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, beat) = (row.int(0)?, row.int(1)?);
        let since =
            seen.iter().find(|(n, b, _)| (*n, *b) == (number, beat)).map_or_else(Instant::now, |(_, _, at)| *at);
        if since.elapsed() > BEAT * FORGET_AFTER_BEATS {
            tables.execute("DELETE FROM nodes WHERE number = $1 AND beat = $2", values![number, beat]).await?;
        } else {
            now.push((number, beat, since));
        }
    }
    metrics::gauge!("coderoom_nodes").set(now.len() as f64 + 1.0);
    *seen = now;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &'static str, bus: &str, queue: &str) -> Me {
        Me { kind, bus: bus.into(), queue: queue.into(), host: "here".into() }
    }

    /// Tables with the schema; several nodes use them through one handle.
    async fn tables(directory: &std::path::Path) -> Tables {
        let tables = Tables::open_sqlite(&directory.join("t.db")).await.unwrap();
        tables.migrate(coderoom_worker::schema::MIGRATIONS).await.unwrap();
        tables
    }

    async fn count(tables: &Tables) -> i64 {
        tables.query_opt("SELECT count(*) FROM nodes", values![]).await.unwrap().unwrap().int(0).unwrap()
    }

    #[tokio::test]
    async fn second_node_without_a_shared_bus_or_queue_is_refused_in_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let tables = tables(directory.path()).await;
        let first = Nodes::join(&tables, node("server", "local", "rabbitmq")).await.unwrap();
        let said = Nodes::join(&tables, node("server", "redis", "rabbitmq")).await.unwrap_err().to_string();
        assert!(said.contains("another server") && said.contains("redis.url"), "{said}");
        first.leave().await;
        let first = Nodes::join(&tables, node("server", "redis", "local")).await.unwrap();
        let said = Nodes::join(&tables, node("worker", "redis", "rabbitmq")).await.unwrap_err().to_string();
        assert!(said.contains("rabbitmq.url"), "{said}");
        assert_eq!(count(&tables).await, 1, "who was refused leaves no row");
        first.leave().await;
        assert_eq!(count(&tables).await, 0);
    }

    #[tokio::test]
    async fn nodes_that_share_everything_work_side_by_side() {
        let directory = tempfile::tempdir().unwrap();
        let tables = tables(directory.path()).await;
        let first = Nodes::join(&tables, node("server", "redis", "rabbitmq")).await.unwrap();
        let second = Nodes::join(&tables, node("worker", "redis", "rabbitmq")).await.unwrap();
        assert_eq!(count(&tables).await, 2);
        first.leave().await;
        second.leave().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_place_of_a_node_that_died_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let tables = tables(directory.path()).await;
        let died = Nodes::join(&tables, node("server", "local", "local")).await.unwrap();
        drop(died);
        let next = Nodes::join(&tables, node("server", "local", "local")).await.unwrap();
        assert_eq!(count(&tables).await, 1);
        next.leave().await;
    }

    #[tokio::test]
    async fn node_that_was_displaced_while_silent_learns_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let tables = tables(directory.path()).await;
        let silent = Nodes::join(&tables, node("server", "local", "local")).await.unwrap();
        // Another one saw it silent, removed its row and entered.
        tables.execute("DELETE FROM nodes", values![]).await.unwrap();
        enter(&tables, &node("server", "local", "local")).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), silent.displaced().cancelled()).await.expect("it is told");
        assert_eq!(count(&tables).await, 1);
    }

    #[tokio::test]
    async fn node_whose_row_was_lost_enters_again() {
        let directory = tempfile::tempdir().unwrap();
        let tables = tables(directory.path()).await;
        let node = Nodes::join(&tables, node("server", "redis", "rabbitmq")).await.unwrap();
        tables.execute("DELETE FROM nodes", values![]).await.unwrap();
        let again = async {
            while count(&tables).await == 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), again).await.expect("it enters again");
        assert!(!node.displaced().is_cancelled());
    }
}
