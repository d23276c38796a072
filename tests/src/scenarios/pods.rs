//! Runs in pods, through the front door: server and worker are the real processes, the cluster is simulated.

use coderoom_protocol::ids::RunId;
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    control::Control,
    kubernetes::{Simulator, deployment},
    person::Person,
    server::Server,
    wait::until,
};

/// A server that runs nothing, a worker beside it, and the cluster that both know.
struct Place {
    simulator: Simulator,
    server: Server,
    worker: Server,
}

impl Place {
    async fn start() -> Self {
        let simulator = deployment::start(0.05).await;
        let settings = deployment::settings(&simulator);
        let mut settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let cluster = Cluster::new();
        let worker = cluster.worker(&settings).await;
        settings.push(("CODEROOM_RUNS_SLOTS", "0"));
        let server = cluster.server(&settings).await;
        Self { simulator, server, worker }
    }

    /// Nothing of any run is left in the cluster.
    async fn is_cleared(&self) {
        until(async || {
            let left = (
                self.simulator.jobs("demo").len(),
                self.simulator.pods("demo").len(),
                self.simulator.running_containers(),
            );
            if left == (0, 0, 0) { Ok(()) } else { Err(format!("jobs, pods and containers left: {left:?}")) }
        })
        .await;
    }
}

async fn submit(control: &mut Control, request: Value) -> RunId {
    let submitted = control.ask(request).await;
    let run: RunId = submitted["run"]["id"].as_str().and_then(|id| id.parse().ok()).expect("the run's id");
    control.ask(json!({ "type": "follow", "run": run, "offset": 0 })).await;
    run
}

/// Create, submit, follow to the end; then another run, and stop it.
pub async fn run_goes_to_a_pod_and_its_log_comes_back() {
    const LINES: usize = 300;
    let place = Place::start().await;
    let person = Person::admin(&place.server);
    let task = person.create_task("pods", "python").await;
    let program = format!(
        "import time\nfor i in range({LINES}):\n    print('line', i, 'é', flush=True)\n    time.sleep(0.005)\n"
    );
    person.write(task, "run.py", &program).await;
    let mut control = Control::open(&person, task).await;

    let run = submit(&mut control, json!({ "type": "submit", "remarks": "in a pod" })).await;
    let end = control.wait_for("the end of the log", |said| said["type"] == "log_end").await;
    let expected: String = (0..LINES).map(|line| format!("line {line} é\n")).collect();
    assert_eq!(control.log_of(run), expected, "{}", place.worker.log());
    assert_eq!((end["run"].as_str(), end["size"].as_u64()), (Some(&*run.to_string()), Some(expected.len() as u64)));
    let ended = person.wait_for_end(run).await;
    assert_eq!(
        (&ended["state"], &ended["exit_code"], &ended["sandbox"]),
        (&json!(3), &json!(0), &json!("full")),
        "{ended}"
    );
    assert_eq!(person.log(run).await, expected.as_bytes(), "HTTP reads what the socket brought");
    if control.states_of(run).last() != Some(&3) {
        control.wait_for("its last state", |said| said["type"] == "run" && said["run"]["state"] == 3).await;
    }
    assert!(control.states_of(run).is_sorted(), "{:?}", control.states_of(run));
    place.is_cleared().await;

    let run = submit(&mut control, json!({ "type": "submit", "command": "echo begun; exec sleep 300" })).await;
    control.wait_for("its first line", |said| said["type"] == "log" && said["run"] == run.to_string()).await;
    assert_eq!(place.simulator.running_containers(), 1);
    control.ask(json!({ "type": "stop", "run": run })).await;
    control.wait_for("the end of its log", |said| said["type"] == "log_end" && said["run"] == run.to_string()).await;
    let ended = person.wait_for_end(run).await;
    assert_eq!((&ended["state"], &ended["reason"]), (&json!(5), &json!("stopped_by")), "{ended}");
    assert_eq!(control.log_of(run), "begun\n", "what it printed stays");
    place.is_cleared().await;
}
