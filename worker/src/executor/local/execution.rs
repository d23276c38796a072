//! A run that was started here: its frames, its stop, its end, its removal.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use coderoom_protocol::{
    run::Reason,
    supervisor::{Body, Ending, Frame},
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::{
    io::unix::AsyncFd,
    time::{Instant, sleep},
};

use super::{
    Inner,
    cgroup::Facts,
    facts,
    run_dir::{RunDir, RunState, start_time},
    tail::Tail,
};
use crate::executor::StartError;

/// Longest wait for the supervisor to write its ending after it was told to kill everything.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for killed processes to be gone when a run is removed.
const REMOVE_PATIENCE: Duration = Duration::from_secs(5);

/// A run started here. Dropping it leaves the run alone: it goes on and can be adopted.
#[derive(Debug)]
pub struct LocalExecution {
    inner: Arc<Inner>,
    dir: RunDir,
    state: RunState,
    tail: Tail,
    process: Option<Arc<AsyncFd<OwnedFd>>>,
    /// The process is gone: what can be read now is all.
    gone: bool,
    /// The last frame was given.
    ended: bool,
    /// Also held by the task that follows a stop up.
    stopping: Arc<AtomicBool>,
}

impl LocalExecution {
    pub(super) fn open(inner: Arc<Inner>, dir: RunDir, state: RunState) -> io::Result<Self> {
        let tail = Tail::open(&dir.spool(), &state.nonce)?;
        let process = state.pid.and_then(|pid| open_process(pid, state.start_time)).map(Arc::new);
        let gone = process.is_none();
        Ok(Self { inner, dir, state, tail, process, gone, ended: false, stopping: Arc::default() })
    }

    pub(in crate::executor) async fn next_frame(&mut self) -> Result<Option<Frame>, StartError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            if let Some(mut frame) = self.tail.take() {
                if let Body::End(ending) = &mut frame.body {
                    facts::correct(ending, &self.facts());
                    self.ended = true;
                }
                return Ok(Some(frame));
            }
            // The order matters: what was written before the process went is read after it was seen gone.
            let gone = self.gone;
            if self.tail.read().await.map_err(|error| unreadable(&error))? {
                continue;
            }
            if gone {
                self.ended = true;
                return Ok(None);
            }
            let Some(process) = &self.process else {
                self.gone = true;
                continue;
            };
            tokio::select! {
                () = self.tail.news() => {}
                _ = process.readable() => self.gone = true,
            }
        }
    }

    pub(in crate::executor) async fn stop(&self, grace: Duration) {
        let Some(process) = self.process.clone() else { return };
        if self.stopping.swap(true, Ordering::AcqRel) {
            return;
        }
        signal(&process, Signal::TERM);
        let cgroups = self.state.cgroups.clone();
        tokio::spawn(async move {
            if tokio::time::timeout(grace, process.readable()).await.is_ok() {
                return;
            }
            // The second request makes the supervisor kill everything and still write how it ended.
            signal(&process, Signal::TERM);
            if tokio::time::timeout(ENDING_PATIENCE, process.readable()).await.is_ok() {
                return;
            }
            // With process 1 the kernel ends every process of the box.
            signal(&process, Signal::KILL);
            if let Some(cgroups) = cgroups {
                cgroups.kill();
            }
        });
    }

    pub(in crate::executor) async fn lost_ending(&self) -> Ending {
        facts::lost(&self.facts(), self.stopping.load(Ordering::Acquire), self.tail.log_bytes())
    }

    pub(in crate::executor) async fn output_archive(&self) -> Option<PathBuf> {
        let path = self.dir.output();
        let meta = tokio::fs::symlink_metadata(&path).await.ok()?;
        (meta.is_file() && meta.len() > 0).then_some(path)
    }

    pub(in crate::executor) async fn remove(self) {
        end_and_remove(&self.inner, &self.dir, &self.state, self.process.as_deref()).await;
    }

    fn facts(&self) -> Facts {
        self.state.cgroups.as_ref().map(super::cgroup::RunCgroups::facts).unwrap_or_default()
    }
}

/// Kills what is left of a run and removes its groups, its directories and its hold on a user.
pub(super) async fn end_and_remove(inner: &Inner, dir: &RunDir, state: &RunState, process: Option<&AsyncFd<OwnedFd>>) {
    if let Some(process) = process {
        signal(process, Signal::KILL);
    }
    let deadline = Instant::now() + REMOVE_PATIENCE;
    let mut left = true;
    while left && Instant::now() < deadline {
        left = match &state.cgroups {
            Some(cgroups) => !cgroups.kill() || !cgroups.remove_now(),
            None => dir.is_alive(),
        };
        if left {
            sleep(Duration::from_millis(2)).await;
        }
    }
    if left {
        tracing::error!(run.dir = ?dir, "processes of a run could not be ended");
    } else if let (Some(uids), Some(uid)) = (&inner.uids, state.uid) {
        uids.give_back(uid);
    }
    let (dir, work) = (dir.clone(), state.plain_work.clone());
    let removed = tokio::task::spawn_blocking(move || {
        if let Some(work) = work {
            // Goes by descriptors and follows no link.
            let _ = std::fs::remove_dir_all(work);
        }
        dir.remove()
    });
    match removed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "directory of a run could not be removed"),
        Err(error) => tracing::warn!(%error, "directory of a run could not be removed"),
    }
}

/// The process, if it is still the one that was started then.
pub(super) fn open_process(pid: i32, started: Option<u64>) -> Option<AsyncFd<OwnedFd>> {
    let fd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    // Asked after opening: if the time is right now, the descriptor is of the right process.
    let now = start_time(pid)?;
    if started.is_some_and(|started| started != now) {
        return None;
    }
    // Readable means ended; there is nothing to read or write.
    #[expect(
        deprecated,
        reason = "an owned descriptor gives the same number for as long as it lives; the successor is unsafe"
    )]
    let process = AsyncFd::with_interest(fd, tokio::io::Interest::READABLE);
    process.ok()
}

fn signal(process: &AsyncFd<OwnedFd>, signal: Signal) {
    let _ = pidfd_send_signal(process, signal);
}

fn unreadable(error: &io::Error) -> StartError {
    StartError { reason: Reason::Internal, detail: format!("read the run's frames: {error}"), retry: true }
}
