//! What every twin of the tables holds. Each function gets a database without tables.

use bytes::Bytes;
use coderoom_backing::{
    tables::{Migration, Row, Statement, Tables, TablesError, Value},
    values,
};

use crate::wait::within;

async fn create(tables: &Tables, texts: &[&'static str]) {
    let blob = |text: &'static str| coderoom_backing::tables::Sql {
        sqlite: text.into(),
        postgres: text.replace("BLOB", "BYTEA").into(),
    };
    for text in texts {
        tables.execute(blob(text), vec![]).await.unwrap();
    }
}

const NOTES: &str = "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body TEXT, raw BLOB)";

fn insert(id: i64, body: &str) -> Statement {
    Statement::new("INSERT INTO notes (id, body) VALUES ($1, $2)", values![id, body])
}

async fn ids(tables: &Tables) -> Vec<i64> {
    let rows = tables.query("SELECT id FROM notes ORDER BY id", vec![]).await.unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}

pub(crate) async fn values_keep_their_types(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let big = Bytes::from(vec![7; 1 << 20]);
    let rows = [
        values![1, "", Bytes::new()],
        values![i64::MIN, "grüße 🦀", big],
        values![i64::MAX, None::<String>, None::<Bytes>],
    ];
    for values in &rows {
        tables.execute("INSERT INTO notes (id, body, raw) VALUES ($1, $2, $3)", values.clone()).await.unwrap();
    }
    for values in rows {
        let found = tables.query_opt("SELECT id, body, raw FROM notes WHERE id = $1", values[..1].to_vec()).await;
        assert_eq!(found.unwrap(), Some(Row(values)));
    }
    assert_eq!(tables.query_opt("SELECT id FROM notes WHERE id = $1", values![5]).await.unwrap(), None);
}

pub(crate) async fn batch_gives_the_rows_of_each_statement(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let returning = "INSERT INTO notes (id, body) VALUES ($1, $2) RETURNING id, body";
    let answers = tables.batch(vec![
        Statement::new(returning, values![1, "a"]),
        Statement::new(returning, values![2, "b"]),
        Statement::new("UPDATE notes SET body = $1", values!["c"]),
        Statement::new("SELECT id, body FROM notes ORDER BY id", vec![]),
    ]);
    let answers = answers.await.unwrap();
    let all = vec![Row(values![1, "c"]), Row(values![2, "c"])];
    assert_eq!(answers, [vec![Row(values![1, "a"])], vec![Row(values![2, "b"])], vec![], all]);
    assert_eq!(tables.batch(vec![]).await.unwrap(), Vec::<Vec<Row>>::new());
}

pub(crate) async fn batch_stores_all_or_nothing(tables: &Tables) {
    create(tables, &[NOTES]).await;
    tables.batch(vec![insert(1, "kept")]).await.unwrap();
    let refused = tables.batch(vec![insert(2, "a"), insert(1, "again"), insert(3, "b")]).await;
    assert!(matches!(refused, Err(TablesError::Unique(_))), "{refused:?}");
    assert_eq!(ids(tables).await, [1]);
    tables.batch(vec![insert(2, "a"), insert(3, "b")]).await.unwrap();
    assert_eq!(ids(tables).await, [1, 2, 3]);
}

pub(crate) async fn write_is_seen_by_the_next_read(tables: &Tables) {
    create(tables, &[NOTES]).await;
    for id in 1..=50 {
        tables.batch(vec![insert(id, "")]).await.unwrap();
        assert_eq!(ids(tables).await.len(), usize::try_from(id).unwrap());
    }
}

pub(crate) async fn execute_counts_the_rows_it_touched(tables: &Tables) {
    create(tables, &[NOTES]).await;
    tables.batch((1..=5).map(|id| insert(id, "")).collect()).await.unwrap();
    let update = "UPDATE notes SET body = $1 WHERE id > $2";
    assert_eq!(tables.execute(update, values!["x", 2]).await.unwrap(), 3);
    assert_eq!(tables.execute(update, values!["x", 9]).await.unwrap(), 0);
    assert_eq!(tables.execute("CREATE INDEX notes_body ON notes (body)", vec![]).await.unwrap(), 0);
    let mut transaction = tables.begin().await.unwrap();
    assert_eq!(transaction.execute("DELETE FROM notes", vec![]).await.unwrap(), 5);
}

