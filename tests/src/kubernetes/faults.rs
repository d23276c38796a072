//! How the cluster is told to misbehave. Each method is one thing that was seen on a real cluster or is known of them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// The next requests that are answered with an error.
#[derive(Clone, Debug)]
pub struct Failing {
    /// Only this method; empty means any.
    pub method: String,
    /// Only paths that contain this.
    pub path: String,
    /// HTTP status of the answer.
    pub code: u16,
    /// How many requests.
    pub times: u32,
}

/// How an open follow of a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// With a proper end, though the container runs on (kubelet killed).
    Clean,
    /// In the middle of a chunk (API server killed).
    Broken,
}

/// The present misbehaviour.
#[derive(Debug, Default)]
pub(super) struct FaultState {
    pub(super) failing: Vec<Failing>,
    pub(super) delay: Option<Duration>,
    pub(super) watches_hang: bool,
    /// Raised each time open watches have to end with 410.
    pub(super) watches_expired: u64,
    /// Raised each time open follows have to end.
    pub(super) follows_cut: u64,
    pub(super) cut: Option<Cut>,
    /// The next follows end cleanly after so many bytes each.
    pub(super) cut_after_bytes: VecDeque<u64>,
    pub(super) follow_bytes_per_second: Option<u64>,
    pub(super) node_lost: Option<Instant>,
    pub(super) unschedulable: bool,
    pub(super) images_absent: bool,
    pub(super) start_errors: bool,
    pub(super) phases_stuck: bool,
    /// Refuse connections until then.
    pub(super) refuse_until: Option<Instant>,
    /// Pods to evict: uid → message.
    pub(super) evictions: HashMap<String, String>,
    /// (namespace, pod): rotate its logs now; with `true` followers do not see what they have not read of the old file.
    pub(super) rotations: Vec<(String, bool)>,
}

/// Handle on the misbehaviour of a simulated cluster.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Held for moments only, by requests, kubelet and tests.
    state: Arc<Mutex<FaultState>>,
    /// Counts changes, so that who waits looks again.
    changes: watch::Sender<u64>,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self { state: Arc::default(), changes: watch::Sender::new(0) }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&mut FaultState) -> T) -> T {
        read(&mut self.state.lock().unwrap())
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut FaultState) -> T) -> T {
        let value = self.read(change);
        self.changes.send_modify(|count| *count += 1);
        value
    }

    /// Answers the next matching requests with an error.
    pub fn fail_requests(&self, failing: Failing) {
        self.change(|state| state.failing.push(failing));
    }

    /// Lets every request wait first.
    pub fn delay_requests(&self, delay: Duration) {
        self.change(|state| state.delay = (!delay.is_zero()).then_some(delay));
    }

    /// Closes all connections and refuses new ones for `time`.
    pub fn refuse_connections(&self, time: Duration) {
        self.change(|state| state.refuse_until = Some(Instant::now() + time));
    }

    /// Watches stay open and say nothing.
    pub fn hang_watches(&self, hang: bool) {
        self.change(|state| state.watches_hang = hang);
    }

    /// Open watches end with an `ERROR` event 410.
    pub fn expire_watches(&self) {
        self.change(|state| state.watches_expired += 1);
    }

    /// Ends all open follows.
    pub fn cut_follows(&self, cut: Cut) {
        self.change(|state| {
            state.follows_cut += 1;
            state.cut = Some(cut);
        });
    }

    /// Each of the next follows ends cleanly after its number of bytes while the container runs on.
    pub fn cut_follows_after(&self, bytes: impl IntoIterator<Item = u64>) {
        self.change(|state| state.cut_after_bytes.extend(bytes));
    }

    /// Follows read so slowly that they lag (0: full speed).
    pub fn slow_follows(&self, bytes_per_second: u64) {
        self.change(|state| state.follow_bytes_per_second = (bytes_per_second > 0).then_some(bytes_per_second));
    }

    /// Rotates the logs of a pod now. With `skip`, open follows lose what they have not yet read of the old file.
    pub fn rotate(&self, pod: &str, skip: bool) {
        self.change(|state| state.rotations.push((pod.to_owned(), skip)));
    }

    /// The kubelet is gone: follows end cleanly, logs are 500, statuses stand still, and after a while the node is NotReady.
    pub fn lose_node(&self) {
        self.change(|state| {
            state.node_lost = Some(Instant::now());
            state.follows_cut += 1;
            state.cut = Some(Cut::Clean);
        });
    }

    /// The kubelet is back; statuses catch up.
    pub fn return_node(&self) {
        self.change(|state| state.node_lost = None);
    }

    /// No pod can be scheduled.
    pub fn refuse_scheduling(&self, refuse: bool) {
        self.change(|state| state.unschedulable = refuse);
    }

    /// No image can be pulled and none is present.
    pub fn lose_images(&self, absent: bool) {
        self.change(|state| state.images_absent = absent);
    }

    /// Containers cannot be started (`StartError`).
    pub fn fail_starts(&self, fail: bool) {
        self.change(|state| state.start_errors = fail);
    }

    /// Ended containers are shown as terminated, but phases stay as they are for ever.
    pub fn stick_phases(&self, stuck: bool) {
        self.change(|state| state.phases_stuck = stuck);
    }

    /// Evicts a pod (by uid); its log is lost.
    pub(super) fn evict(&self, pod_uid: &str, message: &str) {
        self.change(|state| state.evictions.insert(pod_uid.to_owned(), message.to_owned()));
    }
}
