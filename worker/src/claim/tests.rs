//! Many workers claim at once, on both twins of the tables. Nothing executes: a claimed run ends at once.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use coderoom_backing::{
    bus::Bus,
    clock::Clock,
    objects::Objects,
    queue::Queue,
    tables::{PostgresSettings, Tables},
    values,
};
use coderoom_protocol::ids::{RunId, TaskId, UserId};
use coderoom_services::Database;

use super::claim;
use crate::{limits::RunSettings, runs::Runs, schema::MIGRATIONS};

const USERS: usize = 20;
const RUNS_EACH: usize = 10;
const WORKERS: usize = 4;
const PER_USER: u32 = 2;

async fn runs_in(tables: &Tables, directory: &Path) -> Runs {
    tables.migrate(MIGRATIONS).await.unwrap();
    let objects = Objects::open_directory(&directory.join("objects")).await.unwrap();
    let bus = Bus::open_local(&directory.join("streams")).await.unwrap();
    let mut settings = RunSettings::new(directory.to_owned());
    settings.max_running_per_user = PER_USER;
    Runs::new(tables.clone(), objects, bus, Queue::open_local(), Clock::default(), settings)
}

async fn add_user(tables: &Tables, name: &str) -> UserId {
    let id = UserId::new();
    let sql = "INSERT INTO users (id, name, name_key, created_at) VALUES ($1, $2, $2, 0)";
    tables.execute(sql, values![id.to_string(), name]).await.unwrap();
    id
}

async fn add_run(tables: &Tables, user: UserId, at: usize) -> RunId {
    let (task, run) = (TaskId::new(), RunId::new());
    let sql = "INSERT INTO tasks (id, name, language, created_by, created_at, updated_at) \
               VALUES ($1, 't', 'python', $2, 0, 0)";
    tables.execute(sql, values![task.to_string(), user.to_string()]).await.unwrap();
    let sql = "INSERT INTO runs (id, task_id, number, user_id, language, state, command, manifest_key, submitted_at) \
               VALUES ($1, $2, 1, $3, 'python', 1, 'x', 'x', $4)";
    let values = values![run.to_string(), task.to_string(), user.to_string(), i64::try_from(at).unwrap()];
    tables.execute(sql, values).await.unwrap();
    run
}

async fn suspend_and_resume(tables: Tables) {
    let directory = tempfile::tempdir().unwrap();
    let runs = runs_in(&tables, directory.path()).await;
    let user = add_user(&tables, "ada").await;
    let run = add_run(&tables, user, 0).await;
    for (suspended_at, expected) in [(Some(1), None), (None, Some(run))] {
        let sql = "UPDATE users SET suspended_at = $2 WHERE id = $1";
        tables.execute(sql, values![user.to_string(), suspended_at]).await.unwrap();
        let claimed = claim(&runs, "worker").await.unwrap();
        assert_eq!(claimed.map(|request| request.run), expected, "suspended at {suspended_at:?}");
    }
}

async fn drain(tables: Tables) {
    let directory = tempfile::tempdir().unwrap();
    let runs = runs_in(&tables, directory.path()).await;
    let mut owner_of: HashMap<RunId, usize> = HashMap::new();
    for user in 0..USERS {
        let id = add_user(&tables, &format!("user {user}")).await;
        for number in 0..RUNS_EACH {
            // The first user submits all runs before the second does, and so on.
            let run = add_run(&tables, id, user * RUNS_EACH + number).await;
            owner_of.insert(run, user);
        }
    }
    let claimed: Arc<Mutex<Vec<RunId>>> = Arc::default();
    let workers = (0..WORKERS).map(|worker| {
        let (runs, tables, claimed) = (runs.clone(), tables.clone(), claimed.clone());
        tokio::spawn(async move {
            let owner = format!("worker {worker}");
            while let Some(request) = claim(&runs, &owner).await.unwrap() {
                let sql = "SELECT max(c) FROM (SELECT count(*) AS c FROM runs WHERE state = 2 GROUP BY user_id) x";
                let row = tables.query_opt(sql, values![]).await.unwrap().unwrap();
                let most = row.opt_int(0).unwrap().unwrap_or(0);
                assert!(most <= i64::from(PER_USER), "a user runs {most} at once");
                claimed.lock().unwrap().push(request.run);
                let sql = "UPDATE runs SET state = 3 WHERE id = $1 AND state = 2 AND lease_owner = $2";
                let ended = tables.execute(sql, values![request.run.to_string(), owner.as_str()]).await.unwrap();
                assert_eq!(ended, 1, "a run was claimed by two");
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(120), worker).await.expect("the runs are drained").unwrap();
    }
    let claimed = claimed.lock().unwrap().clone();
    assert_eq!(claimed.len(), USERS * RUNS_EACH);
    let mut once = claimed.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), claimed.len(), "every run was claimed once");
    // With few running at a time the oldest user's runs come first, but nobody waits behind all of somebody's runs:
    // while one worker has a run of the first user, the others take those of the next.
    let firsts = claimed.iter().take(RUNS_EACH).map(|run| owner_of[run]).collect::<Vec<_>>();
    assert!(firsts.iter().any(|user| *user != 0), "only one user was served at first: {firsts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_runs_are_claimed_once_each_and_in_turn_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    drain(Tables::open_sqlite(&directory.path().join("t.db")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_runs_are_claimed_once_each_and_in_turn_on_postgres() {
    let database = Database::create();
    drain(Tables::open_postgres(PostgresSettings::new(database.url())).await.unwrap()).await;
}

#[tokio::test]
async fn queued_run_of_a_suspended_user_does_not_start_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    suspend_and_resume(Tables::open_sqlite(&directory.path().join("t.db")).await.unwrap()).await;
}

#[tokio::test]
async fn queued_run_of_a_suspended_user_does_not_start_on_postgres() {
    let database = Database::create();
    suspend_and_resume(Tables::open_postgres(PostgresSettings::new(database.url())).await.unwrap()).await;
}
