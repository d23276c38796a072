//! The Kubernetes executor: the supervisor as process 1 of a pod, one Job for each run. What each file answers: `settings` and
//! `data_set` what can be chosen, `job` what a Job looks like, `plan` what its supervisor is told, `create` how it is made
//! once; `attend` drives one run, `wait` until it has started, `read_log` and `resume` through its log, `backlog` to whoever
//! stores it; `pods` and `pod_view` show what becomes of it, `outcome` says why it ended.
//!
//! # What it may do
//!
//! In the runs' namespace, and nothing else; the start is refused with the list of what is missing:
//!
//! | group | resource | verbs |
//! |---|---|---|
//! | `batch` | `jobs` | `create`, `get`, `list`, `delete` |
//! | core | `pods` | `get`, `list`, `watch` |
//! | core | `pods/log` | `get` |
//! | core | `events` | `list` (may be left out: then quotas and volumes that fail are not explained in words) |

mod access;
mod attend;
mod backlog;
mod cluster;
mod create;
pub mod data_set;
mod execution;
mod job;
mod outcome;
mod plan;
mod pod_view;
mod pods;
mod read_log;
mod resume;
pub mod settings;
mod wait;

use std::{collections::HashSet, sync::Arc, time::Duration};

use coderoom_backing::{
    clock::Clock,
    objects::{Objects, ObjectsError},
};
use coderoom_protocol::{ids::RunId, run::Reason};
use k8s_openapi::{api::batch::v1::Job, apimachinery::pkg::apis::meta::v1::Time};
use kube::ResourceExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use self::{
    attend::{Begin, Told},
    cluster::{Cluster, Failure},
    pods::Pods,
};
pub use self::{
    data_set::DataSet,
    execution::KubernetesExecution,
    settings::{ClusterAccess, KubernetesSettings, PullPolicy, RunToleration},
};
use super::{StartError, StartRequest};

/// How long an API server that does not answer is asked whether anything is left of a run.
const ADOPT_PATIENCE: Duration = Duration::from_secs(300);
/// Wait between two such questions, and before removing a Job is tried again the first time.
const RETRY: Duration = Duration::from_millis(500);
/// Longest wait before removing a Job is tried again: so much longer a stopped program may run once the API server is back.
const MAX_DELETE_RETRY: Duration = Duration::from_secs(5);
/// A Job younger than this is nobody's leftover, in seconds: its run may have been claimed after the tables were read, and
/// clocks differ by minutes.
const LEFTOVER_AFTER_SECONDS: i64 = 15 * 60;

/// Why the Kubernetes executor cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// There is no cluster to be found, or no way to say who we are.
    #[error("The Kubernetes cluster cannot be reached as the settings say: {0}")]
    Access(String),
    /// The API server does not answer; trying again may help.
    #[error("The Kubernetes API server does not answer: {0}")]
    Unreachable(String),
    /// The account may not do what is needed.
    #[error(
        "This account may not {denied} in the namespace {namespace}. Give it the Role that docs/operations.md shows."
    )]
    Denied {
        /// What is missing: `create jobs, get pods/log`.
        denied: String,
        /// Where.
        namespace: String,
    },
    /// Pods could not fetch from this object storage.
    #[error("Runs in Kubernetes need an object storage that pods can reach: S3. {0}")]
    Objects(String),
}

/// Handle to the Kubernetes executor.
#[derive(Clone, Debug)]
pub struct KubernetesExecutor {
    inner: Arc<Inner>,
}

/// What all handles and executions share.
#[derive(Debug)]
struct Inner {
    settings: KubernetesSettings,
    objects: Objects,
    cluster: Cluster,
    pods: Arc<Pods>,
    _watching: AbortOnDropHandle<()>,
}

impl KubernetesExecutor {
    /// Checks the settings, the way to the cluster and every permission, then begins to watch the pods of this deployment.
    ///
    /// # Errors
    /// In words for whoever runs the server. Only [`KubernetesError::Unreachable`] may pass by itself.
    pub async fn open(settings: KubernetesSettings, objects: Objects) -> Result<Self, KubernetesError> {
        settings.check().map_err(KubernetesError::Settings)?;
        let signed: Result<Option<String>, ObjectsError> = objects.presign("runs/probe", Duration::from_secs(60)).await;
        match signed {
            Ok(Some(_)) => {}
            Ok(None) => return Err(KubernetesError::Objects("A directory is none.".to_owned())),
            Err(error) => return Err(KubernetesError::Objects(error.to_string())),
        }
        let cluster = Cluster::connect(&settings).await?;
        access::check(&cluster, &settings.namespace).await?;
        let pods = Arc::new(Pods::default());
        let watching = Arc::clone(&pods).follow(cluster.watched.clone(), job::selector(&settings));
        let watching = AbortOnDropHandle::new(tokio::spawn(watching));
        Ok(Self { inner: Arc::new(Inner { settings, objects, cluster, pods, _watching: watching }) })
    }

