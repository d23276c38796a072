//! One transaction of the group commit. As a rule it is one trip to the tables; where something must be looked at between two
//! statements (a task that is nearly full, a commit whose outcome is unknown) it is a conversation.

use coderoom_backing::{
    tables::{Row, Statement, TablesError, Tx},
    values,
};

use super::{GroupCommit, Prepared, Rejected};
use crate::rooms::space::USED;

const ADVANCE: &str = "UPDATE files SET seq = seq + $3, size = size + $4, updated_at = $5 \
     WHERE id = $1 AND epoch = $2 AND kind = 'text' RETURNING seq";
/// The row's numbers come from the file's row, which the statement before has locked: on every node, commit order is seq order.
/// A file that is gone gets no row.
const INSERT: &str = "INSERT INTO edits (file_id, epoch, seq, count, data, at) \
     SELECT id, epoch, seq - $3 + 1, $3, $4, $5 FROM files WHERE id = $1 AND epoch = $2 AND kind = 'text'";

/// Two nodes may learn of one user's id at the same time.
const OWN: &str = "INSERT INTO document_clients (file_id, client, user_id) \
     SELECT id, $2, $3 FROM files WHERE id = $1 ON CONFLICT DO NOTHING";

/// Who changes a tree holds the task's row too: nobody else makes the task grow meanwhile.
const HOLD_TASK: &str = "UPDATE tasks SET revision = revision WHERE id = $1";
const HOLD_FILE: &str = "UPDATE files SET seq = seq WHERE id = $1 AND epoch = $2 AND kind = 'text' RETURNING seq";
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
        statements.extend(rows.iter().flat_map(Prepared::own));
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
        for Statement { sql, values } in std::iter::once(row.insert(at)).chain(row.own()) {
            tx.execute(sql, values).await?;
        }
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

    fn own(&self) -> impl Iterator<Item = Statement> {
        let clients = self.edits.clients.iter();
        clients.map(|(client, user)| {
            let client = i64::try_from(*client).unwrap_or(i64::MAX);
            Statement::new(OWN, values![self.file.as_str(), client, user.to_string()])
        })
    }

    fn insert(&self, at: i64) -> Statement {
        Statement::new(INSERT, values![self.file.as_str(), self.epoch, self.count, self.data.clone(), at])
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use coderoom_backing::{clock::Clock, tables::Tables};
    use coderoom_protocol::ids::{FileId, TaskId};

    use super::*;
    use crate::rooms::{group_commit::Edits, mailbox::Mailbox};

    async fn tables(directory: &tempfile::TempDir, task: TaskId, file: FileId) -> Tables {
        let tables = Tables::open_sqlite(&directory.path().join("coderoom.db")).await.unwrap();
        tables.migrate(coderoom_worker::schema::MIGRATIONS).await.unwrap();
        let user = "u";
        let statements = vec![
            Statement::new("INSERT INTO users (id, name, name_key, created_at) VALUES ($1, $1, $1, 0)", values![user]),
            Statement::new(
                "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at) VALUES ($1, 't', 'python', $2, 0, 0)",
                values![task.to_string(), user],
            ),
            Statement::new(
                "INSERT INTO files (id, task_id, path, path_key, kind, created_at, updated_at) VALUES ($1, $2, 'a', 'a', 'text', 0, 0)",
                values![file.to_string(), task.to_string()],
            ),
        ];
        tables.batch(statements).await.unwrap();
        tables
    }

    fn row(task: TaskId, file: FileId, data: &[u8], after: u64) -> Prepared {
        Prepared::new(Edits {
            task,
            file,
            epoch: 1,
            generation: 1,
            count: 2,
            data: data.to_vec(),
            inserted_bytes: 2,
            growth: 2,
            clients: vec![],
            limit: None,
            after,
            room: Arc::new(Mailbox::new(1)),
        })
    }

    /// The connection broke during the commit. Whether it was stored is found out before it is stored (again).
    #[tokio::test]
    async fn commit_of_unknown_outcome_is_stored_exactly_once() {
        let directory = tempfile::tempdir().unwrap();
        let (task, file) = (TaskId::new(), FileId::new());
        let tables = tables(&directory, task, file).await;
        let retry = (Duration::ZERO, Duration::ZERO);
        let commits = GroupCommit::new(tables.clone(), Clock::default(), Duration::ZERO, retry);
        let uncertain = |data: &[u8]| Prepared { uncertain: true, ..row(task, file, data, 0) };
        // It was not stored.
        assert_eq!(commits.commit(&[uncertain(b"one")]).await.unwrap(), [Ok(2)]);
        // It was, and another node has stored something since.
        assert_eq!(commits.commit(&[row(task, file, b"two", 2)]).await.unwrap(), [Ok(4)]);
        assert_eq!(commits.commit(&[row(task, file, b"other", 4)]).await.unwrap(), [Ok(6)]);
        assert_eq!(commits.commit(&[uncertain(b"two")]).await.unwrap(), [Ok(4)]);
        let stored = tables.query("SELECT seq FROM edits ORDER BY seq", values![]).await.unwrap();
        let stored: Vec<i64> = stored.iter().map(|row| row.int(0).unwrap()).collect();
        assert_eq!(stored, [1, 3, 5]);
        let seq = tables.query("SELECT seq FROM files", values![]).await.unwrap()[0].int(0).unwrap();
        assert_eq!(seq, 6);
        // The file went meanwhile.
        tables.execute("DELETE FROM files", values![]).await.unwrap();
        assert_eq!(commits.commit(&[uncertain(b"two")]).await.unwrap(), [Err(Rejected::Gone)]);
    }
}