pub(crate) async fn dropped_transaction_rolls_back(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let mut transaction = tables.begin().await.unwrap();
    transaction.batch(vec![insert(1, "a"), insert(2, "b")]).await.unwrap();
    let inside = transaction.query("SELECT id FROM notes ORDER BY id", vec![]).await.unwrap();
    assert_eq!(inside, [Row(values![1]), Row(values![2])]);
    drop(transaction);
    assert_eq!(within("the writer is free again", tables.execute("DELETE FROM notes", vec![])).await.unwrap(), 0);
}

pub(crate) async fn committed_transaction_is_stored(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let mut transaction = tables.begin().await.unwrap();
    for id in 1..=3 {
        let text = "INSERT INTO notes (id) VALUES ($1) RETURNING id";
        assert_eq!(transaction.query_opt(text, values![id]).await.unwrap(), Some(Row(values![id])));
    }
    assert_eq!(ids(tables).await, [0_i64; 0]);
    transaction.commit().await.unwrap();
    assert_eq!(ids(tables).await, [1, 2, 3]);
}

pub(crate) async fn failed_statement_ends_its_transaction(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let mut transaction = tables.begin().await.unwrap();
    transaction.batch(vec![insert(1, "a")]).await.unwrap();
    assert!(matches!(transaction.batch(vec![insert(1, "b")]).await, Err(TablesError::Unique(_))));
    assert!(transaction.query("SELECT 1", vec![]).await.is_err());
    assert!(transaction.commit().await.is_err());
    assert_eq!(ids(tables).await, [0_i64; 0]);
    within("others can write", tables.batch(vec![insert(1, "c")])).await.unwrap();
}

pub(crate) async fn reading_transaction_sees_one_state(tables: &Tables) {
    create(tables, &[NOTES]).await;
    tables.batch(vec![insert(1, "old")]).await.unwrap();
    let mut before = tables.begin_read().await.unwrap();
    tables.batch(vec![insert(2, "new"), Statement::new("UPDATE notes SET body = 'new'", vec![])]).await.unwrap();
    // The state is that of the beginning, not of the first query.
    for _ in 0..2 {
        let rows = before.query("SELECT id, body FROM notes ORDER BY id", vec![]).await.unwrap();
        assert_eq!(rows, [Row(values![1, "old"])]);
        tables.batch(vec![Statement::new("UPDATE notes SET body = 'newer'", vec![])]).await.unwrap();
    }
    drop(before);
    let mut after = tables.begin_read().await.unwrap();
    assert_eq!(after.query("SELECT id FROM notes", vec![]).await.unwrap().len(), 2);
    assert!(after.execute("DELETE FROM notes", vec![]).await.is_err());
    assert_eq!(ids(tables).await, [1, 2]);
}

pub(crate) async fn readers_do_not_wait_for_a_writing_transaction(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let mut writing = tables.begin().await.unwrap();
    writing.batch(vec![insert(1, "")]).await.unwrap();
    assert_eq!(within("a read beside a writing transaction", ids(tables)).await, [0_i64; 0]);
    let mut reading = within("a reading transaction", tables.begin_read()).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(reading.query("SELECT id FROM notes", vec![]).await.unwrap(), []);
}

pub(crate) async fn broken_constraints_are_told_apart(tables: &Tables) {
    let parents = "CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY, name TEXT UNIQUE)";
    let children = "CREATE TABLE children (parent BIGINT NOT NULL REFERENCES parents (id), state BIGINT)";
    let partial = "CREATE UNIQUE INDEX one_unfinished ON children (parent) WHERE state = 1";
    create(tables, &[parents, children, partial]).await;
    let parent = "INSERT INTO parents (id, name) VALUES ($1, $2)";
    let child = "INSERT INTO children (parent, state) VALUES ($1, $2)";
    tables.execute(parent, values![1, "a"]).await.unwrap();
    tables.execute(child, values![1, 1]).await.unwrap();
    tables.execute(child, values![1, 2]).await.unwrap();
    for (text, values) in [(parent, values![1, "b"]), (parent, values![2, "a"]), (child, values![1, 1])] {
        let refused = tables.execute(text, values).await;
        assert!(matches!(&refused, Err(error @ TablesError::Unique(_)) if error.is_permanent()), "{refused:?}");
    }
    assert!(matches!(tables.execute(child, values![9, 1]).await, Err(TablesError::ForeignKey)));
    assert!(matches!(tables.execute("DELETE FROM parents", vec![]).await, Err(TablesError::ForeignKey)));
    let null = tables.execute(child, values![None::<i64>, 1]).await;
    assert!(matches!(null, Err(TablesError::Fault(_))), "{null:?}");
    assert!(matches!(tables.query("SELECT nothing FROM parents", vec![]).await, Err(TablesError::Fault(_))));
}

