//! Driving one run from its claim to its end: start or adopt, follow the frames, end. Output goes to the log's writer,
//! steps to the notes; a wish to stop is heard in every moment, also while storing is stuck.

use std::{sync::Arc, time::Duration};

use coderoom_protocol::{
    ids::RunId,
    run::Reason,
    supervisor::{Body, Ending, Frame},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Shared,
    detach::detach,
    driven::{Held, Sign},
    finish,
    hole::Hole,
    notes::Notes,
};
use crate::{
    announce::stop_topic,
    claim::TakenOver,
    executor::{Execution, StartError, StartRequest},
    log::write::{LogWriter, Output},
};

/// How often a start (or reading frames) is tried again when the failure may pass.
const TRIES: u32 = 4;

/// How long after the grace period a stopped run may take to report its end; then it is killed from outside.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// How a driver begins.
#[derive(Debug)]
pub(crate) enum Begin {
    /// A run that was just claimed.
    Start(StartRequest),
    /// A run that another engine had.
    Adopt(TakenOver),
}

impl Begin {
    pub(crate) fn run(&self) -> RunId {
        self.request().run
    }

    fn request(&self) -> &StartRequest {
        match self {
            Self::Start(request) | Self::Adopt(TakenOver { request, .. }) => request,
        }
    }
}

/// How following the frames came to its end.
enum Followed {
    Ended(Ending),
    /// This engine goes away, or another has the run: leave everything as it is.
    LetGo,
    /// The row is gone: leave nothing.
    Gone,
}

pub(super) async fn drive(shared: Arc<Shared>, held: Held, begin: Begin) {
    let run = begin.run();
    let notes = Notes::new(shared.clone(), run);
    let (execution, log) = tokio::join!(obtain(&shared, &begin), finish::open_log(&shared, run));
    let Some(log) = log else {
        return finish::without_log(&shared, run, execution.ok().flatten()).await;
    };
    let mut execution = match execution {
        Ok(Some(execution)) => execution,
        Ok(None) => return finish::without_execution(&shared, run, log, Reason::WorkerLost, None).await,
        Err(error) => return finish::without_execution(&shared, run, log, error.reason, Some(error.detail)).await,
    };
    notes.change(|note| {
        "starting".clone_into(&mut note.phase);
        note.sandbox = Some(shared.executor.level().to_owned());
    });
    let request = begin.request();
    let mut follow = Follow { shared: &shared, request, held, notes: &notes, log_end: log.end(), overdue: false };
    match follow.frames(&mut execution, log.outputs()).await {
        Followed::Ended(mut ending) => {
            if follow.overdue && ending.reason == Reason::StoppedBy {
                // What was asked to end says so, and cannot know that it was its time.
                ending.reason = Reason::TimeLimit;
            }
            finish::with_execution(&shared, begin.request(), execution, log, &notes, ending).await
        }
        Followed::LetGo => detach(&shared, run, log).await,
        Followed::Gone => {
            drop(log);
            execution.stop(Duration::ZERO).await;
            execution.remove().await;
            finish::remove_live_log(&shared, run).await;
        }
    }
}

/// A running supervisor; `None` when the run was under way and nothing of it is left.
async fn obtain(shared: &Shared, begin: &Begin) -> Result<Option<Execution>, StartError> {
    let (mut tries, mut delay) = (0, Duration::from_millis(200));
    loop {
        tries += 1;
        let obtained = match begin {
            Begin::Start(request) => shared.executor.start(request).await.map(Some),
            Begin::Adopt(taken) => adopt_or_start(shared, taken).await,
        };
        match obtained {
            Err(error) if error.retry && tries < TRIES => {
                tracing::warn!(run.id = %begin.run(), cause = %error, "a run could not be started; trying again");
                sleep(delay).await;
                delay *= 3;
            }
            other => return other,
        }
    }
}

/// A run whose program never started is started now: its worker died between claim and start.
async fn adopt_or_start(shared: &Shared, taken: &TakenOver) -> Result<Option<Execution>, StartError> {
    if let Some(execution) = shared.executor.adopt(taken.request.run).await? {
        return Ok(Some(execution));
    }
    if taken.started || taken.attempts > shared.settings.max_attempts {
        return Ok(None);
    }
    shared.executor.start(&taken.request).await.map(Some)
}

struct Follow<'a> {
    shared: &'a Shared,
    request: &'a StartRequest,
    held: Held,
    notes: &'a Notes,
    /// Behind the last output that was passed on.
    log_end: u64,
    /// The engine itself ended the run, though nobody wished it: its supervisor did not enforce the limit.
    overdue: bool,
}

/// Output that the full channel to the log's writer could not take yet, and what fills the hole before it.
struct Waiting {
    hole: Option<Hole>,
    output: Output,
}

