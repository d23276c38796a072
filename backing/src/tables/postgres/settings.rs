//! What a deployment may say about its PostgreSQL.

use std::{fmt, str::FromStr, time::Duration};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use crate::tables::{Result, TablesError};

/// Where the database is and how patient to be with it.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`, with `?sslmode=verify-full&sslrootcert=FILE` for TLS. A direct
    /// connection or a pooler that keeps one server connection for a client: prepared statements are used.
    pub url: String,
    /// Connections of this process at most. Default 16.
    pub max_connections: u32,
    /// How long a call waits for a free connection, or for a new one. Default 5 s.
    pub acquire_timeout: Duration,
    /// How long the server works on one statement. Default 20 s.
    pub statement_timeout: Duration,
    /// How long the server waits for a lock. Default 5 s.
    pub lock_timeout: Duration,
    /// How long the owner of a transaction may do nothing before the server rolls it back. Default 30 s.
    pub idle_transaction_timeout: Duration,
    /// How much longer than `statement_timeout` an answer may take before the server is taken for dead. Default 3 s.
    pub answer_grace: Duration,
}

impl fmt::Debug for PostgresSettings {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings").field("max_connections", &self.max_connections).finish_non_exhaustive()
    }
}

impl PostgresSettings {
    /// The defaults, for this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_secs(5),
            idle_transaction_timeout: Duration::from_secs(30),
            answer_grace: Duration::from_secs(3),
        }
    }

    /// How long to wait for any answer.
    pub(super) fn answer_limit(&self) -> Duration {
        self.statement_timeout + self.answer_grace
    }

    /// What each new connection is opened with.
    pub(super) fn connect_options(&self) -> Result<PgConnectOptions> {
        // The address may hold a password: the parser's words are kept, the address is not.
        let parsed = PgConnectOptions::from_str(&self.url)
            .map_err(|error| TablesError::Fault(format!("the address of PostgreSQL is not understood: {error}")))?;
        let ms = |duration: Duration| duration.as_millis().to_string();
        Ok(parsed
            .application_name("coderoom")
            .options([
                ("statement_timeout", ms(self.statement_timeout)),
                ("lock_timeout", ms(self.lock_timeout)),
                ("idle_in_transaction_session_timeout", ms(self.idle_transaction_timeout)),
            ])
            .disable_statement_logging())
    }
}

#[cfg(test)]
mod tests {
    use super::PostgresSettings;

    #[test]
    fn password_is_not_shown() {
        let settings = PostgresSettings::new("postgres://ana:secret@localhost:notaport/db");
        let shown = format!("{settings:?} {:?}", settings.connect_options().map(drop).unwrap_err());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
