//! One transaction of the group commit. As a rule it is one trip to the tables; where something must be looked at between two
//! statements (a task that is nearly full, a commit whose outcome is unknown) it is a conversation.

use coderoom_backing::{
    tables::{Row, Statement, TablesError, Tx},
    values,
};

use super::{GroupCommit, Prepared, Rejected};

const ADVANCE: &str = "UPDATE files SET seq = seq + $3, size = size + $4, updated_at = $5 \
     WHERE id = $1 AND epoch = $2 AND kind = 'text' RETURNING seq";
/// The row's numbers come from the file's row, which the statement before has locked: on every node, commit order is seq order.
/// A file that is gone gets no row.
const INSERT: &str = "INSERT INTO edits (file_id, epoch, seq, count, data, at) \
     SELECT id, epoch, seq - $3 + 1, $3, $4, $5 FROM files WHERE id = $1 AND epoch = $2 AND kind = 'text'";

/// Who changes a tree holds the task's row too: nobody else makes the task grow meanwhile.
const HOLD_TASK: &str = "UPDATE tasks SET revision = revision WHERE id = $1";
const HOLD_FILE: &str = "UPDATE files SET seq = seq WHERE id = $1 AND epoch = $2 AND kind = 'text' RETURNING seq";
const USED: &str = "SELECT COALESCE(SUM(size), 0) FROM files WHERE task_id = $1";
/// What one client wrote at one clock is in no other row, so that equal bytes are the same edits.
const FIND: &str = "SELECT seq FROM edits WHERE file_id = $1 AND epoch = $2 AND seq > $3 AND count = $4 AND data = $5";

/// What became of one row.
type Stored = Result<u64, Rejected>;

impl GroupCommit {
    /// Stores all rows or, where it fails, none; gives each row's last number or why it is left out.
    pub(super) async fn commit(&self, rows: &[Prepared]) -> Result<Vec<Stored>, TablesError> {
        let at = self.clock.now_ms();
        if rows.iter().any(|row| row.uncertain || row.edits.limit.is_some()) {
            return self.commit_in_steps(rows, at).await;
        }
        let mut statements = Vec::with_capacity(rows.len() * 2);
        // All of one text, then all of the other: the statement is looked up once each.
        statements.extend(rows.iter().map(|row| row.advance(at)));
        statements.extend(rows.iter().map(|row| row.insert(at)));
        let answers = self.tables.batch(statements).await?;
        answers.iter().take(rows.len()).map(|answer| number(answer.first())).collect()
    }

    async fn commit_in_steps(&self, rows: &[Prepared], at: i64) -> Result<Vec<Stored>, TablesError> {
        let mut tx = self.tables.begin().await?;
        let checked = rows.iter().filter(|row| row.edits.limit.is_some());
        let mut tasks: Vec<String> = checked.map(|row| row.edits.task.to_string()).collect();
        tasks.sort_unstable();
        tasks.dedup();
        for task in tasks {
            tx.execute(HOLD_TASK, values![task]).await?;
        }
        let mut results = Vec::with_capacity(rows.len());
        for row in rows {
            results.push(store(&mut tx, row, at).await?);
        }
        tx.commit().await?;
        Ok(results)
    }
}

async fn store(tx: &mut Tx, row: &Prepared, at: i64) -> Result<Stored, TablesError> {
    if row.uncertain
        && let Some(last) = find(tx, row).await?
    {
        return Ok(Ok(last));
    }
    if let Some(limit) = row.edits.limit.filter(|_| row.edits.growth > 0) {
        let used = tx.query_opt(USED, values![row.edits.task.to_string()]).await?.map_or(Ok(0), |row| row.uint(0))?;
        if used.saturating_add_signed(row.edits.growth) > limit {
            let is_there = tx.query_opt(HOLD_FILE, values![row.file.as_str(), row.epoch]).await?.is_some();
            return Ok(Err(if is_there { Rejected::Full { used } } else { Rejected::Gone }));
        }
    }
    let advance = row.advance(at);
    let stored = number(tx.query_opt(advance.sql, advance.values).await?.as_ref())?;
    if stored.is_ok() {
        let insert = row.insert(at);
        tx.execute(insert.sql, insert.values).await?;
    }
    Ok(stored)
}

/// The last number of a row that an earlier commit has stored. Its connection may be gone and the commit still on its way:
/// the file's row is waited for first.
async fn find(tx: &mut Tx, row: &Prepared) -> Result<Option<u64>, TablesError> {
    if tx.query_opt(HOLD_FILE, values![row.file.as_str(), row.epoch]).await?.is_none() {
        return Ok(None);
    }
    let after = i64::try_from(row.edits.after).unwrap_or(i64::MAX);
    let found = tx.query_opt(FIND, values![row.file.as_str(), row.epoch, after, row.count, row.data.clone()]).await?;
    found.map(|found| Ok(found.uint(0)? + row.edits.count - 1)).transpose()
}

fn number(answer: Option<&Row>) -> Result<Stored, TablesError> {
    Ok(match answer {
        Some(row) => Ok(row.uint(0)?),
        None => Err(Rejected::Gone),
    })
}

impl Prepared {
    fn advance(&self, at: i64) -> Statement {
        Statement::new(ADVANCE, values![self.file.as_str(), self.epoch, self.count, self.inserted, at])
    }

    fn insert(&self, at: i64) -> Statement {
        Statement::new(INSERT, values![self.file.as_str(), self.epoch, self.count, self.data.clone(), at])
    }
}
