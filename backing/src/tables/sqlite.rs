//! The embedded twin: SQLite in this process, on threads of its own: one that writes, a few that read.
//!
//! Callers send a command over a bounded queue and wait for one answer, so no caller's thread ever waits for
//! the disk. The threads and the lock on the file live until the last handle and the last transaction are gone.

mod answer;
mod connect;
mod fault;
mod lock;
mod serve;
mod transaction;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc, oneshot};
pub(super) use transaction::SqliteTx;

use self::{
    connect::Use,
    serve::{Command, Server},
};
use super::{Result, Row, Statement, TablesError};

/// Threads for single queries. Each holds its own connection.
const READERS: usize = 3;

/// Threads for reading transactions, which may take long: what everybody waits for is looked up by the others.
const TRANSACTION_READERS: usize = 4;

/// Long reading transactions at once, of all [`TRANSACTION_READERS`].
const LONG_READS: usize = 2;

/// Commands that may wait for the writer, and for all readers together. A full queue makes callers wait.
const QUEUED_COMMANDS: usize = 256;

/// How long the owner of a transaction may do nothing before it is rolled back. Without a limit an owner that
/// was leaked, or waits for something else, would stop all writing for good.
const IDLE_TRANSACTION_LIMIT: Duration = Duration::from_secs(30);

/// Stack of each thread, in bytes.
const STACK_BYTES: usize = 1 << 20;

/// Handle to the writer and reader threads.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: mpsc::Sender<Command>,
    readers: mpsc::Sender<Command>,
    transactions: mpsc::Sender<Command>,
    pub(super) long_reads: Arc<Semaphore>,
}

impl Sqlite {
    pub(super) async fn open(file: &Path) -> Result<Self> {
        Self::open_with(file, IDLE_TRANSACTION_LIMIT).await
    }

    async fn open_with(file: &Path, idle_limit: Duration) -> Result<Self> {
        let file = file.to_owned();
        let opened = tokio::task::spawn_blocking(move || Self::start(&file, idle_limit)).await;
        opened.map_err(|_| TablesError::Unavailable("opening was cut short".to_owned()))?
    }

    /// Takes the lock, opens the connections (the writer first: it creates the file) and starts the threads.
    fn start(file: &Path, idle_limit: Duration) -> Result<Self> {
        let lock = Arc::new(lock::ProcessLock::take(file)?);
        let (writer, commands) = mpsc::channel(QUEUED_COMMANDS);
        let connection = connect::connect(file, Use::Write)?;
        spawn("tables-write", Server::new(connection, file, Use::Write, idle_limit, lock.clone()).serve(commands))?;
        let readers = Self::start_readers(file, "tables-read", READERS, idle_limit, &lock)?;
        let transactions = Self::start_readers(file, "tables-long", TRANSACTION_READERS, idle_limit, &lock)?;
        Ok(Self { writer, readers, transactions, long_reads: Arc::new(Semaphore::new(LONG_READS)) })
    }

    /// Readers that share one queue: whoever is free takes the next command.
    fn start_readers(
        file: &Path,
        name: &str,
        count: usize,
        idle_limit: Duration,
        lock: &Arc<lock::ProcessLock>,
    ) -> Result<mpsc::Sender<Command>> {
        let (readers, commands) = mpsc::channel(QUEUED_COMMANDS);
        let commands = Arc::new(std::sync::Mutex::new(commands));
        for number in 0..count {
            let connection = connect::connect(file, Use::Read)?;
            let server = Server::new(connection, file, Use::Read, idle_limit, lock.clone());
            spawn(&format!("{name}-{number}"), server.serve_shared(commands.clone()))?;
        }
        Ok(readers)
    }

    pub(super) async fn query(&self, statement: Statement) -> Result<Vec<Row>> {
        ask(&self.readers, |reply| Command::Query(statement, reply)).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64> {
        ask(&self.writer, |reply| Command::Execute(statement, reply)).await
    }

    pub(super) async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        ask(&self.writer, |reply| Command::Batch(statements, reply)).await
    }

    pub(super) async fn begin(&self) -> Result<SqliteTx> {
        ask(&self.writer, Command::Begin).await
    }

    pub(super) async fn begin_read(&self) -> Result<SqliteTx> {
        ask(&self.transactions, Command::Begin).await
    }
}

/// Sends one command and waits for its answer.
async fn ask<T>(
    thread: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let ended = || TablesError::Unavailable("the thread of the tables has ended".to_owned());
    thread.send(command(reply)).await.map_err(|_| ended())?;
    answer.await.map_err(|_| ended())?
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    thread.spawn(work).map(drop).map_err(|error| TablesError::Unavailable(format!("start thread {name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values;

    #[tokio::test]
    async fn long_transactions_hold_up_no_single_query() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Sqlite::open(&directory.path().join("t.db")).await.unwrap();
        let mut open = Vec::new();
        for _ in 0..TRANSACTION_READERS {
            open.push(tables.begin_read().await.unwrap());
        }
        let answer = tables.query(Statement::new("SELECT 1", vec![])).await.unwrap();
        assert_eq!(answer, [Row(values![1])]);
    }

    #[tokio::test]
    async fn leaked_transaction_is_rolled_back_and_the_writer_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Sqlite::open_with(&directory.path().join("t.db"), Duration::from_millis(100)).await.unwrap();
        tables.execute(Statement::new("CREATE TABLE t (a BIGINT)", vec![])).await.unwrap();
        let mut leaked = tables.begin().await.unwrap();
        leaked.execute(Statement::new("INSERT INTO t VALUES ($1)", values![1])).await.unwrap();
        // Waits in line behind the leaked transaction.
        let touched = tables.execute(Statement::new("INSERT INTO t VALUES ($1)", values![2])).await.unwrap();
        assert_eq!(touched, 1);
        let rows = tables.query(Statement::new("SELECT a FROM t", vec![])).await.unwrap();
        assert_eq!(rows, [Row(values![2])]);
        let late = leaked.execute(Statement::new("INSERT INTO t VALUES ($1)", values![3])).await;
        assert!(matches!(&late, Err(TablesError::Unavailable(why)) if why.contains("rolled back")), "{late:?}");
        assert!(matches!(leaked.commit().await, Err(TablesError::Fault(_))));
    }
}
