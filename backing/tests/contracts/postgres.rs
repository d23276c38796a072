//! Runs the suite of tables on PostgreSQL, and what only a server across a wire can be asked: that it is killed, frozen,
//! or has no connection left.

use std::time::{Duration, Instant};

use coderoom_backing::{
    tables::{Migration, PostgresSettings, Statement, Tables, TablesError},
    values,
};
use coderoom_services::{Database, Postgres};

use crate::wait::within;

/// A test for each claim of a suite, on a fresh database.
macro_rules! on_postgres {
    ($port:ident, $open:path, $($claim:ident),* $(,)?) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let (database, port) = $open().await;
                crate::$port::$claim(&port).await;
                drop(database);
            })*
        }
    };
}

async fn open_fresh() -> (Database, Tables) {
    let database = Database::create();
    let tables = Tables::open_postgres(PostgresSettings::new(database.url())).await.unwrap();
    (database, tables)
}

crate::tables::every_claim!(on_postgres, super::open_fresh);

/// Impatient, so that the tests are quick.
fn impatient(url: &str) -> PostgresSettings {
    PostgresSettings {
        max_connections: 4,
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_secs(1),
        lock_timeout: Duration::from_millis(300),
        answer_grace: Duration::from_millis(500),
        ..PostgresSettings::new(url)
    }
}

const CREATE: &str = "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body TEXT)";
const INSERT: &str = "INSERT INTO notes (id, body) VALUES ($1, $2)";

