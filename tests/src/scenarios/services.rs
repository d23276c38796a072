//! Each backing service is killed, frozen or emptied while people type and runs print. Afterwards nothing acknowledged is
//! missing, everything goes on by itself, and `/health/ready` has told the truth meanwhile.

use std::{cell::RefCell, sync::Arc, time::Duration};

use coderoom_protocol::ids::{RunId, TaskId};
use coderoom_services::{Ceph, Postgres, RabbitMq, Redis};
use tokio::{
    sync::watch,
    task::{JoinHandle, block_in_place},
    time::{Instant, sleep},
};

use crate::{
    cluster::{Addresses, Cluster},
    editor::Editor,
    person::Person,
    server::Server,
    wait::until,
};

/// How long a service is away: longer than clients and pools wait for an answer.
const AWAY: Duration = Duration::from_secs(20);

/// Lines of the run that prints all the while, ten a second.
const LINES: usize = 300;

/// How soon after a service is back everything must work again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(40);

/// How soon a submit is taken while the broker is away: it does not wait for it.
const SUBMITTED_WITHIN: Duration = Duration::from_secs(5);

/// A deployment under load: an editor that types, a run that prints.
struct Load {
    server: Server,
    person: Person,
    task: TaskId,
    run: RunId,
    typing: JoinHandle<String>,
    stop: watch::Sender<bool>,
}

impl Load {
    async fn begin(cluster: &Arc<Cluster>) -> Self {
        let server = cluster.server(&[]).await;
        let person = Person::admin(&server);
        let task = person.create_task("load", "python").await;
        person.write(task, "notes.txt", "").await;
        let program =
            format!("import time\nfor i in range({LINES}):\n    print('line', i, flush=True)\n    time.sleep(0.1)\n");
        person.write(task, "run.py", &program).await;
        let run = person.submit(task, None).await;
        person.wait_for_state(run, &[2]).await;
        let mut editor = Editor::open(&person, task, "notes.txt").await;
        let (stop, stopped) = watch::channel(false);
        let typing = tokio::spawn(async move {
            let mut number = 0;
            while !*stopped.borrow() {
                editor.append(&format!("<{number}>")).await;
                number += 1;
                sleep(Duration::from_millis(50)).await;
            }
            // Clients reconnect when their socket ends, and send again what was not acknowledged.
            if editor.ended() {
                editor.connect().await;
            }
            until(async || {
                if editor.ended() {
                    return Err("the socket ended once more".to_owned());
                }
                let (stored, sent) = (editor.stored(), editor.sent());
                if stored >= sent { Ok(()) } else { Err(format!("{stored} of {sent} edits are stored")) }
            })
            .await;
            editor.text()
        });
        Self { server, person, task, run, typing, stop }
    }

    /// Waits until `/health/ready` says that this service is well or not.
    async fn health_says(&self, service: &str, well: bool) {
        until(async || {
            let (status, body) = self.server.ready().await;
            let said = &body["services"][service]["well"];
            if *said == well && (status == 200) == well {
                Ok(())
            } else {
                Err(format!("/health/ready answers {status} {body}, and {service} should be well: {well}"))
            }
        })
        .await;
    }

    /// Everything works again, and nothing is missing.
    async fn ends_whole(self) {
        let began = Instant::now();
        until(async || {
            let (status, body) = self.server.ready().await;
            if status == 200 { Ok(()) } else { Err(format!("/health/ready answers {status} {body}")) }
        })
        .await;
        let _ = self.stop.send(true);
        let typed = self.typing.await.expect("everything typed is stored");
        let recovered = began.elapsed();
        assert!(recovered < RECOVERED_WITHIN, "it took {recovered:?} to store what was typed");
        let stored = self.person.read(self.task, "notes.txt").await;
        assert!(stored == typed, "stored {} bytes, typed {}: …{:?}", stored.len(), typed.len(), tail(&stored));
        let ended = self.person.wait_for_end(self.run).await;
        assert_eq!(ended["state"], 3, "{ended}\n{}", self.server.log());
        let expected: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
        let log = String::from_utf8_lossy(&self.person.log(self.run).await).into_owned();
        assert!(log == expected, "the log has {} of {} bytes: …{:?}", log.len(), expected.len(), tail(&log));
        let next = self.person.submit(self.task, Some("echo again")).await;
        let ended = self.person.wait_for_end(next).await;
        assert_eq!(ended["state"], 3, "a new run works: {ended}");
    }
}

fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(80);
    text.chars().skip(skipped).collect()
}

/// A scenario for each service and fault.
macro_rules! faults {
    ($($killed:ident, $frozen:ident: $service:ident as $field:ident, $name:literal;)*) => {$(
        /// SIGKILL; the service is back after [`AWAY`].
        pub async fn $killed() {
            let mut service = block_in_place($service::start);
            let cluster = Cluster::at(&Addresses { $field: service.url(), ..Addresses::of_this_run() });
            let load = Load::begin(&cluster).await;
            service.kill();
            let away = Instant::now();
            load.health_says($name, false).await;
            sleep(AWAY.saturating_sub(away.elapsed())).await;
            block_in_place(|| service.restart());
            load.ends_whole().await;
        }

        /// SIGSTOP for [`AWAY`]: connections stay open and nobody answers.
        pub async fn $frozen() {
            let service = block_in_place($service::start);
            let cluster = Cluster::at(&Addresses { $field: service.url(), ..Addresses::of_this_run() });
            let load = Load::begin(&cluster).await;
            service.pause();
            let away = Instant::now();
            load.health_says($name, false).await;
            sleep(AWAY.saturating_sub(away.elapsed())).await;
            service.resume();
            load.ends_whole().await;
        }
    )*};
}

faults! {
    killed_postgres_loses_nothing, frozen_postgres_loses_nothing: Postgres as postgres, "tables";
    killed_redis_loses_nothing, frozen_redis_loses_nothing: Redis as redis, "bus";
    killed_s3_loses_nothing, frozen_s3_loses_nothing: Ceph as s3, "objects";
}

/// Redis loses everything in it, twice, while it runs.
pub async fn flushed_redis_loses_nothing() {
    let redis = block_in_place(Redis::start);
    let cluster = Cluster::at(&Addresses { redis: redis.url(), ..Addresses::of_this_run() });
    let load = Load::begin(&cluster).await;
    for _ in 0..2 {
        sleep(Duration::from_secs(2)).await;
        block_in_place(|| redis.flush());
    }
    load.ends_whole().await;
}

/// Runs that wait while something happens to their queue run nevertheless.
async fn runs_are_not_lost(cluster: &Arc<Cluster>, fault: impl AsyncFnOnce()) {
    let server = cluster.server(&[("CODEROOM_RUNS_SLOTS", "1")]).await;
    let admin = Person::admin(&server);
    let task = admin.create_task("queue", "python").await;
    let first = admin.submit(task, Some("echo first; sleep 1")).await;
    admin.wait_for_state(first, &[2]).await;
    let later = admin.create_task("later", "python").await;
    let second = admin.submit(later, Some("echo second")).await;
    fault().await;
    for run in [first, second] {
        let ended = admin.wait_for_end(run).await;
        assert_eq!(ended["state"], 3, "{ended}\n{}", server.log());
    }
    let third = admin.submit(later, Some("echo third")).await;
    assert_eq!(admin.wait_for_end(third).await["state"], 3);
}

