//! Making a run's Job, once, however often it is asked for: its name is fixed, and one that is there already is taken up if
//! it is ours. Tries again as long as the start limit allows, since what refuses now (a quota, a server that restarts) may not later.

use std::time::Duration;

use coderoom_protocol::{run::Reason, supervisor::Ending};
use k8s_openapi::api::{batch::v1::Job, core::v1::PodSpec};
use tokio::time::{Instant, sleep};

use super::{
    attend::{Attend, Told},
    cluster::Failure,
    job, plan,
};
use crate::{
    engine::drive::ending_of,
    executor::StartRequest,
    supervisor::pod_spec::{self, SPEC_VARIABLE},
};

/// First wait before trying again; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait before trying again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Makes the Job or finds it; gives what its supervisor was told, or how the run ends without one.
pub(super) async fn create(attend: &mut Attend, request: &StartRequest) -> Result<Told, Ending> {
    let settings = &attend.inner.settings;
    let Some(image) = settings.image(request.language).map(str::to_owned) else {
        let words = format!("No image is set for {}.", request.language.as_str());
        return Err(ending_of(Reason::ImageMissing, Some(words)));
    };
    let deadline = attend.since + settings.start_limit;
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let mut told = Told { nonce, memory_bytes: request.limits.memory_bytes };
    let mut job: Option<Job> = None;
    let mut wait = FIRST_WAIT;
    loop {
        if attend.is_stopping() {
            return Err(ending_of(Reason::StoppedBy, None));
        }
        let attempt = try_once(attend, request, &image, &told.nonce, &mut job).await;
        let (reason, cause) = match attempt {
            Attempt::Made => break,
            Attempt::Found(other) => {
                told = other;
                break;
            }
            Attempt::Never(ending) => return Err(ending),
            Attempt::NotNow(reason, cause) => (reason, cause),
        };
        tracing::warn!(run.id = %attend.run, cause, "the Job of a run could not be made; trying again");
        if Instant::now() + wait >= deadline {
            return Err(ending_of(reason, Some(cause)));
        }
        attend.tell(match reason {
            Reason::Quota => "waiting for the cluster's quota",
            _ => "waiting for the cluster",
        });
        tokio::select! {
            () = sleep(wait) => {}
            () = attend.shared.stop.notified() => {}
        }
        wait = (wait * 2).min(MAX_WAIT);
    }
    attend.tell("waiting for a machine");
    if attend.is_stopping() {
        // The deletion may have come before the Job.
        attend.inner.delete(attend.run).await;
    }
    Ok(told)
}

enum Attempt {
    Made,
    /// It was there, and this is what its supervisor was told.
    Found(Told),
    NotNow(Reason, String),
    Never(Ending),
}

async fn try_once(attend: &Attend, request: &StartRequest, image: &str, nonce: &str, job: &mut Option<Job>) -> Attempt {
    let inner = &attend.inner;
    let made = match job {
        Some(made) => made,
        None => match plan::spec(&inner.settings, &inner.objects, request, nonce).await {
            Ok(spec) => job.insert(job::job(&inner.settings, request, image, spec)),
            Err(error) if error.retry => return Attempt::NotNow(error.reason, error.detail),
            Err(error) => return Attempt::Never(ending_of(error.reason, Some(error.detail))),
        },
    };
    let failure = match inner.cluster.create(made).await {
        Ok(_) => return Attempt::Made,
        Err(failure) => failure,
    };
    let internal = |words: String| Attempt::Never(ending_of(Reason::Internal, Some(words)));
    match failure {
        Failure::Conflict(_) => found(attend).await,
        Failure::Passing(cause) => Attempt::NotNow(Reason::Internal, format!("The cluster does not answer: {cause}")),
        Failure::Quota(cause) => Attempt::NotNow(Reason::Quota, cause),
        Failure::Denied(cause) => internal(format!("The worker may not make Jobs: {cause}")),
        Failure::NotFound(cause) => internal(format!("The namespace for runs is not there: {cause}")),
        Failure::TooEarly(cause) | Failure::Refused(cause) => internal(format!("The cluster refuses the Job: {cause}")),
    }
}

/// What to do with a Job that is there already.
async fn found(attend: &Attend) -> Attempt {
    let job = match attend.inner.cluster.job(attend.run).await {
        Ok(Some(job)) => job,
        Ok(None) => return Attempt::NotNow(Reason::Internal, "A Job of this name went away just now.".to_owned()),
        Err(failure) => return Attempt::NotNow(Reason::Internal, failure.to_string()),
    };
    if !job::is_ours(job.metadata.labels.as_ref(), &attend.inner.settings, attend.run) {
        let words = "There is a Job of this run's name that is not this deployment's.".to_owned();
        return Attempt::Never(ending_of(Reason::Internal, Some(words)));
    }
    if job.metadata.deletion_timestamp.is_some() {
        return Attempt::NotNow(Reason::Internal, "An earlier Job of this run is still being deleted.".to_owned());
    }
    match told(job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref())) {
        Some(told) => Attempt::Found(told),
        None => {
            let words = "The Job of this run is not one that this version makes.".to_owned();
            Attempt::Never(ending_of(Reason::Internal, Some(words)))
        }
    }
}

/// What is in a pod's environment.
pub(super) fn told(pod: Option<&PodSpec>) -> Option<Told> {
    let env = pod?.containers.first()?.env.as_ref()?;
    let text = env.iter().find(|variable| variable.name == SPEC_VARIABLE)?.value.as_ref()?;
    let spec = pod_spec::PodSpec::from_variable(text).ok()?;
    Some(Told { nonce: spec.nonce, memory_bytes: spec.limits.memory_bytes })
}
