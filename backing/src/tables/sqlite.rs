//! The embedded twin: SQLite in this process.

use std::path::Path;

use super::{Result, Row, Statement};

/// Handle to the writer and reader threads.
#[derive(Clone, Debug)]
pub struct Sqlite {}

impl Sqlite {
    pub(super) async fn open(_file: &Path) -> Result<Self> {
        todo!()
    }
    pub(super) async fn query(&self, _statement: Statement) -> Result<Vec<Row>> {
        todo!()
    }
    pub(super) async fn execute(&self, _statement: Statement) -> Result<u64> {
        todo!()
    }
    pub(super) async fn batch(&self, _statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        todo!()
    }
    pub(super) async fn begin(&self) -> Result<SqliteTx> {
        todo!()
    }
    pub(super) async fn begin_read(&self) -> Result<SqliteTx> {
        todo!()
    }
}

/// An open transaction on one of the threads.
#[derive(Debug)]
pub struct SqliteTx {}

impl SqliteTx {
    pub(super) async fn query(&mut self, _statement: Statement) -> Result<Vec<Row>> {
        todo!()
    }
    pub(super) async fn execute(&mut self, _statement: Statement) -> Result<u64> {
        todo!()
    }
    pub(super) async fn batch(&mut self, _statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        todo!()
    }
    pub(super) async fn commit(self) -> Result<()> {
        todo!()
    }
}
