//! Runs one statement on a connection: finds it in the cache, binds by placeholder, reads the rows.

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, types::ValueRef};

use crate::tables::{Row, TablesError, Value};

/// Why a statement failed: in SQLite, or before it was asked.
pub(super) enum Failure {
    /// To be explained by [`super::fault::explain`].
    Sqlite(rusqlite::Error),
    /// The caller's mistake.
    Ours(TablesError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn mistake<T>(text: String) -> Result<T, Failure> {
    Err(Failure::Ours(TablesError::Fault(text)))
}

/// Runs `statement` to its end and gives its rows.
pub(super) fn rows(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<Vec<Row>, Failure> {
    bind(statement, values)?;
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(columns);
        for column in 0..columns {
            cells.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Int(number),
                ValueRef::Text(text) => match std::str::from_utf8(text) {
                    Ok(text) => Value::Text(text.to_owned()),
                    Err(_) => return mistake(format!("column {column} is not UTF-8")),
                },
                ValueRef::Blob(bytes) => Value::Blob(Bytes::copy_from_slice(bytes)),
                ValueRef::Real(_) => return mistake(format!("column {column} is a fraction, which no column may be")),
            });
        }
        found.push(Row(cells));
    }
    Ok(found)
}

/// Runs `statement` to its end and gives the number of rows it touched itself (not by triggers or cascades).
pub(super) fn touched(
    connection: &Connection,
    statement: &mut CachedStatement<'_>,
    values: &[Value],
) -> Result<u64, Failure> {
    bind(statement, values)?;
    let before = connection.total_changes();
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    // `changes` keeps the count of an earlier statement when this one cannot touch rows.
    Ok(if connection.total_changes() == before { 0 } else { connection.changes() })
}

/// Binds `$N` to `values[N - 1]`. A placeholder without a value would silently be NULL, and a value without a
/// placeholder is refused by PostgreSQL: both are mistakes of the caller here.
fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), Failure> {
    let mut highest = 0;
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index);
        let Some(number) = name.and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok()) else {
            return mistake(format!("placeholder {} is not of the form $1", name.unwrap_or("?")));
        };
        let Some(value) = number.checked_sub(1).and_then(|position| values.get(position)) else {
            return mistake(format!("${number} has no value: {} were given", values.len()));
        };
        highest = highest.max(number);
        match value {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            Value::Int(number) => statement.raw_bind_parameter(index, number)?,
            // SQLite would store it; what one twin refuses the other refuses too.
            Value::Text(text) if text.contains('\0') => return Err(Failure::Ours(TablesError::Nul)),
            Value::Text(text) => statement.raw_bind_parameter(index, text.as_str())?,
            Value::Blob(bytes) => statement.raw_bind_parameter(index, &bytes[..])?,
        }
    }
    if highest < values.len() {
        return mistake(format!("{} values were given, but the highest placeholder is ${highest}", values.len()));
    }
    Ok(())
}