/// Runs go on being submitted while the broker is away, and people go on typing: every submit is taken at once, and each run
/// ends well.
async fn broker_is_away(cluster: &Arc<Cluster>, leave: impl FnOnce(), come_back: impl FnOnce()) {
    const SUBMITS: u32 = 4;
    let load = Load::begin(cluster).await;
    let mut tasks = Vec::new();
    for number in 0..SUBMITS {
        tasks.push(load.person.create_task(&format!("meanwhile {number}"), "python").await);
    }
    block_in_place(leave);
    let left = Instant::now();
    load.health_says("queue", false).await;
    let mut runs = Vec::new();
    for (number, task) in (1..).zip(tasks) {
        let asked = Instant::now();
        runs.push(load.person.submit(task, Some("echo meanwhile")).await);
        assert!(asked.elapsed() < SUBMITTED_WITHIN, "a submit took {:?} without the broker", asked.elapsed());
        sleep((AWAY * number / SUBMITS).saturating_sub(left.elapsed())).await;
    }
    let (status, ready) = load.server.ready().await;
    assert!(status == 503 && ready["services"]["queue"]["well"] == false, "it is still away: {status} {ready}");
    block_in_place(come_back);
    for run in runs {
        let ended = load.person.wait_for_end(run).await;
        assert_eq!(ended["state"], 3, "{ended}\n{}", load.server.log());
        assert_eq!(load.person.log(run).await, b"meanwhile\n");
    }
    load.ends_whole().await;
}

/// SIGKILL; the broker is back after [`AWAY`].
pub async fn killed_rabbitmq_loses_no_run() {
    let rabbitmq = RefCell::new(block_in_place(RabbitMq::start));
    let cluster = Cluster::at(&Addresses { rabbitmq: rabbitmq.borrow().url(), ..Addresses::of_this_run() });
    let kill = || {
        rabbitmq.borrow().until_on_disk(cluster.queue());
        rabbitmq.borrow_mut().kill();
    };
    broker_is_away(&cluster, kill, || rabbitmq.borrow_mut().restart()).await;
}

/// SIGSTOP for [`AWAY`].
pub async fn frozen_rabbitmq_loses_no_run() {
    let rabbitmq = block_in_place(RabbitMq::start);
    let cluster = Cluster::at(&Addresses { rabbitmq: rabbitmq.url(), ..Addresses::of_this_run() });
    broker_is_away(&cluster, || rabbitmq.pause(), || rabbitmq.resume()).await;
}

/// The queue is emptied while runs wait in it.
pub async fn purged_queue_loses_no_run() {
    let rabbitmq = block_in_place(RabbitMq::start);
    let cluster = Cluster::at(&Addresses { rabbitmq: rabbitmq.url(), ..Addresses::of_this_run() });
    let queue = cluster.queue().to_owned();
    runs_are_not_lost(&cluster, async || {
        block_in_place(|| rabbitmq.control(&["purge_queue", "-p", rabbitmq.vhost(), &queue]));
    })
    .await;
}

/// The queue is deleted while a worker consumes from it, which the broker tells it by `basic.cancel`.
pub async fn deleted_queue_loses_no_run() {
    let rabbitmq = block_in_place(RabbitMq::start);
    let cluster = Cluster::at(&Addresses { rabbitmq: rabbitmq.url(), ..Addresses::of_this_run() });
    let server = cluster.server(&[]).await;
    let admin = Person::admin(&server);
    let consumers = || {
        let list = rabbitmq.control(&["list_queues", "-q", "-p", rabbitmq.vhost(), "name", "consumers"]);
        let of_queue = list.lines().find(|line| line.starts_with(cluster.queue())).map(str::to_owned);
        of_queue.and_then(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok())
    };
    let consumed = async || {
        until(async || match block_in_place(consumers) {
            Some(1..) => Ok(()),
            other => Err(format!("the queue has {other:?} consumers")),
        })
        .await;
    };
    let task = admin.create_task("queue", "python").await;
    for turn in 0..2 {
        consumed().await;
        block_in_place(|| rabbitmq.control(&["delete_queue", "-p", rabbitmq.vhost(), cluster.queue()]));
        let run = admin.submit(task, Some("echo here")).await;
        let ended = admin.wait_for_end(run).await;
        assert_eq!(ended["state"], 3, "turn {turn}: {ended}\n{}", server.log());
    }
    // It is made again, and consumed.
    consumed().await;
    until(async || {
        let (status, body) = server.ready().await;
        if status == 200 { Ok(()) } else { Err(format!("/health/ready answers {status} {body}")) }
    })
    .await;
}