impl Follow<'_> {
    async fn frames(&mut self, execution: &mut Execution, outputs: mpsc::Sender<Output>) -> Followed {
        let mut wishes = self.shared.runs.bus().subscribe(&stop_topic(self.request.run)).await.ok();
        let limits = &self.request.limits;
        let grace = Duration::from_millis(limits.grace_ms);
        let longest = Duration::from_millis(limits.wall_ms) + grace + self.shared.settings.wall_slack;
        let mut kill_at = Instant::now() + self.shared.executor.start_limit() + longest;
        let mut waiting: Option<Waiting> = None;
        let (mut stopping, mut killed, mut failures) = (false, false, 0);
        // A wish may be older than the subscription.
        self.shared.check.notify_one();
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.held.sign.changed() => {
                    let sign = *self.held.sign.borrow_and_update();
                    match sign {
                        Sign::Go => {}
                        Sign::Stop if stopping => {}
                        Sign::Stop => {
                            stopping = true;
                            kill_at = kill_at.min(Instant::now() + grace + STOP_SLACK);
                            execution.stop(grace).await;
                        }
                        Sign::Lost => return Followed::LetGo,
                        Sign::Gone => return Followed::Gone,
                    }
                }
                () = self.shared.leaving.cancelled() => return Followed::LetGo,
                // Whatever is said, the row decides; it is looked at now.
                () = heard(&mut wishes) => self.shared.check.notify_one(),
                () = sleep_until(kill_at) => {
                    if killed {
                        return Followed::Ended(execution.lost_ending().await);
                    }
                    killed = true;
                    self.overdue = !stopping;
                    kill_at = Instant::now() + STOP_SLACK;
                    execution.stop(Duration::ZERO).await;
                }
                room = outputs.reserve(), if waiting.is_some() => match room {
                    Ok(room) => match waiting.as_mut().and_then(|waiting| waiting.hole.as_mut()?.next()) {
                        Some(filler) => room.send(filler),
                        None => {
                            if let Some(Waiting { output, .. }) = waiting.take() {
                                room.send(output);
                            }
                        }
                    },
                    Err(_) => return self.log_failed(execution).await,
                },
                frame = execution.next_frame(), if waiting.is_none() => match frame {
                    Ok(Some(frame)) => {
                        failures = 0;
                        match self.take(frame) {
                            Took::Nothing => {}
                            Took::Started if !stopping && !killed => kill_at = Instant::now() + longest,
                            Took::Started => {}
                            Took::Output(output) => match self.hole_before(&output) {
                                hole @ Some(_) => waiting = Some(Waiting { hole, output }),
                                None => match outputs.try_send(output) {
                                    Ok(()) => {}
                                    Err(mpsc::error::TrySendError::Full(output)) => {
                                        waiting = Some(Waiting { hole: None, output });
                                    }
                                    Err(mpsc::error::TrySendError::Closed(_)) => {
                                        return self.log_failed(execution).await;
                                    }
                                },
                            },
                            Took::End(ending) => return Followed::Ended(ending),
                        }
                    }
                    Ok(None) => return Followed::Ended(execution.lost_ending().await),
                    Err(error) => {
                        failures += 1;
                        tracing::warn!(run.id = %self.request.run, cause = %error, "frames of a run could not be read");
                        if failures >= TRIES || !error.retry {
                            execution.stop(Duration::ZERO).await;
                            return Followed::Ended(ending_of(error.reason, Some(error.detail)));
                        }
                        sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
    }

    fn take(&self, frame: Frame) -> Took {
        match frame.body {
            Body::Phase(phase) => self.notes.change(|note| note.phase = phase),
            Body::Started => {
                self.notes.change(|note| {
                    "started".clone_into(&mut note.phase);
                    note.started_at = Some(frame.at);
                });
                return Took::Started;
            }
            Body::Output { offset, stream, bytes } => {
                return Took::Output(Output { offset, stream, at: frame.at, bytes });
            }
            Body::End(ending) => return Took::End(ending),
        }
        Took::Nothing
    }

    /// What is lost before this output; the log goes on behind it.
    fn hole_before(&mut self, output: &Output) -> Option<Hole> {
        let hole = Hole::before(output, self.log_end);
        if let Some(hole) = &hole {
            tracing::warn!(run.id = %self.request.run, bytes = hole.bytes(), "output of a run was lost before it was read");
        }
        self.log_end = self.log_end.max(output.offset + output.bytes.len() as u64);
        hole
    }

    /// The log's writer gave up, which it does only when the row is gone or output is missing.
    async fn log_failed(&self, execution: &Execution) -> Followed {
        execution.stop(Duration::ZERO).await;
        Followed::Ended(ending_of(Reason::Internal, Some("A part of its output was lost.".into())))
    }
}

/// What a frame was.
enum Took {
    Nothing,
    /// The command runs: from here on its wall time counts.
    Started,
    Output(Output),
    End(Ending),
}

/// An ending that the engine states itself.
pub(crate) fn ending_of(reason: Reason, detail: Option<String>) -> Ending {
    Ending {
        reason,
        detail,
        exit_code: None,
        signal: None,
        peak_memory_bytes: None,
        cpu_ms: None,
        log_bytes: 0,
        truncated: false,
        output_bytes: 0,
    }
}

async fn heard(wishes: &mut Option<coderoom_backing::bus::Subscription>) {
    match wishes {
        Some(wishes) => {
            wishes.next().await;
        }
        None => std::future::pending().await,
    }
}

/// The writer of a run's log, as drivers use it.
pub(super) type Log = LogWriter;
