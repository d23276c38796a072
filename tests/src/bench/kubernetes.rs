//! Runs in pods of a simulated cluster: what coderoom adds to the bare Job, and how fast a long queue drains. The cluster's own
//! steps take as long as they were recorded on a real one.

use std::time::{Duration, Instant};

use coderoom_protocol::ids::{RunId, TaskId};
use futures_util::future::join_all;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, LogParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::time::sleep;

use super::{Finding, OwnServices, own_cluster, percentile_ms};
use crate::{
    control::Control,
    kubernetes::{Simulator, deployment},
    person::Person,
    server::Server,
    wait::until_within,
};

/// Runs of one kind, one after the other.
const ROUNDS: usize = 20;
/// Programs at the same time while the queue drains.
const SLOTS: usize = 8;
/// People whose runs wait, and how many each has.
const PEOPLE: usize = 4;
const RUNS_OF_EACH: usize = 50;
/// What those runs do: next to nothing for the machine, so that the cluster's own time counts.
const NAP: &str = "sleep 0.5";
/// Longest time anything here may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A deployment on services of its own: a server that runs nothing and a worker.
struct Place {
    simulator: Simulator,
    jobs: Api<Job>,
    pods: Api<Pod>,
    server: Server,
    worker: Server,
    _services: OwnServices,
}

impl Place {
    async fn start() -> Self {
        let (cluster, services) = own_cluster().await;
        let simulator = deployment::start(1.0).await;
        let (slots, each) = (SLOTS.to_string(), RUNS_OF_EACH.to_string());
        let own = deployment::settings(&simulator);
        let mut settings: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.push(("CODEROOM_RUNS_MAX_RUNNING_PER_USER", &slots));
        settings.push(("CODEROOM_RUNS_MAX_UNFINISHED_PER_USER", &each));
        let with_slots = |slots| [&settings[..], &[("CODEROOM_RUNS_SLOTS", slots)]].concat();
        let server = cluster.server(&with_slots("0")).await;
        let worker = cluster.worker(&with_slots(&slots)).await;
        let client = client(&simulator).await;
        Self {
            jobs: Api::namespaced(client.clone(), "demo"),
            pods: Api::namespaced(client, "demo"),
            simulator,
            server,
            worker,
            _services: services,
        }
    }

    /// Waits until nothing of earlier runs is in the cluster.
    async fn cleared(&self) {
        until_within(PATIENCE, async || {
            let left = (self.simulator.jobs("demo").len(), self.simulator.pods("demo").len());
            if left == (0, 0) { Ok(()) } else { Err(format!("jobs and pods left: {left:?}")) }
        })
        .await;
    }

    /// Makes a Job without coderoom, and gives the time until `is_done` says so of its pod's name, asked every `look`.
    async fn bare(&self, name: &str, command: &str, look: Duration, is_done: impl AsyncFn(&str) -> bool) -> Duration {
        let began = Instant::now();
        self.jobs.create(&PostParams::default(), &job(name, command)).await.expect("the Job is made");
        let of_job = ListParams::default().labels(&format!("job-name={name}"));
        let took = loop {
            let pods = self.pods.list(&of_job).await.expect("the cluster answers").items;
            if let Some(pod) = pods.first().and_then(|pod| pod.metadata.name.as_deref())
                && is_done(pod).await
            {
                break began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "the bare Job {name} does not come to its end");
            sleep(look).await;
        };
        self.jobs.delete(name, &DeleteParams::background()).await.expect("the Job is removed");
        took
    }
}

async fn client(simulator: &Simulator) -> Client {
    let kubeconfig = Kubeconfig::read_from(simulator.kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

/// A Job with one container and one empty volume, as runs have: the volume alone costs a cluster a quarter of a second.
fn job(name: &str, command: &str) -> Job {
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "backoffLimit": 0,
            "template": { "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001 },
                "volumes": [{ "name": "work", "emptyDir": {} }],
                "containers": [{
                    "name": "main",
                    "image": "localhost/python:1",
                    "command": ["/bin/sh", "-c", command],
                    "volumeMounts": [{ "name": "work", "mountPath": "/work" }],
                }],
            }},
        },
    }))
    .expect("a Job")
}

/// Submit to Job, to first line, and 200 runs that wait.
pub async fn runs() -> Vec<Finding> {
    let mut place = Place::start().await;
    let mut findings = Vec::new();
    let admin = Person::admin(&place.server);
    let task = admin.create_task("pods", "python").await;
    admin.write(task, "run.py", "print('hello')\n").await;
    findings.extend(starts(&place, &admin, task).await);
    findings.extend(drain(&mut place, &admin).await);
    findings
}

