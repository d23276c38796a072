//! What the parts of the simulated cluster share: the store, the clock, the misbehaviour, the containers, and who may do what.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use super::{
    clock::{WallClock, micros},
    container::Container,
    faults::Faults,
    options::Options,
    resources::{EVENTS, NAMESPACES, NODES, Resource},
    store::Store,
};

/// Name of the one node.
pub(super) const NODE: &str = "node1";

/// Who a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// May do everything.
    Admin,
    /// May do what roles allow it.
    ServiceAccount { namespace: String, name: String },
}

/// The simulated cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Held for moments only; never over an await.
    store: Mutex<Store>,
    /// The latest resource version; watches and controllers wait on it.
    revision: watch::Sender<u64>,
    pub(super) faults: Faults,
    pub(super) clock: WallClock,
    pub(super) options: Options,
    /// Where logs and volumes are.
    pub(super) directory: PathBuf,
    /// (pod uid, container name) → the container, also after its end.
    containers: Mutex<HashMap<(String, String), Arc<Container>>>,
    tokens: Mutex<HashMap<String, User>>,
    /// Controllers and kubelets; ended with the cluster.
    tasks: Mutex<JoinSet<()>>,
}

impl Cluster {
    pub(super) fn new(options: Options, directory: PathBuf, admin_token: &str) -> Arc<Self> {
        let cluster = Arc::new(Self {
            store: Mutex::new(Store::new()),
            revision: watch::Sender::new(0),
            faults: Faults::new(),
            clock: WallClock::new(),
            options,
            directory,
            containers: Mutex::default(),
            tokens: Mutex::new(HashMap::from([(admin_token.to_owned(), User::Admin)])),
            tasks: Mutex::default(),
        });
        for name in cluster.options.namespaces.clone() {
            cluster.create(&NAMESPACES, namespace_object(&name));
        }
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"});
        cluster.create(
            &NODES,
            json!({"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}},
                "spec": {}, "status": {"conditions": [ready]}}),
        );
        cluster
    }

    /// Works on the store; who waits for changes is woken.
    pub(super) fn store<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.lock().unwrap();
        let value = work(&mut store);
        let revision = store.revision();
        drop(store);
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision);
        value
    }

    pub(super) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(super) fn create(&self, resource: &Resource, object: Value) -> Arc<Value> {
        let now = self.clock.now();
        self.store(|store| store.create(resource, &now, object))
    }

    pub(super) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store(|store| store.get(resource, namespace, name))
    }

    /// The object, if it is still the one with this uid.
    pub(super) fn get_same(&self, resource: &Resource, namespace: &str, name: &str, uid: &str) -> Option<Arc<Value>> {
        self.get(resource, namespace, name).filter(|object| object["metadata"]["uid"] == uid)
    }

    pub(super) fn update(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        self.store(|store| store.update(resource, namespace, name, change))
    }

    pub(super) fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        self.store(|store| store.list(resource, namespace))
    }

    /// Waits as long as a part of the cluster would, scaled.
    pub(super) async fn pause(&self, milliseconds: u64) {
        tokio::time::sleep(self.scaled(milliseconds)).await;
    }

    pub(super) fn scaled(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds).mul_f64(self.options.delays)
    }

    /// Runs a part of the cluster until it ends or the cluster does.
    pub(super) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(part);
    }

    /// Ends all parts and kills all containers.
    pub(super) fn shut_down(&self) {
        self.tasks.lock().unwrap().abort_all();
        for container in self.containers.lock().unwrap().values() {
            container.kill();
        }
    }

    pub(super) fn add_container(&self, pod_uid: &str, container: Arc<Container>) {
        self.containers.lock().unwrap().insert((pod_uid.to_owned(), container.name.clone()), container);
    }

    pub(super) fn container(&self, pod_uid: &str, name: &str) -> Option<Arc<Container>> {
        self.containers.lock().unwrap().get(&(pod_uid.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn containers(&self) -> Vec<Arc<Container>> {
        self.containers.lock().unwrap().values().cloned().collect()
    }

    /// Forgets the containers of a pod and removes its files. Open follows keep theirs.
    pub(super) fn forget_containers(&self, pod_uid: &str) {
        self.containers.lock().unwrap().retain(|(uid, _), _| uid != pod_uid);
        let _ = std::fs::remove_dir_all(self.directory.join("pods").join(pod_uid));
    }

    pub(super) fn user(&self, token: &str) -> Option<User> {
        self.tokens.lock().unwrap().get(token).cloned()
    }

    pub(super) fn add_token(&self, token: String, user: User) {
        self.tokens.lock().unwrap().insert(token, user);
    }

    /// Records an event about `object`; the same event again only counts up.
    pub(super) fn event(&self, object: &Value, field: &str, kind: &str, reason: &str, message: &str) {
        let now_ns = self.clock.now_ns();
        let now = super::clock::seconds(now_ns);
        let meta = &object["metadata"];
        let namespace = meta["namespace"].as_str().unwrap_or_default().to_owned();
        let (component, host) = match (reason, object["kind"].as_str()) {
            ("Scheduled" | "FailedScheduling", _) => ("default-scheduler", ""),
            ("NodeNotReady", _) => ("node-controller", ""),
            (_, Some("Job")) => ("job-controller", ""),
            _ => ("kubelet", NODE),
        };
        let mut involved = json!({
            "kind": object["kind"], "namespace": namespace, "name": meta["name"], "uid": meta["uid"],
            "apiVersion": object["apiVersion"], "resourceVersion": meta["resourceVersion"],
        });
        if !field.is_empty() {
            involved["fieldPath"] = json!(field);
        }
        self.store(|store| {
            let same = store.list(&EVENTS, &namespace).into_iter().find(|event| {
                event["involvedObject"]["uid"] == meta["uid"]
                    && event["involvedObject"]["fieldPath"] == involved["fieldPath"]
                    && event["reason"] == reason
                    && event["message"] == message
            });
            if let Some(same) = same {
                let name = same["metadata"]["name"].as_str().unwrap_or_default();
                store.update(&EVENTS, &namespace, name, |event| {
                    event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
                    event["lastTimestamp"] = json!(now);
                });
                return;
            }
            let name = format!("{}.{now_ns:x}", meta["name"].as_str().unwrap_or_default());
            let mut event = json!({
                "metadata": {"name": name, "namespace": namespace}, "involvedObject": involved, "reason": reason,
                "message": message, "source": {"component": component}, "firstTimestamp": now, "lastTimestamp": now,
                "count": 1, "type": kind, "eventTime": null, "reportingComponent": component, "reportingInstance": host,
            });
            if !host.is_empty() {
                event["source"]["host"] = json!(host);
            }
            if component == "default-scheduler" {
                event["source"] = json!({});
                event["firstTimestamp"] = Value::Null;
                event["lastTimestamp"] = Value::Null;
                event["eventTime"] = json!(micros(now_ns));
                event["action"] = json!(if reason == "Scheduled" { "Binding" } else { "Scheduling" });
                event["reportingInstance"] = json!("default-scheduler-vm");
                event.as_object_mut().unwrap().remove("count");
            }
            store.create(&EVENTS, &now, event);
        });
    }
}

/// A namespace as the API makes it.
pub(super) fn namespace_object(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
}
