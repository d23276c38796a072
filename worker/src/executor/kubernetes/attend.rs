//! One run from its Job's making to its end, in a task of its own: make the Job, wait for the container, follow the log, say
//! how it ended. It is never in a hurry and never gives up because the API server does not answer: the run goes on without us.
//! Frames go into the backlog; the last one is always an end frame, the supervisor's or one that is made here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use coderoom_backing::clock::Clock;
use coderoom_protocol::{
    ids::RunId,
    run::Reason,
    supervisor::{Body, Ending, Frame},
};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    Inner,
    backlog::Backlog,
    create, outcome,
    pod_view::{Container, PodView},
    pods::Watched,
    read_log::{Extent, Read, read_log},
    resume::Resume,
    wait::Started,
};
use crate::{engine::drive::ending_of, executor::StartRequest};

/// How often a silent log makes us look at the pod ourselves.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a log may go on after its container has ended; then what is left is asked for anew.
const LAST_BYTES: Duration = Duration::from_secs(10);
/// How long to wait for the cluster's word on an ending that it may know better.
const DOUBT: Duration = Duration::from_secs(3);
/// Shortest wait before a stream is opened again.
const REOPEN: Duration = Duration::from_millis(200);
/// Longest wait before that.
const MAX_REOPEN: Duration = Duration::from_secs(5);
/// How long the log of an ended container is asked for in vain before its end counts as lost.
const FINAL_PATIENCE: Duration = Duration::from_secs(120);

/// How attending begins.
#[derive(Debug)]
pub(super) enum Begin {
    /// There may be no Job yet.
    Create(Box<StartRequest>),
    /// There is one, whose supervisor was told this.
    Existing(Told),
}

/// What a supervisor was told that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Marks its frames.
    pub(super) nonce: String,
    /// Memory that its run may use, in bytes.
    pub(super) memory_bytes: u64,
}

/// What the task and the handle of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    /// We asked for the end.
    pub(super) stopping: AtomicBool,
    /// Rung when that is set.
    pub(super) stop: Notify,
    pub(super) backlog: Backlog,
}

/// The task's state.
#[derive(Debug)]
pub(super) struct Attend {
    pub(super) inner: Arc<Inner>,
    pub(super) run: RunId,
    pub(super) shared: Arc<Shared>,
    pub(super) pods: Watched,
    pub(super) resume: Resume,
    /// Memory that the run may use, in bytes.
    memory_bytes: u64,
    /// When the wait for the start began.
    pub(super) since: Instant,
    /// Since when the node has been silent.
    silent_since: Option<Instant>,
    /// The phase that was told last.
    phase: String,
}

impl Attend {
    pub(super) fn new(inner: Arc<Inner>, run: RunId, shared: Arc<Shared>, pods: Watched, waited: Duration) -> Self {
        let now = Instant::now();
        Self {
            inner,
            run,
            shared,
            pods,
            resume: Resume::new(""),
            memory_bytes: 0,
            since: now.checked_sub(waited).unwrap_or(now),
            silent_since: None,
            phase: String::new(),
        }
    }

    pub(super) async fn attend(mut self, begin: Begin) {
        let ending = self.until_the_end(begin).await;
        if self.resume.lost() > 0 {
            let frames = self.resume.lost();
            tracing::warn!(run.id = %self.run, frames, "a part of a run's log was rotated away before it was read");
        }
        self.push(Body::End(ending));
        self.shared.backlog.close();
    }

    async fn until_the_end(&mut self, begin: Begin) -> Ending {
        let told = match begin {
            Begin::Existing(told) => Ok(told),
            Begin::Create(request) => create::create(self, &request).await,
        };
        match told {
            Ok(told) => (self.resume, self.memory_bytes) = (Resume::new(&told.nonce), told.memory_bytes),
            Err(ending) => return ending,
        }
        loop {
            match self.wait_for_start().await {
                Started::Container => {}
                Started::Never(ending) => return ending,
            }
            if let Some(ending) = self.follow().await {
                return ending;
            }
        }
    }

    /// Follows the log to its end; `None` when the container has not started after all.
    async fn follow(&mut self) -> Option<Ending> {
        let mut delay = REOPEN;
        loop {
            let before = self.resume.next_seq();
            let read = self.read(Extent::Follow).await;
            if self.resume.next_seq() > before {
                delay = REOPEN;
            }
            match read {
                Read::End(ending) => return Some(self.settle(ending).await),
                Read::Hole => {
                    if let Read::End(ending) = self.read(Extent::Whole).await {
                        return Some(self.settle(ending).await);
                    }
                }
                Read::Over | Read::Cut(_) | Read::TooEarly | Read::Never(_) => {
                    if let Read::Cut(cause) | Read::Never(cause) = &read {
                        tracing::debug!(run.id = %self.run, cause, "the log of a pod was cut; it is opened again");
                    }
                    let known = self.look().await;
                    match self.pods.now() {
                        Some(view) if view.is_over() => return Some(self.last_words(&view).await),
                        Some(view) if matches!(view.container, Container::Waiting { .. }) && known => return None,
                        Some(view) if self.is_lost(&view) => return Some(self.without_end(Some(&view))),
                        None if known => return Some(self.without_end(None)),
                        _ => {}
                    }
                }
            }
            sleep(delay).await;
            delay = (delay * 2).min(MAX_REOPEN);
        }
    }

