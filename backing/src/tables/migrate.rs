//! Brings a database up to date: numbered files, each applied once, in order, in a transaction.

use super::{Result, Tables};

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

pub(super) async fn migrate(_tables: &Tables, _migrations: &[Migration]) -> Result<()> {
    todo!()
}
