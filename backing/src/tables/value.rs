//! Values and rows in the few types both twins share.

use bytes::Bytes;

use super::{Result, TablesError};

/// A value of a column or placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT; booleans are 0 and 1.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BLOB | BYTEA.
    Blob(Bytes),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Blob(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value.into())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Bytes::copy_from_slice(value))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row: its columns by position from 0. Asking for a column of another type is a fault of the caller
/// and gives [`TablesError::Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn fault<T>(&self, column: usize, wanted: &str) -> Result<T> {
        Err(TablesError::Fault(format!("column {column} is not {wanted}")))
    }

    /// An integer.
    pub fn int(&self, column: usize) -> Result<i64> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            _ => self.fault(column, "an integer"),
        }
    }

    /// An integer that is never negative.
    pub fn uint(&self, column: usize) -> Result<u64> {
        self.int(column)?.try_into().or_else(|_| self.fault(column, "a count"))
    }

    /// An integer or NULL.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    /// 0 or 1.
    pub fn bool(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// A text.
    pub fn text(&self, column: usize) -> Result<&str> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value),
            _ => self.fault(column, "a text"),
        }
    }

    /// A text or NULL.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// Bytes.
    pub fn blob(&self, column: usize) -> Result<Bytes> {
        match self.0.get(column) {
            Some(Value::Blob(value)) => Ok(value.clone()),
            _ => self.fault(column, "bytes"),
        }
    }

    /// A text parsed into an id or another type.
    pub fn parse<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        self.text(column)?.parse().or_else(|_| self.fault(column, "of the type it should be"))
    }

    /// The same, or NULL.
    pub fn opt_parse<T: std::str::FromStr>(&self, column: usize) -> Result<Option<T>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.parse(column).map(Some),
        }
    }
}
