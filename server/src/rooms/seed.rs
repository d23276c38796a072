//! The first edit of a text file, made in the transaction that makes the file and never again: a text put twice into
//! a living document is the best-known way to double it.

use coderoom_backing::{
    tables::{Sql, Statement},
    values,
};
use coderoom_protocol::{gate::ROOT, ids::FileId};

use super::log_row;

/// The client that all seeds are written by.
pub const SEED_CLIENT: u64 = 1;

/// Statements that seed a file's document, to run in the transaction that inserts its `files` row and after that row,
/// and the number that belongs into `files.seq`: 1, or 0 for an empty text (which needs no edit and no statement).
///
/// `at` is in milliseconds since the Unix epoch.
#[must_use]
pub fn statements(file: FileId, epoch: u64, text: &str, at: i64) -> (Vec<Statement>, u64) {
    if text.is_empty() {
        return (Vec::new(), 0);
    }
    let update = update(text);
    let mut data = Vec::with_capacity(update.len() + 5);
    log_row::append(&mut data, &update);
    let sql = Sql::from("INSERT INTO edits (file_id, epoch, seq, count, data, at) VALUES ($1, $2, 1, 1, $3, $4)");
    let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
    (vec![Statement::new(sql, values![file.to_string(), epoch, data, at])], 1)
}

/// What comes before the text: one client, one block of [`SEED_CLIENT`] at clock 0, a string without origins under the root.
fn head() -> Vec<u8> {
    let mut head = vec![1, 1, SEED_CLIENT as u8, 0, 0x04, 1];
    put_string(&mut head, ROOT);
    head
}

/// One insert of the whole text (v1).
fn update(text: &str) -> Vec<u8> {
    let mut update = head();
    update.reserve(text.len() + 6);
    put_string(&mut update, text);
    update.push(0); // no deletions
    update
}

/// The text of an update that [`statements`] made, without building a document: most files of a large task are untouched.
pub(super) fn text_of(update: &[u8]) -> Option<&str> {
    let rest = update.strip_prefix(head().as_slice())?;
    let rest = rest.strip_suffix(&[0])?;
    let mut row = log_row::updates(rest);
    let text = row.next()?;
    let is_all = row.next().is_none() && log_row::is_whole(rest, 1);
    if is_all { std::str::from_utf8(text).ok() } else { None }
}

/// lib0's varString, which has the same form as an entry of a log row.
fn put_string(buffer: &mut Vec<u8>, text: &str) {
    log_row::append(buffer, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use coderoom_protocol::gate::StateVector;

    use super::{super::replica::Replica, *};

    #[test]
    fn seed_is_what_yrs_would_write() {
        for text in ["x", "print(\"hi 😀\")\r\n", &"ä\n".repeat(5_000)] {
            let by_yrs = Replica::new(SEED_CLIENT);
            let update = by_yrs.edit([(0, 0, text.to_owned())]).unwrap();
            assert_eq!(super::update(text), update);
            let replica = Replica::new(77);
            replica.apply([update.as_slice()]).unwrap();
            assert_eq!(replica.text().unwrap(), text);
            assert_eq!(text_of(&update), Some(text));
        }
    }

    #[test]
    fn empty_text_needs_no_edit() {
        let (statements, seq) = statements(FileId::new(), 1, "", 0);
        assert!(statements.is_empty());
        assert_eq!(seq, 0);
    }

    #[test]
    fn other_updates_are_not_taken_for_a_seed() {
        let replica = Replica::new(SEED_CLIENT);
        let seed = replica.edit([(0, 0, "ab".into())]).unwrap();
        let more = replica.edit([(1, 1, "c".into())]).unwrap();
        assert!(text_of(&seed).is_some());
        assert_eq!(text_of(&more), None);
        assert_eq!(text_of(&replica.diff_v1(&StateVector::default()).unwrap()), None);
    }
}
