//! One watch for all pods of this deployment, and who of this worker waits for which. One connection a worker, open before
//! the first run starts, instead of one for each run: a start waits for nothing. The watch is a hint; whoever depends on a
//! pod's state also asks for it now and then, so that a watch that hangs or lies costs time and nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coderoom_protocol::ids::RunId;
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    runtime::{WatchStreamExt as _, watcher, watcher::Event},
};
use tokio::sync::watch;

use super::{job::RUN_LABEL, pod_view::PodView};

/// After how long the server ends the watch, in seconds; it is opened again. A watch that hangs is noticed soon after.
const WATCH_SECONDS: u32 = 45;

type Seen = Option<Arc<PodView>>;

/// What is known of the pods of this worker's runs.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Held by the watch and by those who come and go, for moments.
    runs: Mutex<HashMap<RunId, watch::Sender<Seen>>>,
}

/// One run's pod. Dropping the last one of a run forgets it.
#[derive(Debug)]
pub(super) struct Watched {
    pods: Arc<Pods>,
    run: RunId,
    seen: watch::Receiver<Seen>,
}

impl Pods {
    /// From now on what becomes of this run's pod is told.
    pub(super) fn watch(self: &Arc<Self>, run: RunId) -> Watched {
        let seen = self.lock().entry(run).or_insert_with(|| watch::channel(None).0).subscribe();
        Watched { pods: Arc::clone(self), run, seen }
    }

    /// Follows the cluster until it is dropped.
    pub(super) async fn follow(self: Arc<Self>, api: Api<Pod>, selector: String) {
        let config = watcher::Config::default().labels(&selector).timeout(WATCH_SECONDS);
        let mut events = watcher(api, config).default_backoff().boxed();
        loop {
            match events.try_next().await {
                Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => self.tell(&pod, false),
                Ok(Some(Event::Delete(pod))) => self.tell(&pod, true),
                Ok(Some(Event::Init | Event::InitDone)) => {}
                // The stream does not end; it opens itself again after a while.
                Ok(None) => return,
                Err(cause) => tracing::debug!(%cause, "the watch of pods was interrupted; it is opened again"),
            }
        }
    }

    fn tell(&self, pod: &Pod, gone: bool) {
        let run = pod.metadata.labels.as_ref().and_then(|labels| labels.get(RUN_LABEL)?.parse().ok());
        let runs = self.lock();
        let Some(sender) = run.and_then(|run: RunId| runs.get(&run)) else { return };
        let view = PodView { gone, ..PodView::of(pod) };
        sender.send_replace(Some(Arc::new(view)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, watch::Sender<Seen>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// What was seen last.
    pub(super) fn now(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits for the next change. Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What was found by asking; `None` when there is no pod, which makes the one that was seen gone.
    pub(super) fn found(&self, pod: Option<&Pod>) {
        match (pod, self.now()) {
            (Some(pod), _) => self.pods.tell(pod, false),
            (None, Some(seen)) if !seen.gone => {
                if let Some(sender) = self.pods.lock().get(&self.run) {
                    sender.send_replace(Some(Arc::new(PodView { gone: true, ..(*seen).clone() })));
                }
            }
            (None, _) => {}
        }
    }

    /// A second one of the same run.
    pub(super) fn again(&self) -> Self {
        self.pods.watch(self.run)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut runs = self.pods.lock();
        if runs.get(&self.run).is_some_and(|sender| sender.receiver_count() <= 1) {
            runs.remove(&self.run);
        }
    }
}