    /// Reads the log once, and looks at the pod while nothing comes.
    async fn read(&mut self, extent: Extent) -> Read {
        let Some(pod) = self.pods.now() else { return Read::Cut("there is no pod".to_owned()) };
        let bytes = AtomicU64::new(0);
        let Self { inner, resume, shared, pods, silent_since, .. } = self;
        let mut reading = std::pin::pin!(read_log(&inner.cluster, &pod.name, extent, resume, &shared.backlog, &bytes));
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        let mut over_since = None;
        loop {
            tokio::select! {
                read = &mut reading => return read,
                _ = looks.tick() => {}
            }
            if bytes.swap(0, Ordering::Relaxed) > 0 || !shared.backlog.has_room() {
                (over_since, *silent_since) = (None, None);
                continue;
            }
            // A server that does not answer says nothing about the pod.
            let _ = pods.look(&inner.cluster).await;
            let Some(view) = pods.now() else { continue };
            match view.is_over() {
                true => {
                    let since: Instant = *over_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= LAST_BYTES {
                        return Read::Over;
                    }
                }
                false => over_since = None,
            }
            note_silence(silent_since, &view);
            if silent_since.is_some_and(|since| since.elapsed() >= inner.settings.node_limit) {
                return Read::Over;
            }
        }
    }

    /// The container has ended and its last frame has not been seen: reads all there is once more.
    async fn last_words(&mut self, view: &PodView) -> Ending {
        let (since, mut delay) = (Instant::now(), REOPEN);
        while !view.gone && since.elapsed() < FINAL_PATIENCE {
            match self.read(Extent::Whole).await {
                Read::End(ending) => return self.settle(ending).await,
                Read::Over | Read::Never(_) | Read::TooEarly => break,
                Read::Hole | Read::Cut(_) => {}
            }
            sleep(delay).await;
            delay = (delay * 2).min(MAX_REOPEN);
        }
        let newest = self.pods.now();
        self.without_end(Some(newest.as_deref().unwrap_or(view)))
    }

    /// The supervisor's ending, corrected by what the cluster knows.
    async fn settle(&mut self, mut ending: Ending) -> Ending {
        let by_us = self.is_stopping();
        if !outcome::is_doubtful(&ending, by_us, self.memory_bytes) {
            return ending;
        }
        let told = timeout(DOUBT, async {
            while !self.pods.now().is_some_and(|view| view.is_over()) {
                self.pods.changed().await;
            }
        });
        if told.await.is_err() {
            self.look().await;
        }
        outcome::correct(&mut ending, self.pods.now().as_deref(), by_us || self.is_stopping());
        ending
    }

    pub(super) fn without_end(&self, view: Option<&PodView>) -> Ending {
        if self.is_stopping() {
            return ending_of(Reason::StoppedBy, None);
        }
        let (reason, detail) = outcome::without_end(view, self.resume.last_words());
        ending_of(reason, detail)
    }

    /// Asks the cluster for the pod; whether it answered.
    pub(super) async fn look(&mut self) -> bool {
        match self.pods.look(&self.inner.cluster).await {
            Ok(()) => true,
            Err(cause) => {
                tracing::debug!(run.id = %self.run, %cause, "a pod could not be looked at; trying again");
                false
            }
        }
    }

    fn is_lost(&mut self, view: &PodView) -> bool {
        note_silence(&mut self.silent_since, view);
        self.silent_since.is_some_and(|since| since.elapsed() >= self.inner.settings.node_limit)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Tells people where the run is; once for each phase.
    pub(super) fn tell(&mut self, phase: &str) {
        if self.phase == phase {
            return;
        }
        phase.clone_into(&mut self.phase);
        self.push(Body::Phase(phase.to_owned()));
    }

    /// Adds a frame of our own. It has the number of the supervisor's next one.
    fn push(&self, body: Body) {
        self.shared.backlog.push(Frame { seq: self.resume.next_seq(), at: Clock::default().now_ms(), body });
    }
}

fn note_silence(since: &mut Option<Instant>, view: &PodView) {
    match view.node_silent {
        true => drop(since.get_or_insert_with(Instant::now)),
        false => *since = None,
    }
}
