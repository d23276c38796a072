//! How processes are put together by settings: mixtures of services, several processes on the same tables, secrets, and who
//! may read what a process says about itself. On the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use coderoom_services::Database;
use coderoom_tests::{
    person::{Person, http_client},
    server::{Deployment::Embedded, Server, binaries},
};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this test below `coderoom-services`"))
}

/// Runs `coderoom` to its end.
fn coderoom(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binaries().join("coderoom"));
    command.args(arguments).envs(settings.iter().copied()).output().expect("the coderoom binary starts")
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// PostgreSQL for tables, a bucket for objects, and everything else in the process.
fn postgres_and_s3(database: &Database, secret_file: &std::path::Path) -> Vec<(&'static str, String)> {
    std::fs::write(secret_file, variable("CODEROOM_TEST_S3_SECRET_KEY")).unwrap();
    vec![
        ("CODEROOM_TABLES", "postgres".into()),
        ("CODEROOM_POSTGRES_URL", database.url()),
        ("CODEROOM_OBJECTS", "s3".into()),
        ("CODEROOM_S3_ENDPOINT", variable("CODEROOM_TEST_S3")),
        ("CODEROOM_S3_BUCKET", format!("mixture-{:016x}", rand::random::<u64>())),
        ("CODEROOM_S3_CREATE_BUCKET", "true".into()),
        ("CODEROOM_S3_ACCESS_KEY", variable("CODEROOM_TEST_S3_ACCESS_KEY")),
        ("CODEROOM_S3_SECRET_KEY_FILE", secret_file.to_str().unwrap().into()),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_works_on_postgres_and_s3_alone_and_keeps_a_second_one_away() {
    let (database, directory) = (Database::create(), tempfile::tempdir().unwrap());
    let settings = postgres_and_s3(&database, &directory.path().join("secret"));
    let settings = borrowed(&settings);
    let mut server = Server::start_with(Embedded, &settings).await;
    let person = Person::admin(&server);
    let task = person.create_task("mixture", "python").await;
    person.write(task, "run.py", "print('from a bucket')\n").await;
    let run = person.submit(task, None).await;
    let ended = person.wait_for_end(run).await;
    assert_eq!(ended["state"], 3, "{ended}");
    assert_eq!(person.log(run).await, b"from a bucket\n");

    let other = directory.path().join("other");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", other.to_str().unwrap()];
    let refused = tokio::task::block_in_place(|| coderoom(&arguments, &settings));
    let said = words(&refused);
    assert!(!refused.status.success() && said.contains("another server") && said.contains("redis.url"), "{said}");

    // A process that died leaves its place to the next one, which watches for a while whether it lives.
    server.kill();
    server.start_again().await;
    assert_eq!(Person::admin(&server).read(task, "run.py").await, "print('from a bucket')\n");
    server.terminate().await;
    let rows = server_rows(&database);
    assert_eq!(rows, "0", "who ends in order leaves no row");
}

/// How many processes the tables know of.
fn server_rows(database: &Database) -> String {
    let asked = Command::new("psql").args([&database.url(), "-Atc", "SELECT count(*) FROM nodes"]).output();
    String::from_utf8_lossy(&asked.expect("psql starts").stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_another_bucket_are_refused() {
    let (database, directory) = (Database::create(), tempfile::tempdir().unwrap());
    let first = postgres_and_s3(&database, &directory.path().join("secret"));
    let mut server = Server::start_with(Embedded, &borrowed(&first)).await;
    server.terminate().await;
    let second = postgres_and_s3(&database, &directory.path().join("secret"));
    let other = directory.path().join("other");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", other.to_str().unwrap()];
    let refused = tokio::task::block_in_place(|| coderoom(&arguments, &borrowed(&second)));
    let said = words(&refused);
    assert!(!refused.status.success() && said.contains("deployment/name"), "{said}");
}

#[test]
fn worker_without_shared_tables_is_refused_in_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let refused = coderoom(&["worker", "--data", directory.path().to_str().unwrap()], &[]);
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("tables = \"postgres\""), "{said}");
}

#[test]
fn token_is_made_in_the_data_that_the_file_of_settings_names() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = (directory.path().join("coderoom.toml"), directory.path().join("elsewhere"));
    std::fs::write(&file, format!("data = {data:?}\n")).unwrap();
    let made = coderoom(&["token", "create", "--name", "test"], &[("CODEROOM_CONFIG", file.to_str().unwrap())]);
    assert!(made.status.success() && data.join("coderoom.sqlite").is_file(), "{}", words(&made));
}

#[test]
fn secrets_are_shown_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("url");
    std::fs::write(&file, "postgres://u:p4ssw0rd@nowhere/d\n").unwrap();
    let settings = [
        ("CODEROOM_TABLES", "postgres"),
        ("CODEROOM_POSTGRES_URL_FILE", file.to_str().unwrap()),
        ("CODEROOM_REDIS_URL", "redis://:an0ther@nowhere"),
        ("CODEROOM_S3_SECRET_KEY", "th1rd"),
    ];
    let said = words(&coderoom(&["config"], &settings));
    assert!(said.contains("postgres") && said.contains("CODEROOM_POSTGRES_URL_FILE"), "{said}");
    for secret in ["p4ssw0rd", "an0ther", "th1rd"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn strangers_do_not_read_metrics_and_answers_name_their_trace() {
    const TOKEN: &str = "a-token-of-the-scraper";
    let server = Server::start_with(Embedded, &[("CODEROOM_SERVER_METRICS_TOKEN", TOKEN)]).await;
    let url = format!("{}/metrics", server.url());
    let get = |token: &str| http_client().get(&url).bearer_auth(token).send();
    assert_eq!(http_client().get(&url).send().await.unwrap().status(), 404);
    assert!(!get("another-token-of-nobody").await.unwrap().status().is_success());
    let answer = get(TOKEN).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-trace-id"].len(), 32);
    assert!(answer.text().await.unwrap().contains("coderoom_http_request_seconds"));
    let person = Person::admin(&server);
    assert_eq!(person.send(reqwest::Method::GET, "/metrics").await.status(), 200, "an administrator may");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let live = http_client().get(format!("{}/health/live", server.url())).header("traceparent", parent);
    assert_eq!(live.send().await.unwrap().headers()["x-trace-id"], trace);
}
