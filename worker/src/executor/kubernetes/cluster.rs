//! The API server: one client for requests, one for the watch, and what a refusal means. Nothing here tries again;
//! nothing waits longer than [`REQUEST_TIMEOUT`] but the streams.

use std::time::Duration;

use coderoom_protocol::ids::RunId;
use futures_util::{AsyncBufRead, FutureExt as _};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Event, Pod},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, LogParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    KubernetesError,
    job::{self, CONTAINER, RUN_LABEL},
    settings::{ClusterAccess, KubernetesSettings},
};

/// Longest time for one request that is no stream.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time to get a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of the watch's connection: its server ends it more often than this.
const WATCH_SILENCE: Duration = Duration::from_secs(60);

/// Handles to the kinds of objects in the runs' namespace.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) jobs: Api<Job>,
    pub(super) pods: Api<Pod>,
    /// Through a connection that may not be silent for long.
    pub(super) watched: Api<Pod>,
    events: Api<Event>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server does not answer, or not now. Trying again helps.
    #[error("{0}")]
    Passing(String),
    /// There is no such object (or namespace).
    #[error("{0}")]
    NotFound(String),
    /// There is one already, or still.
    #[error("{0}")]
    Conflict(String),
    /// A quota is used up.
    #[error("{0}")]
    Quota(String),
    /// We may not.
    #[error("{0}")]
    Denied(String),
    /// 400: also what the log endpoint says before the container runs.
    #[error("{0}")]
    TooEarly(String),
    /// Anything else: the request is wrong.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    pub(super) fn of(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return match error {
                kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) => Self::Refused(error.to_string()),
                other => Self::Passing(in_words(&other)),
            };
        };
        let message = match status.message.is_empty() {
            true => format!("the API server answered {} {}", status.code, status.reason),
            false => status.message.clone(),
        };
        match status.code {
            400 => Self::TooEarly(message),
            403 if message.contains("exceeded quota") => Self::Quota(message),
            401 | 403 => Self::Denied(message),
            404 => Self::NotFound(message),
            409 => Self::Conflict(message),
            408 | 429 | 500.. => Self::Passing(message),
            _ => Self::Refused(message),
        }
    }
}

/// The failure and its causes: the outer one often says no more than "service error".
fn in_words(error: &kube::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let text = next.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = next.source();
    }
    words
}

type Result<T> = std::result::Result<T, Failure>;

/// The answer to a request that is no stream, or the failure to answer in [`REQUEST_TIMEOUT`].
pub(super) async fn in_time<T>(request: impl Future<Output = kube::Result<T>> + Send) -> Result<T> {
    // The client's futures are deep; those who wait for them need not know their layout.
    match tokio::time::timeout(REQUEST_TIMEOUT, request.boxed()).await {
        Ok(answer) => answer.map_err(Failure::of),
        Err(_) => Err(Failure::Passing(format!("no answer in {} seconds", REQUEST_TIMEOUT.as_secs()))),
    }
}

impl Cluster {
    pub(super) async fn connect(settings: &KubernetesSettings) -> std::result::Result<Self, KubernetesError> {
        let bad = |error: &dyn std::fmt::Display| KubernetesError::Access(error.to_string());
        let mut config = match &settings.access {
            ClusterAccess::Inferred => Config::infer().await.map_err(|error| bad(&error))?,
            ClusterAccess::File { path, context } => {
                let file = Kubeconfig::read_from(path).map_err(|error| bad(&error))?;
                let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| bad(&error))?
            }
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // Names of Jobs are fixed, and what may be tried again is decided here.
        config.default_retry = false;
        // A silent program's log is silent.
        config.read_timeout = None;
        let mut watching = config.clone();
        watching.read_timeout = Some(WATCH_SILENCE);
        watching.reset_reader_on_write = true;
        let client = Client::try_from(config).map_err(|error| bad(&error))?;
        let watching = Client::try_from(watching).map_err(|error| bad(&error))?;
        let namespace = settings.namespace.as_str();
        Ok(Self {
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            watched: Api::namespaced(watching, namespace),
            events: Api::namespaced(client.clone(), namespace),
            client,
        })
    }

    pub(super) async fn create(&self, job: &Job) -> Result<Job> {
        in_time(self.jobs.create(&PostParams::default(), job)).await
    }

    /// `None` when there is none.
    pub(super) async fn job(&self, run: RunId) -> Result<Option<Job>> {
        in_time(self.jobs.get_opt(&job::name(run))).await
    }

    /// All Jobs with these labels.
    pub(super) async fn jobs_with(&self, labels: &str) -> Result<Vec<Job>> {
        let labelled = ListParams::default().labels(labels);
        Ok(in_time(self.jobs.list(&labelled)).await?.items)
    }

    /// Removes a Job and, behind it, its pod; no error when there is none.
    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        // Without a policy the pod would run on.
        match in_time(self.jobs.delete(name, &DeleteParams::background())).await {
            Ok(_) | Err(Failure::NotFound(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The newest pod of a run.
    pub(super) async fn pod(&self, run: RunId) -> Result<Option<Pod>> {
        let of_run = ListParams::default().labels(&format!("{RUN_LABEL}={run}"));
        let mut pods = in_time(self.pods.list(&of_run)).await?.items;
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.clone());
        Ok(pods.pop())
    }

    /// Reason and message of the newest warning about an object; `None` too when we may not know.
    pub(super) async fn warning(&self, object: &str) -> Option<(String, String)> {
        let about = ListParams::default().fields(&format!("involvedObject.name={object}"));
        let events = in_time(self.events.list(&about)).await.ok()?.items;
        let warnings = events.into_iter().filter(|event| event.type_.as_deref() == Some("Warning"));
        let newest = warnings.max_by_key(|event| event.last_timestamp.clone())?;
        Some((newest.reason.unwrap_or_default(), newest.message.unwrap_or_default()))
    }

    /// The log of a pod's container with timestamps. The caller bounds the wait.
    pub(super) async fn log(
        &self,
        pod: &str,
        follow: bool,
        since: Option<&str>,
    ) -> Result<impl AsyncBufRead + Send + use<>> {
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow,
            timestamps: true,
            // Whole seconds: a fraction would be rounded, perhaps up.
            since_time: since.and_then(|since| format!("{since}Z").parse().ok()),
            ..LogParams::default()
        };
        self.pods.log_stream(pod, &params).boxed().await.map_err(Failure::of)
    }
}
