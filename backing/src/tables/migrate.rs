//! Brings a database up to date: numbered files, each applied once, in order, in a transaction.
//!
//! What was applied is in `schema_migrations`, with a checksum, so that a file edited afterwards is noticed.

use sha2::{Digest, Sha256};

use super::{Result, Tables, TablesError, Tx};
use crate::{clock::Clock, values};

/// One change of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// Its file's name, for people.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for PostgreSQL.
    pub postgres: &'static str,
}

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    number     BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    checksum   TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// Applies what is missing. On an error the changes before the failing one stay applied.
///
/// # Errors
/// [`TablesError::Fault`] when the list has gaps, the database knows a change that the list does not, an applied
/// change was edited, or a statement fails.
pub(super) async fn migrate(tables: &Tables, migrations: &[Migration]) -> Result<()> {
    for (position, migration) in (1..).zip(migrations) {
        if migration.number != position {
            return refuse(format!("change {} ({}) stands at place {position}", migration.number, migration.name));
        }
    }
    let mut done = tables.begin().await?;
    done.lock_schema().await?;
    done.execute(CREATE, vec![]).await?;
    done.commit().await?;
    for migration in migrations {
        let mut step = tables.begin().await?;
        step.lock_schema().await?;
        if check(&mut step, migrations).await? >= migration.number {
            continue;
        }
        let text = step.text_of(migration);
        step.script(text).await.map_err(|error| match error {
            TablesError::Fault(why) => TablesError::Fault(format!("apply change {}: {why}", migration.name)),
            other => other,
        })?;
        let values = values![migration.number, migration.name, checksum(text), Clock::default().now_ms()];
        step.execute(
            "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
            values,
        )
        .await?;
        step.commit().await?;
        tracing::info!(migration.number, migration.name, "changed the schema");
    }
    check(&mut tables.begin_read().await?, migrations).await.map(drop)
}

/// Compares what was applied with the list; gives the number of the last applied change, 0 for none.
async fn check(transaction: &mut Tx, migrations: &[Migration]) -> Result<i64> {
    let applied =
        transaction.query("SELECT number, name, checksum FROM schema_migrations ORDER BY number", vec![]).await?;
    let mut last = 0;
    for row in &applied {
        let (number, name, sum) = (row.int(0)?, row.text(1)?, row.text(2)?);
        let Some(migration) = migrations.iter().find(|migration| migration.number == number) else {
            return refuse(format!(
                "the database is newer than this program: it has change {number} ({name}), this program knows {}; \
                 start the newer program again, or restore a copy made before the upgrade",
                migrations.len()
            ));
        };
        if sum != checksum(transaction.text_of(migration)) {
            return refuse(format!(
                "change {number} ({name}) was edited after this database had applied it; \
                 restore the file and put the difference into a new one"
            ));
        }
        last = number;
    }
    Ok(last)
}

fn checksum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn refuse<T>(why: String) -> Result<T> {
    Err(TablesError::Fault(why))
}

impl Tx {
    /// The text of `migration` in this twin's dialect.
    fn text_of(&self, migration: &Migration) -> &'static str {
        match self {
            Self::Sqlite(_) => migration.sqlite,
            Self::Postgres(_) => migration.postgres,
        }
    }

    /// Runs many statements without values.
    async fn script(&mut self, text: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(twin) => twin.script(text).await,
            Self::Postgres(twin) => twin.script(text).await,
        }
    }

    /// Makes every other process that changes the schema wait for the end of this transaction.
    async fn lock_schema(&mut self) -> Result<()> {
        match self {
            // There is one writer in one process.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(twin) => twin.lock_schema().await,
        }
    }
}
