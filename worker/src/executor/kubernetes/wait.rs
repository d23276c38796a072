//! From the Job to the running container. Nothing in Kubernetes ends this by itself when an image is missing or no machine
//! fits, so the patience is ours, and people see meanwhile what is waited for.

use std::time::Duration;

use coderoom_protocol::{run::Reason, supervisor::Ending};
use tokio::time::{Instant, sleep_until};

use super::{
    attend::Attend,
    job,
    outcome::{self, Cause, Obstacle},
    pod_view::{Container, PodView, Scheduled},
};
use crate::engine::drive::ending_of;

/// How often we look ourselves: the watch is only a hint.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long an obstacle that never passes has to be seen.
const LASTING_PATIENCE: Duration = Duration::from_secs(3);
/// How long a container may be on its way before its pod's events are asked for.
const EXPLAIN_AFTER: Duration = Duration::from_secs(5);

/// How waiting ended.
#[derive(Debug)]
pub(super) enum Started {
    /// There is, or was, a running container.
    Container,
    /// There will be none.
    Never(Ending),
}

/// What was found out while waiting.
#[derive(Default)]
struct Findings {
    /// Since when an obstacle of this kind has been there.
    image_since: Option<Instant>,
    lasting_since: Option<Instant>,
    /// The newest cause that events name.
    event: Option<Cause>,
}

impl Attend {
    /// Waits until the container runs or has run.
    pub(super) async fn wait_for_start(&mut self) -> Started {
        let deadline = self.since + self.inner.settings.start_limit;
        let mut findings = Findings::default();
        let mut look_at = Instant::now();
        loop {
            if let Some(view) = self.pods.now() {
                if let Some(started) = self.judge(&view, &mut findings) {
                    return started;
                }
            } else if self.is_stopping() {
                return Started::Never(ending_of(Reason::StoppedBy, None));
            }
            let now = Instant::now();
            if now >= deadline {
                return Started::Never(self.waited_too_long(&findings));
            }
            if now >= look_at {
                look_at = now + LOOK_EVERY;
                if let Some(ending) = self.explain(&mut findings).await {
                    return Started::Never(ending);
                }
                continue;
            }
            tokio::select! {
                () = self.pods.changed() => {}
                () = self.shared.stop.notified() => look_at = Instant::now(),
                () = sleep_until(look_at.min(deadline)) => {}
            }
        }
    }

    fn judge(&mut self, view: &PodView, findings: &mut Findings) -> Option<Started> {
        if view.gone && !matches!(view.container, Container::Terminated { .. } | Container::Running) {
            return Some(Started::Never(self.without_end(Some(view))));
        }
        if view.is_over() || view.container == Container::Running {
            return Some(Started::Container);
        }
        let now = Instant::now();
        let obstacle = outcome::obstacle(view);
        let (image, lasting) =
            (matches!(obstacle, Some(Obstacle::Image(_))), matches!(obstacle, Some(Obstacle::Lasting(_))));
        findings.image_since = findings.image_since.filter(|_| image).or(image.then_some(now));
        findings.lasting_since = findings.lasting_since.filter(|_| lasting).or(lasting.then_some(now));
        let since = |since: Option<Instant>| since.map_or(Duration::ZERO, |since| since.elapsed());
        match obstacle {
            Some(Obstacle::Image((reason, detail))) => {
                if since(findings.image_since) >= self.inner.settings.image_limit {
                    return Some(Started::Never(ending_of(reason, detail)));
                }
                self.tell("waiting for the image, which could not be fetched so far");
            }
            Some(Obstacle::Lasting((reason, detail))) => {
                if since(findings.lasting_since) >= LASTING_PATIENCE {
                    return Some(Started::Never(ending_of(reason, detail)));
                }
            }
            Some(Obstacle::Passing((Reason::Unschedulable, _))) => self.tell("waiting for a machine with room"),
            Some(Obstacle::Passing(_)) => self.tell("waiting for the machine to make the container"),
            None if view.scheduled == Scheduled::Yes => self.tell("scheduled"),
            None => self.tell("waiting for a machine"),
        }
        None
    }

    /// Looks at the pod, and asks why if there is none or it does not start. An ending when there will never be one.
    async fn explain(&mut self, findings: &mut Findings) -> Option<Ending> {
        if !self.look().await {
            return None;
        }
        let view = self.pods.now();
        let stuck = self.since.elapsed() >= EXPLAIN_AFTER;
        let object = match &view {
            Some(view) if stuck && !view.gone => view.name.clone(),
            Some(_) => return None,
            None => job::name(self.run),
        };
        if view.is_none() {
            match self.inner.cluster.job(self.run).await {
                Ok(None) => return Some(self.without_end(None)),
                Ok(Some(job)) if job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)) => {
                    self.tell("waiting in the cluster's queue");
                    return None;
                }
                _ => {}
            }
        }
        if !stuck && view.is_some() {
            return None;
        }
        let (reason, message) = self.inner.cluster.warning(&object).await?;
        findings.event = outcome::obstacle_in_event(&reason, &message).or(findings.event.take());
        match &findings.event {
            Some((Reason::Quota, _)) if view.is_none() => self.tell("waiting for the cluster's quota"),
            Some(_) if view.is_none() => self.tell("waiting for the cluster to make the pod"),
            _ => {}
        }
        None
    }

    /// The ending of a run whose start limit is over: what stood in the way last, or that it simply took too long.
    fn waited_too_long(&self, findings: &Findings) -> Ending {
        let view = self.pods.now();
        let obstacle = view.as_deref().and_then(outcome::obstacle).map(|obstacle| match obstacle {
            Obstacle::Image(cause) | Obstacle::Lasting(cause) | Obstacle::Passing(cause) => cause,
        });
        let limit = self.inner.settings.start_limit.as_secs();
        let (reason, detail) = obstacle.or_else(|| findings.event.clone()).unwrap_or_else(|| {
            (Reason::WaitedTooLong, Some(format!("The cluster did not start it in {limit} seconds.")))
        });
        ending_of(reason, detail)
    }
}
