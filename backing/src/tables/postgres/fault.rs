//! What a failure means to the caller: told apart by SQLSTATE, and by whether there was an answer at all.

use std::time::Duration;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::tables::TablesError;

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// In the driver or the server.
    Sqlx(sqlx::Error),
    /// No answer for so long.
    Silent(Duration),
    /// The caller's mistake.
    Ours(TablesError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

pub(super) fn mistake<T>(text: String) -> Result<T, Failure> {
    Err(Failure::Ours(TablesError::Fault(text)))
}

impl Failure {
    fn database(&self) -> Option<&PgDatabaseError> {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => error.try_downcast_ref(),
            _ => None,
        }
    }

    /// Whether the connection is of no use any more: broken, silent, or ended by the server.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Ours(_) => false,
            Self::Sqlx(sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => false,
            Self::Sqlx(_) => self.database().is_none_or(|error| {
                // Fatal errors end the session.
                matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
            }),
        }
    }

    /// What it means anywhere but in a commit.
    pub(super) fn explain(self) -> TablesError {
        if let Some(error) = self.database() {
            return explain_database(error);
        }
        match self {
            Self::Ours(error) => error,
            Self::Silent(limit) => TablesError::Unavailable(format!("PostgreSQL gave no answer for {limit:?}")),
            Self::Sqlx(sqlx::Error::PoolTimedOut) => {
                TablesError::Unavailable("no connection to PostgreSQL was free, or could be made, in time".into())
            }
            Self::Sqlx(error @ (sqlx::Error::Encode(_) | sqlx::Error::Decode(_))) => {
                TablesError::Fault(error.to_string())
            }
            Self::Sqlx(error) => TablesError::Unavailable(error.to_string()),
        }
    }

    /// What it means when the commit was under way: only the server's own "no" says that nothing is stored.
    pub(super) fn explain_commit(self) -> TablesError {
        if self.is_broken() {
            return TablesError::Unknown(self.explain().to_string());
        }
        self.explain()
    }
}

/// SQLSTATE codes are in appendix A of PostgreSQL's manual.
fn explain_database(error: &PgDatabaseError) -> TablesError {
    let code = error.code();
    let message = || format!("{} (SQLSTATE {code})", error.message());
    match code {
        "23505" => TablesError::Unique(error.constraint().unwrap_or_default().to_owned()),
        "23503" => TablesError::ForeignKey,
        // disk_full
        "53100" => TablesError::Full,
        // Serialization failure, deadlock: another transaction was in the way.
        "40001" | "40P01" => TablesError::Unavailable(message()),
        // A lock or statement took too long; the owner of a transaction did nothing for too long.
        "55P03" | "57014" | "25P03" => TablesError::Unavailable(message()),
        // A standby, or a server that was told to take no writes: after a failover another answers.
        "25006" if !error.message().contains("in a read-only transaction") => TablesError::Unavailable(message()),
        // Connection, sign-in, database missing, resources, operator's intervention, the system below.
        _ if ["08", "28", "3D", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => {
            TablesError::Unavailable(message())
        }
        _ => TablesError::Fault(message()),
    }
}
