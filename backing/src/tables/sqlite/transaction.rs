//! The caller's side of an interactive transaction.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::oneshot;

use crate::tables::{Result, Row, Statement, TablesError};

/// Commands under way for one transaction. More than one only when callers gave up waiting; a full queue is
/// an error.
const QUEUED_COMMANDS: usize = 8;

/// What a transaction may ask of the thread that serves it.
pub(super) enum TxCommand {
    /// Rows of one statement.
    Query(Statement, oneshot::Sender<Result<Vec<Row>>>),
    /// Count of one statement.
    Execute(Statement, oneshot::Sender<Result<u64>>),
    /// Rows of many statements.
    Batch(Vec<Statement>, oneshot::Sender<Result<Vec<Vec<Row>>>>),
    /// A text of many statements without values: a migration.
    Script(&'static str, oneshot::Sender<Result<()>>),
    /// Store everything.
    Commit(oneshot::Sender<Result<()>>),
}

/// An open transaction on one of the threads. Dropping it closes the queue, and the thread rolls back.
#[derive(Debug)]
pub struct SqliteTx {
    commands: SyncSender<TxCommand>,
    /// An earlier call failed, and the thread has rolled back.
    failed: bool,
}

impl SqliteTx {
    /// The two ends.
    pub(super) fn open() -> (Self, Receiver<TxCommand>) {
        let (commands, receiver) = sync_channel(QUEUED_COMMANDS);
        (Self { commands, failed: false }, receiver)
    }

    pub(in crate::tables) async fn query(&mut self, statement: Statement) -> Result<Vec<Row>> {
        self.ask(|reply| TxCommand::Query(statement, reply)).await
    }

    pub(in crate::tables) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.ask(|reply| TxCommand::Execute(statement, reply)).await
    }

    pub(in crate::tables) async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        self.ask(|reply| TxCommand::Batch(statements, reply)).await
    }

    pub(in crate::tables) async fn script(&mut self, text: &'static str) -> Result<()> {
        self.ask(|reply| TxCommand::Script(text, reply)).await
    }

    pub(in crate::tables) async fn commit(mut self) -> Result<()> {
        self.ask(TxCommand::Commit).await
    }

    async fn ask<T>(&mut self, command: impl FnOnce(oneshot::Sender<Result<T>>) -> TxCommand) -> Result<T> {
        if self.failed {
            return Err(TablesError::Fault("an earlier statement of this transaction failed".to_owned()));
        }
        let (reply, answer) = oneshot::channel();
        let answer = match self.commands.try_send(command(reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(rolled_back())),
            Err(_) => Err(rolled_back()),
        };
        self.failed = answer.is_err();
        answer
    }
}

fn rolled_back() -> TablesError {
    TablesError::Unavailable("the transaction was rolled back: its owner did nothing for too long".to_owned())
}