async fn count(tables: &Tables) -> u64 {
    tables.query("SELECT count(*) FROM notes", vec![]).await.unwrap()[0].uint(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_server_is_found_again_by_every_call() {
    let mut server = Postgres::start();
    let tables = Tables::open_postgres(PostgresSettings::new(server.url())).await.unwrap();
    tables.execute(CREATE, vec![]).await.unwrap();
    // Several connections wait in the pool, and all of them break.
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(tables.begin().await.unwrap());
    }
    drop(open);
    server.kill();
    let refused = within("a refusal", tables.execute(INSERT, values![1, "a"])).await;
    assert!(matches!(refused, Err(TablesError::Unavailable(_))), "{refused:?}");
    server.restart();
    tables.execute(INSERT, values![1, "a"]).await.unwrap();
    server.restart();
    assert_eq!(count(&tables).await, 1, "a read after the second restart");
    server.restart();
    tables.batch(vec![Statement::new(INSERT, values![2, "b"])]).await.unwrap();
    server.restart();
    let mut transaction = tables.begin().await.unwrap();
    transaction.execute(INSERT, values![3, "c"]).await.unwrap();
    server.restart();
    let lost = transaction.execute(INSERT, values![4, "d"]).await;
    assert!(matches!(lost, Err(TablesError::Unavailable(_))), "{lost:?}");
    assert_eq!(count(&tables).await, 2, "nothing of the broken transaction");
}

/// Kills the server again and again while batches are under way: each is there whole or not at all, none that was
/// acknowledged is missing, none that was refused is there, and only for [`TablesError::Unknown`] it may be either.
#[tokio::test(flavor = "multi_thread")]
async fn killed_server_loses_nothing_acknowledged_and_stores_nothing_refused() {
    const ROUNDS: i64 = 5;
    let mut server = Postgres::start();
    let tables = Tables::open_postgres(impatient(&server.url())).await.unwrap();
    tables.execute(CREATE, vec![]).await.unwrap();
    let (mut stored, mut refused, mut unknown) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let tables = tables.clone();
                tokio::spawn(async move {
                    let mut answers = Vec::new();
                    for number in 0.. {
                        let id = (round * 10 + writer) * 1_000_000 + number * 2;
                        let pair = [id, id + 1].map(|id| Statement::new(INSERT, values![id, "x"]));
                        let answer = tables.batch(pair.to_vec()).await;
                        let over = answer.is_err();
                        answers.push((id, answer));
                        if over {
                            break;
                        }
                    }
                    answers
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(30 + 20 * u64::try_from(round).unwrap())).await;
        server.kill();
        for writer in writers {
            for (id, answer) in within("a refusal", writer).await.unwrap() {
                match answer {
                    Ok(_) => stored.push(id),
                    Err(TablesError::Unavailable(_)) => refused.push(id),
                    Err(TablesError::Unknown(_)) => unknown += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
        server.restart();
    }
    let ids = tables.query("SELECT id FROM notes ORDER BY id", vec![]).await.unwrap();
    let ids: std::collections::BTreeSet<i64> = ids.iter().map(|row| row.int(0).unwrap()).collect();
    assert!(ids.iter().all(|id| ids.contains(&(id ^ 1))), "every batch is whole");
    assert!(stored.iter().all(|id| ids.contains(id)), "what was acknowledged is there");
    assert!(refused.iter().all(|id| !ids.contains(id)), "what was refused is not");
    assert!(
        stored.len() > 20,
        "only {} batches were stored ({} refused, {unknown} unknown)",
        stored.len(),
        refused.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_server_is_given_up_after_the_limit_and_found_again() {
    let server = Postgres::start();
    let tables = Tables::open_postgres(impatient(&server.url())).await.unwrap();
    tables.execute(CREATE, vec![]).await.unwrap();
    let mut transaction = tables.begin().await.unwrap();
    transaction.execute(INSERT, values![7, "lost"]).await.unwrap();
    server.pause();
    let began = Instant::now();
    for _ in 0..2 {
        let (read, written) =
            tokio::join!(tables.query("SELECT count(*) FROM notes", vec![]), tables.execute(INSERT, values![1, "a"]),);
        assert!(matches!(read, Err(TablesError::Unavailable(_))), "{read:?}");
        assert!(matches!(written, Err(TablesError::Unavailable(_))), "{written:?}");
    }
    // The commit may have arrived before the server froze.
    let unknown = transaction.commit().await;
    assert!(matches!(unknown, Err(TablesError::Unknown(_))), "{unknown:?}");
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    server.resume();
    within("a write after the thaw", async {
        while tables.execute(INSERT, values![2, "b"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_pool_refuses_after_its_limit_and_recovers() {
    let database = Database::create();
    let tables = Tables::open_postgres(impatient(&database.url())).await.unwrap();
    tables.execute(CREATE, vec![]).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(tables.begin().await.unwrap());
    }
    let refused = within("a refusal", tables.query("SELECT 1", vec![])).await;
    assert!(matches!(refused, Err(TablesError::Unavailable(_))), "{refused:?}");
    open.pop();
    within("one is free", tables.execute(INSERT, values![1, "a"])).await.unwrap();
    drop(open);
    assert_eq!(count(&tables).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_locks_and_slow_statements_end_at_their_limits() {
    let database = Database::create();
    let tables = Tables::open_postgres(impatient(&database.url())).await.unwrap();
    tables.execute(CREATE, vec![]).await.unwrap();
    tables.execute(INSERT, values![1, "a"]).await.unwrap();
    let mut holder = tables.begin().await.unwrap();
    holder.execute("UPDATE notes SET body = 'b'", vec![]).await.unwrap();
    let blocked = within("a refusal", tables.execute("UPDATE notes SET body = 'c'", vec![])).await;
    assert!(matches!(&blocked, Err(TablesError::Unavailable(why)) if why.contains("55P03")), "{blocked:?}");
    let slow = within("a refusal", tables.query("SELECT pg_sleep(60)", vec![])).await;
    assert!(matches!(&slow, Err(TablesError::Unavailable(why)) if why.contains("57014")), "{slow:?}");
    holder.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlock_ends_one_of_its_transactions() {
    let (_database, tables) = open_fresh().await;
    tables.execute(CREATE, vec![]).await.unwrap();
    tables.batch((1..=2).map(|id| Statement::new(INSERT, values![id, ""])).collect()).await.unwrap();
    let change = "UPDATE notes SET body = body WHERE id = $1";
    let (mut one, mut two) = (tables.begin().await.unwrap(), tables.begin().await.unwrap());
    one.execute(change, values![1]).await.unwrap();
    two.execute(change, values![2]).await.unwrap();
    let (first, second) = tokio::join!(one.execute(change, values![2]), two.execute(change, values![1]));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let error = first.err().or(second.err()).unwrap();
    assert!(matches!(&error, TablesError::Unavailable(why) if why.contains("40P01")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn null_may_come_before_a_value_at_the_same_placeholder() {
    let (_database, tables) = open_fresh().await;
    tables.execute(CREATE, vec![]).await.unwrap();
    let text = "INSERT INTO notes (id, body) VALUES ($1, coalesce($2, 'none')) RETURNING body";
    for (id, body, expected) in [(1, None, "none"), (2, Some("some"), "some"), (3, None, "none")] {
        let answers = tables.batch(vec![Statement::new(text, values![id, body])]).await.unwrap();
        assert_eq!(answers[0][0].text(0).unwrap(), expected);
    }
    let wrong = tables.execute(INSERT, values!["one", "a"]).await;
    assert!(matches!(wrong, Err(TablesError::Fault(_))), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_change_the_schema_once() {
    let database = Database::create();
    let text = "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1); SELECT pg_sleep(0.3);";
    let slow = Migration { number: 1, name: "0001_slow", sqlite: text, postgres: text };
    let starts = (0..4).map(|_| {
        let settings = impatient(&database.url());
        tokio::spawn(async move { Tables::open_postgres(settings).await.unwrap().migrate(&[slow]).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    let tables = Tables::open_postgres(impatient(&database.url())).await.unwrap();
    let rows = tables.query("SELECT x FROM a", vec![]).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_told_apart_and_no_password_is_shown() {
    let nobody = Tables::open_postgres(impatient("postgres://u:hunter2@127.0.0.1:1/d")).await;
    assert!(matches!(nobody, Err(TablesError::Unavailable(_))), "{nobody:?}");
    let nonsense = Tables::open_postgres(impatient("postgres://u:hunter2@host:port/d")).await;
    assert!(matches!(nonsense, Err(TablesError::Fault(_))), "{nonsense:?}");
    let database = Database::create();
    let stranger = database.url().replacen("postgres:", "postgres_:", 2).replace("postgres_://", "postgres://");
    let denied = Tables::open_postgres(impatient(&stranger)).await;
    assert!(matches!(denied, Err(TablesError::Unavailable(_))), "{denied:?}");
    for error in [nobody, nonsense, denied].map(|opened| opened.unwrap_err().to_string()) {
        assert!(!error.contains("hunter2"), "{error}");
    }
}
