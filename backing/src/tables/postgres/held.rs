//! A connection in the hands of one call or transaction. It goes back to the pool in good order or not at all: one that
//! broke, kept silent, or was left in the middle of something is closed, and the server rolls back.

use std::time::Duration;

use sqlx::{Postgres, pool::PoolConnection, postgres::PgConnection};

use super::fault::Failure;

/// How long a roll-back of an abandoned transaction may take before its connection is closed.
const ROLL_BACK_LIMIT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Held {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    answer_limit: Duration,
    /// Nothing is half done on it.
    is_sound: bool,
    /// A transaction is open on it.
    in_transaction: bool,
    /// It is in the task that rolls back. When that is dropped too, because the runtime ends, nobody is left to do it.
    is_last_try: bool,
}

impl Held {
    pub(super) fn new(connection: PoolConnection<Postgres>, answer_limit: Duration) -> Self {
        Self { connection: Some(connection), answer_limit, is_sound: true, in_transaction: false, is_last_try: false }
    }

    /// Gives each answer this long, from now on.
    pub(super) fn wait_longer(&mut self, limit: Duration) {
        self.answer_limit = limit;
    }

    /// Does something on the connection, for as long as an answer may take.
    pub(super) async fn ask<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(connection) = &mut self.connection else { return Err(Failure::Silent(Duration::ZERO)) };
        self.is_sound = false;
        let result = match tokio::time::timeout(self.answer_limit, work(connection)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Silent(self.answer_limit)),
        };
        self.is_sound = result.as_ref().err().is_none_or(|failure| !failure.is_broken());
        result
    }

    /// Runs a statement without values.
    pub(super) async fn control(&mut self, text: &'static str) -> Result<(), Failure> {
        self.ask(async |connection| Ok(sqlx::raw_sql(text).execute(connection).await.map(drop)?)).await
    }

    pub(super) async fn begin(&mut self, text: &'static str) -> Result<(), Failure> {
        self.control(text).await?;
        self.in_transaction = true;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        let committed = self.control("COMMIT").await;
        // After the server's "no" the transaction is over too.
        self.in_transaction = false;
        committed
    }

    pub(super) async fn roll_back(&mut self) {
        if self.is_sound && self.in_transaction {
            self.is_sound = self.control("ROLLBACK").await.is_ok();
        }
        self.in_transaction = false;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(_) if self.is_sound && !self.in_transaction => drop(connection),
            Ok(runtime) if self.is_sound && !self.is_last_try => {
                let limit = ROLL_BACK_LIMIT.min(self.answer_limit);
                let mut held = Self::new(connection, limit);
                (held.in_transaction, held.is_last_try) = (true, true);
                runtime.spawn(async move { held.roll_back().await });
            }
            // Closes the socket at once.
            _ => drop(connection.detach()),
        }
    }
}
