//! An interactive transaction.

use std::time::Duration;

use super::{answer, held::Held};
use crate::tables::{Result, Row, Statement, TablesError};

/// The advisory lock of whoever changes the schema; the number is ours alone.
const LOCK_SCHEMA: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;
    SELECT pg_advisory_xact_lock(7061696100000)";

/// How long a change of the schema may take, or waiting for another process that makes it.
const SCHEMA_CHANGE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// An open transaction. Dropping it rolls back.
#[derive(Debug)]
pub struct PostgresTx {
    held: Held,
    /// An earlier call failed, and all is rolled back.
    failed: bool,
}

impl PostgresTx {
    pub(super) fn new(held: Held) -> Self {
        Self { held, failed: false }
    }

    pub(in crate::tables) async fn query(&mut self, statement: Statement) -> Result<Vec<Row>> {
        self.run(&statement).await.map(|(rows, _)| rows)
    }

    pub(in crate::tables) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.run(&statement).await.map(|(_, touched)| touched)
    }

    pub(in crate::tables) async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let mut answers = Vec::with_capacity(statements.len());
        for statement in &statements {
            answers.push(self.run(statement).await?.0);
        }
        Ok(answers)
    }

    /// Makes other processes that change the schema wait until this transaction has ended, and waits for them.
    pub(in crate::tables) async fn lock_schema(&mut self) -> Result<()> {
        self.held.wait_longer(SCHEMA_CHANGE_LIMIT);
        self.script(LOCK_SCHEMA).await
    }

    pub(in crate::tables) async fn script(&mut self, text: &'static str) -> Result<()> {
        self.refuse_if_failed()?;
        match self.held.control(text).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.fail(failure).await),
        }
    }

    pub(in crate::tables) async fn commit(mut self) -> Result<()> {
        // PostgreSQL answers the commit of a failed transaction with a roll-back and no error.
        self.refuse_if_failed()?;
        self.held.commit().await.map_err(super::fault::Failure::explain_commit)
    }

    async fn run(&mut self, statement: &Statement) -> Result<(Vec<Row>, u64)> {
        self.refuse_if_failed()?;
        match self.held.ask(async |connection| answer::run(connection, statement).await).await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.fail(failure).await),
        }
    }

    /// After an error nothing of it may be stored, so the first one ends it.
    async fn fail(&mut self, failure: super::fault::Failure) -> TablesError {
        self.failed = true;
        self.held.roll_back().await;
        failure.explain()
    }

    fn refuse_if_failed(&self) -> Result<()> {
        if self.failed {
            return Err(TablesError::Fault("an earlier statement of this transaction failed".to_owned()));
        }
        Ok(())
    }
}