    /// Ends and removes the Jobs of this deployment whose run is not in `known`, but not the newest: their runs may have been
    /// claimed since the tables were read. So it does no harm while other workers start runs. Gives how many there were.
    pub(super) async fn sweep(&self, known: &[RunId]) -> usize {
        let known: HashSet<String> = known.iter().map(|run| job::name(*run)).collect();
        let jobs = match self.inner.cluster.jobs_with(&job::selector(&self.inner.settings)).await {
            Ok(jobs) => jobs,
            Err(cause) => {
                tracing::warn!(%cause, "leftover Jobs could not be looked for");
                return 0;
            }
        };
        let mut swept = 0;
        let old = |job: &Job| age_seconds(job.metadata.creation_timestamp.as_ref()) >= LEFTOVER_AFTER_SECONDS;
        for job in jobs.iter().filter(|job| old(job) && !known.contains(&job.name_any())) {
            match self.inner.cluster.delete(&job.name_any()).await {
                Ok(()) => swept += 1,
                Err(cause) => tracing::warn!(%cause, job = job.name_any(), "a leftover Job could not be removed"),
            }
        }
        swept
    }

    /// Longest time from the start's request to the program's start.
    #[must_use]
    pub fn start_limit(&self) -> Duration {
        self.inner.settings.start_limit
    }

    pub(super) async fn start(&self, request: &StartRequest) -> Result<KubernetesExecution, StartError> {
        let begin = Begin::Create(Box::new(request.clone()));
        Ok(KubernetesExecution::open(Arc::clone(&self.inner), request.run, begin, Duration::ZERO))
    }

    pub(super) async fn adopt(&self, run: RunId) -> Result<Option<KubernetesExecution>, StartError> {
        let since = Instant::now();
        loop {
            let failure = match self.left_of(run).await {
                Ok(left) => {
                    return Ok(left.map(|(told, waited)| {
                        KubernetesExecution::open(Arc::clone(&self.inner), run, Begin::Existing(told), waited)
                    }));
                }
                Err(failure) => failure,
            };
            let passing = matches!(failure, Failure::Passing(_));
            if !passing || since.elapsed() >= ADOPT_PATIENCE {
                let detail = format!("The cluster could not be asked for the run: {failure}");
                return Err(StartError { reason: Reason::Internal, detail, retry: passing });
            }
            sleep(RETRY).await;
        }
    }

    /// What the supervisor of a run was told and how long ago, if the cluster has anything of it: its Job, or a pod whose Job somebody took away.
    async fn left_of(&self, run: RunId) -> Result<Option<(Told, Duration)>, Failure> {
        let settings = &self.inner.settings;
        let found = match self.inner.cluster.job(run).await? {
            Some(job) if job::is_ours(job.metadata.labels.as_ref(), settings, run) => {
                let made = job.metadata.creation_timestamp.clone();
                create::told(job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref())).zip(Some(made))
            }
            _ => match self.inner.cluster.pod(run).await? {
                Some(pod) if job::is_ours(pod.metadata.labels.as_ref(), settings, run) => {
                    create::told(pod.spec.as_ref()).zip(Some(pod.metadata.creation_timestamp.clone()))
                }
                _ => None,
            },
        };
        let waited = |made: Option<Time>| {
            // Clocks differ: nobody has waited longer than the limit, or less than nothing.
            let age = u64::try_from(age_seconds(made.as_ref())).unwrap_or(0);
            Duration::from_secs(age).min(settings.start_limit / 2)
        };
        Ok(found.map(|(told, made)| (told, waited(made))))
    }

    /// Pods have all the walls of the level `full`: namespaces, filter, and limits for all processes together.
    pub(super) fn level(&self) -> &str {
        "full"
    }
}

impl Inner {
    /// Removes a run's Job and pod. While the API server refuses or is away this goes on behind the caller's back until it is
    /// done: as long as there is the Job, its program runs. What a dying worker leaves, the next sweep finds.
    async fn delete(self: &Arc<Self>, run: RunId) {
        let Err(cause) = self.cluster.delete(&job::name(run)).await else { return };
        tracing::warn!(run.id = %run, %cause, "the Job of a run could not be removed; trying again until it is");
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let mut delay = RETRY;
            loop {
                sleep(delay).await;
                match inner.cluster.delete(&job::name(run)).await {
                    Ok(()) => return,
                    Err(cause) => tracing::debug!(run.id = %run, %cause, "the Job of a run is still not removed"),
                }
                delay = (delay * 2).min(MAX_DELETE_RETRY);
            }
        });
    }
}

/// By our clock; negative when it is behind the cluster's.
fn age_seconds(made: Option<&Time>) -> i64 {
    made.map_or(0, |made| Clock::default().now_ms() / 1000 - made.0.as_second())
}
