//! The cluster twin: PostgreSQL, over a bounded pool of connections.
//!
//! Every wait has a limit of its own: for a connection, for a lock, for a statement, and for any answer at all, so that a
//! server that was frozen holds up nobody for good. A connection that broke is replaced within the call as long as
//! nothing could have been stored. Calls run in tasks of their own: a caller that goes away leaves nothing half done.

mod answer;
mod fault;
mod held;
mod settings;
mod transaction;

use std::{sync::Arc, time::Duration};

use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::sync::Semaphore;

pub use self::settings::PostgresSettings;
pub(super) use self::transaction::PostgresTx;
use self::{fault::Failure, held::Held};
use super::{Result, Row, Statement, TablesError};

/// Reads beside all others: a writer sees what is committed when each of its statements begins.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// One state for all queries, that of the beginning: the `SELECT` takes it at once.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

/// Connections that nobody needed for so long are closed.
const IDLE_CONNECTION_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Connections are replaced after this long, so that a moved server is found.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Of all connections, one in this many may have a long reading transaction.
const LONG_READS_SHARE: usize = 4;

/// Handle to the pool.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    settings: Arc<PostgresSettings>,
    pub(super) long_reads: Arc<Semaphore>,
}

impl Postgres {
    pub(super) async fn open(settings: PostgresSettings) -> Result<Self> {
        let options = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .idle_timeout(IDLE_CONNECTION_LIMIT)
            .max_lifetime(CONNECTION_LIFETIME)
            // A dead connection is found by its first use, which costs no trip.
            .test_before_acquire(false);
        let pool = options.connect_lazy_with(settings.connect_options()?);
        let long_reads = (settings.max_connections as usize / LONG_READS_SHARE).max(1);
        let long_reads = Arc::new(Semaphore::new(long_reads));
        let opened = Self { pool, settings: Arc::new(settings), long_reads };
        opened.query(Statement::new("SELECT 1", vec![])).await?;
        Ok(opened)
    }

    pub(super) async fn query(&self, statement: Statement) -> Result<Vec<Row>> {
        let twin = self.clone();
        detached(async move { twin.read(&statement).await }).await
    }

    /// Reading twice is harmless, so what meets broken connections is asked again until the pool has none left.
    async fn read(&self, statement: &Statement) -> Result<Vec<Row>> {
        let mut tries = self.settings.max_connections;
        loop {
            let mut held = self.acquire().await?;
            match held.ask(async |connection| answer::run(connection, statement).await).await {
                Ok((rows, _)) => return Ok(rows),
                Err(failure) if tries > 0 && is_stale(&failure) => tries -= 1,
                Err(failure) => return Err(failure.explain()),
            }
        }
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64> {
        let twin = self.clone();
        detached(async move {
            let mut transaction = twin.begin_with(BEGIN).await?;
            let touched = transaction.execute(statement).await?;
            transaction.commit().await.map(|()| touched)
        })
        .await
    }

    pub(super) async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let twin = self.clone();
        detached(async move {
            let mut transaction = twin.begin_with(BEGIN).await?;
            let answers = transaction.batch(statements).await?;
            transaction.commit().await.map(|()| answers)
        })
        .await
    }

    pub(super) async fn begin(&self) -> Result<PostgresTx> {
        self.begin_with(BEGIN).await
    }

    pub(super) async fn begin_read(&self) -> Result<PostgresTx> {
        self.begin_with(BEGIN_READ).await
    }

    /// A begun transaction on a connection that answers.
    async fn begin_with(&self, text: &'static str) -> Result<PostgresTx> {
        let mut tries = self.settings.max_connections;
        loop {
            let mut held = self.acquire().await?;
            match held.begin(text).await {
                Ok(()) => return Ok(PostgresTx::new(held)),
                Err(failure) if tries > 0 && is_stale(&failure) => tries -= 1,
                Err(failure) => return Err(failure.explain()),
            }
        }
    }

    async fn acquire(&self) -> Result<Held> {
        let connection = self.pool.acquire().await.map_err(|error| Failure::Sqlx(error).explain())?;
        Ok(Held::new(connection, self.settings.answer_limit()))
    }
}

/// Whether the connection was broken before anything was asked of it, as all are after a restart of the server. One that
/// keeps silent is none of these: to ask on another would double the wait.
fn is_stale(failure: &Failure) -> bool {
    failure.is_broken() && !matches!(failure, Failure::Silent(_))
}

/// Runs a call to its end, also when its caller goes away.
async fn detached<T: Send + 'static>(call: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match tokio::spawn(call).await {
        Ok(result) => result,
        Err(error) => Err(TablesError::Fault(format!("a call ended early: {error}"))),
    }
}