pub(crate) async fn values_must_match_the_placeholders(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let text = "INSERT INTO notes (id, body) VALUES ($1, $2)";
    for values in [values![1], values![1, "a", "b"], vec![]] {
        let refused = tables.execute(text, values).await;
        assert!(matches!(refused, Err(TablesError::Fault(_))), "{refused:?}");
    }
    let two = tables.execute("DELETE FROM notes; DELETE FROM notes", vec![]).await;
    assert!(matches!(two, Err(TablesError::Fault(_))), "{two:?}");
    assert_eq!(ids(tables).await, [0_i64; 0]);
}

pub(crate) async fn texts_with_nul_are_refused_and_told_apart_from_faults(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let refused = tables.execute("INSERT INTO notes (id, body) VALUES ($1, $2)", values![1, "a\0b"]).await;
    assert!(matches!(refused, Err(TablesError::Nul)), "{refused:?}");
    let refused = tables.batch(vec![insert(2, "fine"), insert(3, "\0")]).await;
    assert!(matches!(refused, Err(TablesError::Nul)), "{refused:?}");
    let refused = tables.query("SELECT id FROM notes WHERE body = $1", values!["\0"]).await;
    assert!(matches!(refused, Err(TablesError::Nul)), "{refused:?}");
    let blob = values![4, "fine", &b"a\0b"[..]];
    tables.execute("INSERT INTO notes (id, body, raw) VALUES ($1, $2, $3)", blob).await.unwrap();
    assert_eq!(ids(tables).await, [4], "nothing of what was refused is stored, and the connection serves on");
}

pub(crate) async fn placeholders_may_repeat_and_come_in_any_order(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let statement = Statement::new("INSERT INTO notes (body, id, raw) VALUES ($2, $1, $3)", values![7, "x", &b"y"[..]]);
    tables.batch(vec![statement]).await.unwrap();
    let found = tables.query("SELECT body FROM notes WHERE id = $2 OR id = $2 + $1", values![0, 7]).await.unwrap();
    assert_eq!(found, [Row(vec![Value::from("x")])]);
}

pub(crate) async fn counts_and_sums_are_integers(tables: &Tables) {
    create(tables, &[NOTES]).await;
    let look = "SELECT COUNT(*), COALESCE(SUM(id), 0), MAX(id), COUNT(*) = 2 FROM notes";
    assert_eq!(tables.query(look, vec![]).await.unwrap(), [Row(values![0, 0, None::<i64>, false])]);
    tables.batch(vec![insert(3_000_000_000, "a"), insert(-10_000, "b")]).await.unwrap();
    let expected = Row(values![2, 2_999_990_000_i64, 3_000_000_000_i64, true]);
    assert_eq!(tables.query(look, vec![]).await.unwrap(), [expected]);
}

