//! The matrix: every door of the server against everybody who may knock. What each gets is the table of `docs/security.md`,
//! read from the document, so that the two cannot differ. The doors come from the server itself (its OpenAPI document, its
//! sources, the types of its messages): one without a row fails.

mod cast;
mod requests;
mod rooms;
mod table;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use coderoom_protocol::ids::TaskId;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::Value;

use self::{
    cast::{Cast, WHO},
    table::{Cell, Table},
};
use crate::{
    person::http_client,
    server::{Deployment, Server},
};

/// Doors knocked at together.
const AT_ONCE: usize = 4;

/// Settings of the matrix: nothing that counts how often somebody comes.
const SETTINGS: &[(&str, &str)] = &[
    ("CODEROOM_PEOPLE_ATTEMPTS_PER_ADDRESS", "1000000"),
    ("CODEROOM_PEOPLE_ATTEMPTS_PER_NAME", "1000000"),
    ("CODEROOM_PEOPLE_ATTEMPTS_PER_NAME_IN_ALL", "2000000"),
    ("CODEROOM_LIMITS_REQUESTS_PER_ADDRESS", "10000000"),
    ("CODEROOM_LIMITS_REQUESTS_PER_USER", "10000000"),
];

/// Every route of HTTP that the server describes, as `GET /api/v1/tasks/{task}`.
async fn described(server: &Server) -> BTreeSet<String> {
    let document = http_client().get(format!("{}/api/openapi.json", server.url())).send().await.expect("an answer");
    let document: Value = document.json().await.expect("the OpenAPI document");
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

/// Every door has a row, and every row a door.
pub async fn every_door_has_a_row(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let table = Table::read();
    let rows: BTreeSet<String> = table.rows.iter().map(|row| row.door.clone()).collect();
    let mut doors = described(&server).await;
    doors.extend(rooms::doors());
    doors.extend(table::routes_in_sources());
    // The messages of the sockets are rows; behind the last is whatever is not there.
    for without in ["GET /ws/tasks/{task}", "GET /yjs/{task}/{*path}", "ANY /api/{*rest}"] {
        assert!(doors.remove(without), "{without} is found in the sources");
    }
    let missing: Vec<_> = doors.difference(&rows).collect();
    assert!(missing.is_empty(), "doors without a row in docs/security.md: {missing:#?}");
    let stale: Vec<_> = rows.difference(&doors).collect();
    assert!(stale.is_empty(), "rows of docs/security.md without a door: {stale:#?}");
}

/// Everybody at every route of HTTP.
pub async fn everybody_at_every_route(deployment: Deployment) {
    let server = Server::start_with(deployment, SETTINGS).await;
    let cast = Cast::gather(&server).await;
    let table = Table::read();
    let mut knocks = Vec::new();
    for row in table.rows.iter().filter(|row| !rooms::is_of_rooms(&row.door)) {
        for (who, cell) in WHO.iter().zip(&row.cells) {
            for person in cast.people(who) {
                knocks.push((row.door.clone(), *who, person, *cell));
            }
        }
    }
    let wrong: Vec<String> = stream::iter(knocks)
        .map(|(door, who, person, cell)| {
            let cast = &cast;
            async move { requests::knock(cast, &door, who, person, cell).await.err() }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of the table do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// Everybody with every message of the room's socket and of the second door.
pub async fn everybody_with_every_message(deployment: Deployment) {
    let server = Server::start_with(deployment, SETTINGS).await;
    let cast = Cast::gather(&server).await;
    let table = Table::read();
    let mut wrong = Vec::new();
    for row in table.rows.iter().filter(|row| rooms::is_of_rooms(&row.door)) {
        for (who, cell) in WHO.iter().zip(&row.cells) {
            for person in cast.people(who) {
                let got = rooms::say(&cast, &row.door, who, person).await;
                if got != *cell {
                    wrong.push(format!("{} as {who} ({}): {got:?}, not {cell:?}", row.door, person.what));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the table do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// A stranger gets the same answer for what is not theirs and for what is not there: in status, headers and body, and in all
/// that a socket says.
pub async fn strangers_cannot_tell(deployment: Deployment) {
    let server = Server::start_with(deployment, SETTINGS).await;
    let cast = Cast::gather(&server).await;
    let table = Table::read();
    let stranger = &cast.people("stranger")[0];
    let mut told = Vec::new();
    for row in &table.rows {
        let is_closed = row.cells[cast::column("stranger")] == Cell::Refused(404);
        if rooms::is_of_rooms(&row.door) || !is_closed {
            continue;
        }
        let theirs = requests::request(&cast, &row.door, stranger, false).await;
        let nowhere = cast.nowhere(&theirs.url);
        let mut answers = Vec::new();
        for url in [&theirs.url, &nowhere] {
            let answer = theirs.send_to(url, stranger).await;
            let status = answer.status();
            let headers = requests::telling_headers(answer.headers());
            answers.push((status, headers, answer.text().await.unwrap_or_default()));
        }
        if answers[0] != answers[1] {
            told.push(format!("{}: {:?}\n  not {:?}", row.door, answers[0], answers[1]));
        }
    }
    for way in rooms::WAYS {
        let theirs = rooms::told(&cast, way, cast.task, stranger).await;
        let nowhere = rooms::told(&cast, way, TaskId::new(), stranger).await;
        assert!(!theirs.is_empty(), "{way}: strangers are told that it is not there");
        if theirs != nowhere {
            told.push(format!("{way}: {theirs:?}\n  not {nowhere:?}"));
        }
    }
    assert!(told.is_empty(), "strangers can tell:\n{}", told.join("\n"));
    same_time(&cast, stranger).await;
}

/// Rounds in which both times are taken.
const ROUNDS: usize = 60;

/// Times measured again when they are apart: what the doors do differently stays, what else the machine does goes.
const MEASUREMENTS: usize = 5;

/// The medians of both answers' times are close: within half, or two milliseconds on a busy machine.
async fn same_time(cast: &Cast, stranger: &cast::Knocker) {
    for door in ["GET /api/v1/tasks/{task}", "GET /api/v1/runs/{run}"] {
        let mut seen = Vec::new();
        for _ in 0..MEASUREMENTS {
            let (yours, nowhere) = median_times(cast, stranger, door).await;
            seen.push((yours, nowhere));
            if yours.abs_diff(nowhere) <= (yours.min(nowhere) / 2).max(Duration::from_millis(2)) {
                break;
            }
        }
        assert!(seen.len() < MEASUREMENTS, "{door}: what is there takes another time than what is not: {seen:?}");
    }
}

/// For what is there, and for what is not.
async fn median_times(cast: &Cast, stranger: &cast::Knocker, door: &str) -> (Duration, Duration) {
    let theirs = requests::request(cast, door, stranger, false).await;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        // A new id each time: a memory of ids that are not there must not help.
        for (times, url) in times.iter_mut().zip([theirs.url.clone(), cast.nowhere(&theirs.url)]) {
            let began = Instant::now();
            theirs.send_to(&url, stranger).await;
            times.push(began.elapsed());
        }
    }
    let [yours, nowhere] = times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2]
    });
    (yours, nowhere)
}

/// The method of a door such as `GET /api/v1/me`, and its path.
fn method_and_path(door: &str) -> (Method, &str) {
    let (method, path) = door.split_once(' ').expect("a door is a method and a path");
    (method.parse().expect("a method"), path)
}
