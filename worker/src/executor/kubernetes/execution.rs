//! The handle of a run in the cluster. What it says comes from a task that attends to the run; dropping the handle ends that
//! task and leaves the run as it is.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use coderoom_protocol::{
    ids::RunId,
    run::Reason,
    supervisor::{Body, Ending, Frame},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Inner,
    attend::{Attend, Begin, Shared},
    backlog::Backlog,
    outcome,
    pods::Watched,
};
use crate::{
    engine::drive::ending_of,
    executor::{OutputArchive, StartError},
    snapshot::output_key,
};

/// A run in the cluster.
#[derive(Debug)]
pub struct KubernetesExecution {
    inner: Arc<Inner>,
    run: RunId,
    shared: Arc<Shared>,
    pods: Watched,
    /// Whether the supervisor says that it stored `output/`.
    has_output: bool,
    _attending: AbortOnDropHandle<()>,
}

impl KubernetesExecution {
    /// `waited` is how long ago its Job was made.
    pub(super) fn open(inner: Arc<Inner>, run: RunId, begin: Begin, waited: Duration) -> Self {
        let pods = inner.pods.watch(run);
        let backlog = Backlog::new(inner.settings.scratch.clone());
        let shared = Arc::new(Shared { stopping: false.into(), stop: tokio::sync::Notify::new(), backlog });
        let attend = Attend::new(Arc::clone(&inner), run, Arc::clone(&shared), pods.again(), waited);
        let attending = AbortOnDropHandle::new(tokio::spawn(attend.attend(begin)));
        Self { inner, run, shared, pods, has_output: false, _attending: attending }
    }

    pub(in crate::executor) async fn next_frame(&mut self) -> Result<Option<Frame>, StartError> {
        let frame = self.shared.backlog.next().await;
        if let Some(Frame { body: Body::End(ending), .. }) = &frame {
            self.has_output = ending.output_bytes > 0;
        }
        Ok(frame)
    }

    /// Deletes the Job: the kubelet sends TERM to the supervisor, which ends the command within the run's own grace period and
    /// says so in its last frame; the stream that is open gets it. The pod's grace period is longer than that.
    pub(in crate::executor) async fn stop(&self, _grace: Duration) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.stop.notify_one();
        let (inner, run) = (Arc::clone(&self.inner), self.run);
        tokio::spawn(async move { inner.delete(run).await });
    }

    pub(in crate::executor) async fn lost_ending(&self) -> Ending {
        if self.shared.stopping.load(Ordering::Acquire) {
            return ending_of(Reason::StoppedBy, None);
        }
        let (reason, detail) = outcome::without_end(self.pods.now().as_deref(), None);
        ending_of(reason, detail)
    }

    pub(in crate::executor) async fn output_archive(&self) -> Option<OutputArchive> {
        self.has_output.then(|| OutputArchive::Stored(output_key(self.run)))
    }

    pub(in crate::executor) async fn remove(self) {
        self.inner.delete(self.run).await;
    }
}