pub(crate) async fn numbers_given_in_batches_are_gapless(tables: &Tables) {
    const WRITERS: i64 = 8;
    const EACH: i64 = 25;
    create(tables, &["CREATE TABLE files (id BIGINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL)"]).await;
    create(tables, &["CREATE TABLE edits (file BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (file, seq))"]).await;
    tables.execute("INSERT INTO files (id, seq) VALUES (1, 0)", vec![]).await.unwrap();
    let writers = (0..WRITERS).map(|_| {
        let tables = tables.clone();
        tokio::spawn(async move {
            let mut last = 0;
            for _ in 0..EACH {
                let answers = tables.batch(vec![
                    Statement::new("UPDATE files SET seq = seq + 1 WHERE id = $1 RETURNING seq", values![1]),
                    Statement::new("INSERT INTO edits (file, seq) SELECT id, seq FROM files WHERE id = $1", values![1]),
                ]);
                let seq = answers.await.unwrap()[0][0].int(0).unwrap();
                assert!(seq > last, "numbers of one writer ascend");
                last = seq;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let seqs = tables.query("SELECT seq FROM edits WHERE file = 1 ORDER BY seq", vec![]).await.unwrap();
    let seqs: Vec<_> = seqs.iter().map(|row| row.int(0).unwrap()).collect();
    assert_eq!(seqs, (1..=WRITERS * EACH).collect::<Vec<_>>());
}

pub(crate) async fn abandoned_calls_leave_the_tables_usable(tables: &Tables) {
    create(tables, &[NOTES]).await;
    for id in 1..=200 {
        let call = tables.batch(vec![insert(id, "a"), insert(id + 1000, "b")]);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(id.unsigned_abs() * 10), call).await;
        let mut transaction = tables.begin().await.unwrap();
        let call = transaction.batch(vec![insert(id + 5000, "a")]);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(50), call).await;
    }
    let found = within("a read", ids(tables)).await;
    assert!(found.iter().all(|id| *id < 5000), "a dropped transaction stored something");
    for id in found.iter().filter(|id| **id < 1000) {
        assert!(found.contains(&(id + 1000)), "half a batch is stored");
    }
}

const FIRST: Migration = Migration {
    number: 1,
    name: "0001_first",
    sqlite: "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1); -- why; not",
    postgres: "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1); -- why; not",
};
const SECOND: Migration = Migration {
    number: 2,
    name: "0002_second",
    sqlite: "UPDATE a SET x = x + 1;",
    postgres: "UPDATE a SET x = x + 1;",
};

async fn x(tables: &Tables) -> i64 {
    tables.query("SELECT x FROM a", vec![]).await.unwrap()[0].int(0).unwrap()
}

pub(crate) async fn migrations_apply_once_and_in_order(tables: &Tables) {
    tables.migrate(&[FIRST]).await.unwrap();
    tables.migrate(&[FIRST]).await.unwrap();
    assert_eq!(x(tables).await, 1);
    let (one, two) = tokio::join!(tables.migrate(&[FIRST, SECOND]), tables.migrate(&[FIRST, SECOND]));
    one.unwrap();
    two.unwrap();
    assert_eq!(x(tables).await, 2);
    let applied = tables.query("SELECT number, name FROM schema_migrations ORDER BY number", vec![]).await.unwrap();
    assert_eq!(applied, [Row(values![1, "0001_first"]), Row(values![2, "0002_second"])]);
    assert!(tables.migrate(&[FIRST, Migration { number: 3, ..SECOND }]).await.is_err(), "a gap");
}

pub(crate) async fn failed_migration_leaves_nothing_of_itself(tables: &Tables) {
    let text = "CREATE TABLE b (x BIGINT); INSERT INTO nowhere VALUES (1);";
    let broken = Migration { number: 2, name: "0002_broken", sqlite: text, postgres: text };
    let refused = tables.migrate(&[FIRST, broken]).await;
    assert!(matches!(&refused, Err(TablesError::Fault(why)) if why.contains("0002_broken")), "{refused:?}");
    assert!(tables.query("SELECT x FROM b", vec![]).await.is_err());
    tables.migrate(&[FIRST, SECOND]).await.unwrap();
    assert_eq!(x(tables).await, 2);
}

pub(crate) async fn newer_database_is_refused(tables: &Tables) {
    tables.migrate(&[FIRST, SECOND]).await.unwrap();
    let refused = tables.migrate(&[FIRST]).await;
    assert!(matches!(&refused, Err(TablesError::Fault(why)) if why.contains("newer than this program")), "{refused:?}");
    tables.migrate(&[FIRST, SECOND]).await.unwrap();
}

pub(crate) async fn edited_migration_is_refused(tables: &Tables) {
    tables.migrate(&[FIRST]).await.unwrap();
    let text = "CREATE TABLE a (x BIGINT);";
    let edited = Migration { sqlite: text, postgres: text, ..FIRST };
    let refused = tables.migrate(&[edited, SECOND]).await;
    assert!(matches!(&refused, Err(TablesError::Fault(why)) if why.contains("edited")), "{refused:?}");
    assert_eq!(x(tables).await, 1);
}

/// Every claim of this suite, handed to the macro of a twin.
macro_rules! every_claim {
    ($on_twin:ident, $open:path) => {
        $on_twin!(
            tables,
            $open,
            values_keep_their_types,
            batch_gives_the_rows_of_each_statement,
            batch_stores_all_or_nothing,
            write_is_seen_by_the_next_read,
            execute_counts_the_rows_it_touched,
            dropped_transaction_rolls_back,
            committed_transaction_is_stored,
            failed_statement_ends_its_transaction,
            reading_transaction_sees_one_state,
            readers_do_not_wait_for_a_writing_transaction,
            broken_constraints_are_told_apart,
            values_must_match_the_placeholders,
            texts_with_nul_are_refused_and_told_apart_from_faults,
            placeholders_may_repeat_and_come_in_any_order,
            counts_and_sums_are_integers,
            numbers_given_in_batches_are_gapless,
            abandoned_calls_leave_the_tables_usable,
            migrations_apply_once_and_in_order,
            failed_migration_leaves_nothing_of_itself,
            newer_database_is_refused,
            edited_migration_is_refused,
        );
    };
}
pub(crate) use every_claim;