/// From the submit to the Job, and from the submit to the first line beside the same of a bare Job.
async fn starts(place: &Place, admin: &Person, task: TaskId) -> [Finding; 2] {
    let mut bare = Vec::new();
    for round in 0..ROUNDS {
        let has_line = async |pod: &str| {
            let log = place.pods.logs(pod, &LogParams::default()).await;
            log.is_ok_and(|log| log.contains("hello"))
        };
        let command = "python3 -c \"print('hello')\"";
        bare.push(place.bare(&format!("bare-{round}"), command, Duration::from_millis(5), has_line).await);
        place.cleared().await;
    }
    let mut control = Control::open(admin, task).await;
    let (mut to_job, mut to_line) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let made = async {
            while place.simulator.jobs("demo").is_empty() {
                assert!(began.elapsed() < PATIENCE, "no Job is made");
                sleep(Duration::from_millis(1)).await;
            }
            began.elapsed()
        };
        let printed = async {
            let submitted = control.ask(json!({ "type": "submit" })).await;
            let run: RunId = submitted["run"]["id"].as_str().and_then(|id| id.parse().ok()).expect("the run's id");
            control.ask(json!({ "type": "follow", "run": run, "offset": 0 })).await;
            let of_run = run.to_string();
            control.wait_for("its first line", |said| said["type"] == "log" && said["run"] == *of_run).await;
            (run, began.elapsed())
        };
        let (made, (run, printed)) = tokio::join!(made, printed);
        to_job.push(made);
        to_line.push(printed);
        admin.wait_for_end(run).await;
        place.cleared().await;
    }
    let (bare, ours) = (percentile_ms(&mut bare, 0.5), percentile_ms(&mut to_line, 0.5));
    [
        Finding::at_most(
            format!("submit to Job created, simulated cluster, p50 of {ROUNDS}"),
            percentile_ms(&mut to_job, 0.5),
            60.0,
            "ms",
        ),
        Finding::at_most(
            format!("submit to first line beyond the bare Job ({ours:.0} and {bare:.0} ms, p50 of {ROUNDS})"),
            ours - bare,
            100.0,
            "ms",
        ),
    ]
}

/// Waiting runs of several people: how fast they go beside as many bare Jobs at once, and in which order.
async fn drain(place: &mut Place, admin: &Person) -> [Finding; 2] {
    let bare = bare_rate(place).await;
    place.worker.terminate().await;
    let mut runs = Vec::new();
    // All of one person before the first of the next: by age alone they would go one after the other.
    for number in 0..PEOPLE {
        let (person, _) = admin.another(&format!("person{number}")).await;
        for at in 0..RUNS_OF_EACH {
            let task = person.create_task(&format!("{number}.{at}"), "python").await;
            runs.push((number, person.submit(task, Some(NAP)).await));
        }
    }
    place.worker.start_again().await;
    let began = Instant::now();
    let mut starts = Vec::new();
    for (number, run) in &runs {
        let ended = until_within(PATIENCE, async || {
            let now = admin.run(*run).await;
            if now["state"].as_u64() >= Some(3) {
                return Ok(now);
            }
            sleep(Duration::from_millis(50)).await;
            Err(format!("run {run} is in state {}", now["state"]))
        })
        .await;
        assert_eq!(ended["state"], 3, "{ended}");
        starts.push((ended["started_at"].as_i64(), *number));
    }
    let ours = runs.len() as f64 / began.elapsed().as_secs_f64();
    starts.sort_unstable();
    let (mut counts, mut lead) = ([0_usize; PEOPLE], 0);
    for (_, number) in starts {
        counts[number] += 1;
        lead = lead.max(counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0));
        if counts.contains(&RUNS_OF_EACH) {
            break;
        }
    }
    let number = runs.len();
    [
        Finding::at_least(
            format!(
                "{number} queued runs drain: share of the rate of bare Jobs ({ours:.1} of {bare:.1} a second, {SLOTS} at once)"
            ),
            ours / bare * 100.0,
            80.0,
            "%",
        ),
        Finding::at_most(
            format!("the same, {PEOPLE} people: most starts that one was ahead of another"),
            lead as f64,
            SLOTS as f64,
            "",
        ),
    ]
}

/// Bare Jobs a second, [`SLOTS`] at once.
async fn bare_rate(place: &Place) -> f64 {
    const JOBS: usize = 40;
    let began = Instant::now();
    let lanes = (0..SLOTS).map(async |lane| {
        for at in (lane..JOBS).step_by(SLOTS) {
            let over = async |pod: &str| {
                let phase = place.pods.get(pod).await.ok().and_then(|pod| pod.status?.phase);
                phase.is_some_and(|phase| phase == "Succeeded")
            };
            place.bare(&format!("nap-{at}"), NAP, Duration::from_millis(50), over).await;
        }
    });
    join_all(lanes).await;
    let rate = JOBS as f64 / began.elapsed().as_secs_f64();
    place.cleared().await;
    rate
}
