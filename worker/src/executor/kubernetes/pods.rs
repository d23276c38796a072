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

use super::{
    cluster::{Cluster, Failure},
    job::RUN_LABEL,
    pod_view::PodView,
};

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

    /// Asks the cluster for the pod, for when the watch says nothing. What the watch has told meanwhile is kept: an answer
    /// from before the pod was made would otherwise make one that has just come look gone, and end its run.
    pub(super) async fn look(&self, cluster: &Cluster) -> Result<(), Failure> {
        let before = self.now();
        let pod = cluster.pod(self.run).await?;
        self.found(before.as_ref(), pod.as_ref());
        Ok(())
    }

    /// Takes an answer that was asked for when `before` was known; no pod makes the one that was seen gone.
    fn found(&self, before: Option<&Arc<PodView>>, pod: Option<&Pod>) {
        let runs = self.pods.lock();
        let Some(sender) = runs.get(&self.run) else { return };
        if sender.borrow().as_ref().map(Arc::as_ptr) != before.map(Arc::as_ptr) {
            return;
        }
        let view = match (pod, before) {
            (Some(pod), _) => PodView::of(pod),
            (None, Some(seen)) if !seen.gone => PodView { gone: true, ..PodView::clone(seen) },
            (None, _) => return,
        };
        sender.send_replace(Some(Arc::new(view)));
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

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn pod(run: RunId) -> Pod {
        let labels = [(RUN_LABEL.to_owned(), run.to_string())].into();
        Pod { metadata: ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }, ..Pod::default() }
    }

    #[test]
    fn answer_from_before_the_pod_was_made_does_not_make_it_gone() {
        let (pods, run) = (Arc::new(Pods::default()), RunId::new());
        let watched = pods.watch(run);
        let before = watched.now();
        pods.tell(&pod(run), false);
        watched.found(before.as_ref(), None);
        assert!(!watched.now().unwrap().gone);
        let before = watched.now();
        watched.found(before.as_ref(), None);
        assert!(watched.now().unwrap().gone, "nothing was told since it was asked for");
    }

    #[test]
    fn answer_from_before_the_pod_went_does_not_bring_it_back() {
        let (pods, run) = (Arc::new(Pods::default()), RunId::new());
        let watched = pods.watch(run);
        watched.found(None, Some(&pod(run)));
        assert!(!watched.now().unwrap().gone, "found before the watch told of it");
        let before = watched.now();
        pods.tell(&pod(run), true);
        watched.found(before.as_ref(), Some(&pod(run)));
        assert!(watched.now().unwrap().gone);
    }
}
