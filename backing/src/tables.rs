//! Tables: the truth for users, tasks, files, edits and runs. One SQL text serves both twins:
//! `$1` placeholders; columns are integers, texts and byte strings; `ON CONFLICT` and `RETURNING`.
//! Where the dialects must differ, a [`Sql`] carries one text for each.

mod migrate;
mod postgres;
mod sqlite;
mod value;

use std::{borrow::Cow, path::Path, sync::Arc};

pub use migrate::Migration;
pub use postgres::PostgresSettings;
use tokio::sync::OwnedSemaphorePermit;
pub use value::{Row, Value};

/// A statement's text: the same for both twins, or one for each.
#[derive(Clone, Debug)]
pub struct Sql {
    /// For SQLite.
    pub sqlite: Cow<'static, str>,
    /// For PostgreSQL.
    pub postgres: Cow<'static, str>,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self { sqlite: Cow::Borrowed(text), postgres: Cow::Borrowed(text) }
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self { sqlite: Cow::Owned(text.clone()), postgres: Cow::Owned(text) }
    }
}

/// One statement with its values: `$1` is `values[0]`.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text.
    pub sql: Sql,
    /// One for each placeholder.
    pub values: Vec<Value>,
}

impl Statement {
    /// A statement with its values.
    pub fn new(sql: impl Into<Sql>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }
}

/// Values for the placeholders of a statement: `values![id, name, 3]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::tables::Value::from($value)),*] };
}

/// What can go wrong. After any error of a transaction nothing of it is stored, except
/// [`TablesError::Unknown`], which says so.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// A unique index or primary key forbids the row.
    #[error("unique constraint {0}")]
    Unique(String),
    /// A foreign key forbids the row.
    #[error("foreign key constraint")]
    ForeignKey,
    /// The disk (or quota) is full. Trying again later helps.
    #[error("storage is full")]
    Full,
    /// The service does not answer or is busy. Trying again later helps.
    #[error("tables unavailable: {0}")]
    Unavailable(String),
    /// The connection broke during commit: it may or may not be stored.
    #[error("outcome of commit unknown: {0}")]
    Unknown(String),
    /// PostgreSQL has no such character in texts, so neither twin takes it. Who sent the text may be told so in these words.
    #[error("A text with the character U+0000 cannot be stored or looked for.")]
    Nul,
    /// A fault in a statement or a row; trying again does not help.
    #[error("statement failed: {0}")]
    Fault(String),
}

impl TablesError {
    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Unique(_) | Self::ForeignKey | Self::Nul | Self::Fault(_))
    }
}

/// The result of the calls here.
pub type Result<T> = std::result::Result<T, TablesError>;

/// A cheap handle to the tables.
#[derive(Clone, Debug)]
pub enum Tables {
    /// The embedded twin.
    Sqlite(sqlite::Sqlite),
    /// The cluster twin.
    Postgres(postgres::Postgres),
}

impl Tables {
    /// Opens (and creates) the SQLite file: WAL, `synchronous=FULL`, foreign keys on, one writer
    /// thread, a few reader threads. A second process on the same file is refused.
    pub async fn open_sqlite(file: &Path) -> Result<Self> {
        sqlite::Sqlite::open(file).await.map(Self::Sqlite)
    }

    /// Connects to PostgreSQL; any number of processes may. Waits as long as the settings say and not longer.
    ///
    /// # Errors
    /// [`TablesError::Fault`] when the address is not understood, [`TablesError::Unavailable`] when nobody answers there or
    /// the server does not let us in.
    pub async fn open_postgres(settings: PostgresSettings) -> Result<Self> {
        postgres::Postgres::open(settings).await.map(Self::Postgres)
    }

    /// Applies what is missing, in order, each in a transaction, and refuses a database that is newer.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<()> {
        migrate::migrate(self, migrations).await
    }

    /// Reads rows. Sees everything committed before the call.
    pub async fn query(&self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(twin) => twin.query(Statement::new(sql, values)).await,
            Self::Postgres(twin) => twin.query(Statement::new(sql, values)).await,
        }
    }

    /// Reads at most one row.
    pub async fn query_opt(&self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs one writing statement in its own transaction; gives the number of rows it touched.
    /// Durable on return.
    pub async fn execute(&self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<u64> {
        match self {
            Self::Sqlite(twin) => twin.execute(Statement::new(sql, values)).await,
            Self::Postgres(twin) => twin.execute(Statement::new(sql, values)).await,
        }
    }

    /// Runs all statements in one transaction and one trip to the database; gives the rows of each
    /// (of `RETURNING` or a `SELECT`). All are stored and durable, or none. The hot path: group commits use it.
    pub async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        match self {
            Self::Sqlite(twin) => twin.batch(statements).await,
            Self::Postgres(twin) => twin.batch(statements).await,
        }
    }

    /// Begins a writing transaction. Nothing is stored until [`Tx::commit`]; dropping it rolls back.
    /// On SQLite it holds the only writer: keep it short and never wait for anything else inside.
    pub async fn begin(&self) -> Result<Tx> {
        match self {
            Self::Sqlite(twin) => twin.begin().await.map(Tx::Sqlite),
            Self::Postgres(twin) => twin.begin().await.map(Tx::Postgres),
        }
    }

    /// Begins a reading transaction: all its queries see one and the same state.
    pub async fn begin_read(&self) -> Result<Tx> {
        match self {
            Self::Sqlite(twin) => twin.begin_read().await.map(Tx::Sqlite),
            Self::Postgres(twin) => twin.begin_read().await.map(Tx::Postgres),
        }
    }

    /// A turn for a reading transaction that takes long because of what somebody asks for (a search, a whole task). There are
    /// few, so that others who ask for little do not wait. Take it before [`Self::begin_read`]; it ends when it is dropped.
    pub async fn long_read(&self) -> Result<OwnedSemaphorePermit> {
        let turns = match self {
            Self::Sqlite(twin) => &twin.long_reads,
            Self::Postgres(twin) => &twin.long_reads,
        };
        let turn = Arc::clone(turns).acquire_owned().await;
        turn.map_err(|_| TablesError::Unavailable("the tables are closed".to_owned()))
    }
}

/// An open transaction.
#[derive(Debug)]
pub enum Tx {
    /// Of the embedded twin.
    Sqlite(sqlite::SqliteTx),
    /// Of the cluster twin.
    Postgres(postgres::PostgresTx),
}

impl Tx {
    /// Reads rows inside the transaction (also those of `RETURNING`).
    pub async fn query(&mut self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(twin) => twin.query(Statement::new(sql, values)).await,
            Self::Postgres(twin) => twin.query(Statement::new(sql, values)).await,
        }
    }

    /// Reads at most one row.
    pub async fn query_opt(&mut self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a writing statement; gives the number of rows it touched.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: Vec<Value>) -> Result<u64> {
        match self {
            Self::Sqlite(twin) => twin.execute(Statement::new(sql, values)).await,
            Self::Postgres(twin) => twin.execute(Statement::new(sql, values)).await,
        }
    }

    /// Runs many writing statements in one trip.
    pub async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        match self {
            Self::Sqlite(twin) => twin.batch(statements).await,
            Self::Postgres(twin) => twin.batch(statements).await,
        }
    }

    /// Stores everything; durable on return.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(twin) => twin.commit().await,
            Self::Postgres(twin) => twin.commit().await,
        }
    }
}
