//! What each thread does: take a command, run it, answer. An interactive transaction has its thread to itself
//! until it ends.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{CachedStatement, Connection};
use tokio::sync::{mpsc, oneshot};

use super::{
    answer::{self, Failure},
    connect::Use,
    fault,
    lock::ProcessLock,
    transaction::{SqliteTx, TxCommand},
};
use crate::tables::{Result, Row, Statement};

/// What a handle may ask. A command whose caller has gone is not run.
pub(super) enum Command {
    /// Read rows.
    Query(Statement, oneshot::Sender<Result<Vec<Row>>>),
    /// One writing statement in a transaction of its own.
    Execute(Statement, oneshot::Sender<Result<u64>>),
    /// Many statements in one transaction.
    Batch(Vec<Statement>, oneshot::Sender<Result<Vec<Vec<Row>>>>),
    /// Begin an interactive transaction.
    Begin(oneshot::Sender<Result<SqliteTx>>),
}

/// A connection and what its thread needs to know.
pub(super) struct Server {
    connection: Connection,
    file: PathBuf,
    usage: Use,
    idle_limit: Duration,
    /// After `connection`, so that the file is closed before the lock can be released.
    _lock: Arc<ProcessLock>,
}

impl Server {
    pub(super) fn new(
        connection: Connection,
        file: &Path,
        usage: Use,
        idle_limit: Duration,
        lock: Arc<ProcessLock>,
    ) -> Self {
        Self { connection, file: file.to_owned(), usage, idle_limit, _lock: lock }
    }

    /// The writer's loop: until the last handle is gone.
    pub(super) fn serve(self, mut commands: mpsc::Receiver<Command>) -> impl FnOnce() + Send + 'static {
        move || {
            while let Some(command) = commands.blocking_recv() {
                self.run(command);
            }
        }
    }

    /// A reader's loop. The mutex is held while waiting, by one idle reader at a time, and not while working.
    pub(super) fn serve_shared(self, commands: Arc<Mutex<mpsc::Receiver<Command>>>) -> impl FnOnce() + Send + 'static {
        move || {
            loop {
                let next = match commands.lock() {
                    Ok(mut commands) => commands.blocking_recv(),
                    Err(_) => None,
                };
                match next {
                    Some(command) => self.run(command),
                    None => return,
                }
            }
        }
    }

    fn run(&self, command: Command) {
        match command {
            Command::Query(statement, reply) if !reply.is_closed() => {
                let _ = reply.send(self.rows(&statement));
            }
            Command::Execute(statement, reply) if !reply.is_closed() => {
                let _ = reply.send(self.touched(&statement));
            }
            Command::Batch(statements, reply) if !reply.is_closed() => {
                let _ = reply.send(self.commit_batch(&statements));
            }
            Command::Begin(reply) if !reply.is_closed() => self.serve_transaction(reply),
            _ => {}
        }
    }

    fn explain(&self, failure: Failure) -> crate::tables::TablesError {
        match failure {
            Failure::Sqlite(error) => fault::explain(&error, &self.file, self.usage),
            Failure::Ours(error) => error,
        }
    }

    fn rows(&self, statement: &Statement) -> Result<Vec<Row>> {
        let run = || {
            let mut prepared = self.connection.prepare_cached(&statement.sql.sqlite)?;
            answer::rows(&mut prepared, &statement.values)
        };
        run().map_err(|failure| self.explain(failure))
    }

    fn touched(&self, statement: &Statement) -> Result<u64> {
        let run = || {
            let mut prepared = self.connection.prepare_cached(&statement.sql.sqlite)?;
            answer::touched(&self.connection, &mut prepared, &statement.values)
        };
        run().map_err(|failure| self.explain(failure))
    }

    /// The rows of each statement. Neighbours with the same text share one look into the cache.
    fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>> {
        let run = || {
            let mut answers = Vec::with_capacity(statements.len());
            let mut current: Option<(&str, CachedStatement<'_>)> = None;
            for statement in statements {
                let text = &*statement.sql.sqlite;
                let prepared = match &mut current {
                    Some((same, prepared)) if *same == text => prepared,
                    other => &mut other.insert((text, self.connection.prepare_cached(text)?)).1,
                };
                answers.push(answer::rows(prepared, &statement.values)?);
            }
            Ok(answers)
        };
        run().map_err(|failure| self.explain(failure))
    }

    fn commit_batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>> {
        let run = || {
            self.control("BEGIN IMMEDIATE")?;
            let answers = self.batch(statements)?;
            self.control("COMMIT")?;
            Ok(answers)
        };
        run().inspect_err(|_| self.roll_back())
    }

    /// Runs a statement that begins or ends a transaction.
    fn control(&self, text: &'static str) -> Result<()> {
        let run = || self.connection.prepare_cached(text)?.raw_execute();
        run().map(drop).map_err(|error| self.explain(error.into()))
    }

    /// Leaves no transaction open. Some errors of SQLite have rolled back already.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(error = %error, "could not roll back a transaction");
        }
    }

    fn begin(&self) -> Result<()> {
        match self.usage {
            Use::Write => self.control("BEGIN IMMEDIATE"),
            // A deferred transaction takes its snapshot at its first read: read something at once.
            Use::Read => {
                self.control("BEGIN DEFERRED")?;
                self.rows(&Statement::new("SELECT 1 FROM sqlite_schema LIMIT 1", vec![])).map(drop)
            }
        }
    }

    fn serve_transaction(&self, reply: oneshot::Sender<Result<SqliteTx>>) {
        let (transaction, commands) = SqliteTx::open();
        match self.begin() {
            Ok(()) => {
                if reply.send(Ok(transaction)).is_ok() {
                    self.serve_commands(&commands);
                }
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
        self.roll_back();
    }

    /// Serves one transaction until it is committed, dropped, failed or idle for too long. After an error
    /// nothing of it may be stored, so the first one ends it.
    fn serve_commands(&self, commands: &std::sync::mpsc::Receiver<TxCommand>) {
        loop {
            let succeeded = match commands.recv_timeout(self.idle_limit) {
                Ok(TxCommand::Query(statement, reply)) => answer(reply, self.rows(&statement)),
                Ok(TxCommand::Execute(statement, reply)) => answer(reply, self.touched(&statement)),
                Ok(TxCommand::Batch(statements, reply)) => answer(reply, self.batch(&statements)),
                Ok(TxCommand::Script(text, reply)) => {
                    let ran = self.connection.execute_batch(text);
                    answer(reply, ran.map_err(|error| self.explain(error.into())))
                }
                Ok(TxCommand::Commit(reply)) => {
                    let _ = reply.send(self.control("COMMIT").inspect_err(|_| self.roll_back()));
                    false
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => false,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    let limit_ms = u64::try_from(self.idle_limit.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(idle_limit_ms = limit_ms, "a transaction was rolled back: its owner did nothing");
                    false
                }
            };
            if !succeeded {
                return;
            }
        }
    }
}

/// Sends the answer; says whether the transaction may go on.
fn answer<T>(reply: oneshot::Sender<Result<T>>, result: Result<T>) -> bool {
    let succeeded = result.is_ok();
    let _ = reply.send(result);
    succeeded
}
