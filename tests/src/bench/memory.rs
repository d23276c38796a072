//! Memory of idle connections.

use std::time::Duration;

use super::{Finding, member::Member};
use crate::{
    person::Person,
    process::resident_bytes,
    server::{Deployment, Server},
};

const CONNECTIONS: usize = 1_000;

/// Time for the server to settle and to put idle documents out of memory.
const SETTLE: Duration = Duration::from_secs(8);

fn settings() -> [(&'static str, &'static str); 3] {
    [
        ("CODEROOM_ROOMS_IDLE_DOCUMENT", "2s"),
        ("CODEROOM_ROOMS_IDLE_ROOM", "2s"),
        ("CODEROOM_SOCKETS_MAX_PER_USER", "5000"),
    ]
}

/// 1,000 idle connections to one document, and 1,000 to a document of their own.
pub async fn idle_connections() -> Vec<Finding> {
    let mut findings = Vec::new();
    {
        let server = Server::start_with(Deployment::Embedded, &settings()).await;
        let person = Person::admin(&server);
        let task = person.create_task("idle", "python").await;
        warm(&person, task).await;
        let before = resident_bytes(server.pid());
        let mut members = Vec::new();
        for _ in 0..CONNECTIONS {
            let member = Member::join(&person, task, "run.py").await;
            member.synced().await;
            members.push(member);
        }
        tokio::time::sleep(SETTLE).await;
        findings.push(per_connection("memory of an idle connection", before, &server, 10.0));
    }
    {
        let server = Server::start_with(Deployment::Embedded, &settings()).await;
        let person = Person::admin(&server);
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            tasks.push(person.create_task("idle", "python").await);
        }
        // Each task once before, so that what the tables and caches keep of 1,000 tasks is not counted as connections.
        for task in &tasks {
            Member::join(&person, *task, "run.py").await.synced().await;
        }
        warm(&person, tasks[0]).await;
        tokio::time::sleep(SETTLE).await;
        let before = resident_bytes(server.pid());
        let mut members = Vec::new();
        for task in tasks {
            let member = Member::join(&person, task, "run.py").await;
            member.synced().await;
            members.push(member);
        }
        tokio::time::sleep(SETTLE).await;
        findings.push(per_connection("the same, each with a room and document of its own", before, &server, 16.0));
    }
    findings
}

/// Opens and closes a few connections first, so that what a process needs once is not counted.
async fn warm(person: &Person, task: coderoom_protocol::ids::TaskId) {
    for _ in 0..100 {
        Member::join(person, task, "run.py").await.synced().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn per_connection(what: &str, before: u64, server: &Server, goal: f64) -> Finding {
    let bytes = resident_bytes(server.pid()).saturating_sub(before) as f64 / CONNECTIONS as f64;
    Finding::at_most(what, bytes / 1024.0, goal, "KiB")
}
