//! The loop of process 1 while the command runs: passes its output on, keeps the clock, hears TERM, reaps.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use coderoom_protocol::control::LogStream;
use nix::sys::signalfd::{SfdFlags, SigSet, SignalFd};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, WaitStatus, getpid},
};

use super::{
    capped_log::{CappedLog, MAX_PIECE_BYTES, Piece},
    command::{self, UserCommand},
    spool::{RETRY, Spool},
};
use crate::executor::RunLimits;

/// Longest that output waits for more to come, and only when it comes faster than this.
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How much of the end of standard error is remembered for messages, in bytes.
const LAST_WORDS_BYTES: usize = 512;
/// Longest wait for killed processes to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Signals that process 1 listens to, blocked and read from a descriptor.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// What [`Signals::take`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Somebody outside asks for the end.
    pub stop: bool,
    /// A process ended.
    pub child: bool,
}

impl Signals {
    /// Blocks TERM and CHLD for this process. Processes started later have them unblocked by `enter`.
    pub fn listen() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        set.add(nix::sys::signal::Signal::SIGTERM);
        set.add(nix::sys::signal::Signal::SIGCHLD);
        set.thread_block()?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self)
    }

    /// Takes what has come, without waiting.
    pub fn take(&mut self) -> Heard {
        let mut heard = Heard::default();
        while let Ok(Some(info)) = self.0.read_signal() {
            if info.ssi_signo == nix::libc::SIGCHLD as u32 {
                heard.child = true;
            } else {
                // The sender has no number in this namespace if it is outside of it. User code that
                // sends TERM to process 1 does not get the run recorded as stopped by somebody.
                heard.stop |= info.ssi_pid == 0 || getpid() != Pid::INIT;
            }
        }
        heard
    }
}

/// Why the command had to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its wall time was up.
    TimeLimit,
    /// TERM came from outside.
    Stopped,
}

/// How it ended.
#[derive(Debug)]
pub struct Watched {
    /// Status of the command; `None` if it could not be reaped.
    pub status: Option<WaitStatus>,
    /// Why it had to end, unless it ended by itself.
    pub cause: Option<Cause>,
    /// Whether output was left out.
    pub truncated: bool,
    /// End of what it printed as errors.
    pub last_words: Vec<u8>,
    /// Bytes in the log.
    pub log_bytes: u64,
}

/// The state of the loop.
struct Watch<'a> {
    spool: &'a mut Spool,
    log: CappedLog,
    held_stream: LogStream,
    held: Vec<u8>,
    /// Far enough back at first that the first line goes out at once.
    last_emit: Instant,
    last_words: Vec<u8>,
}

/// Watches until the command has ended and nothing of it is left. An error means that the spool is lost.
pub fn watch(user: &UserCommand, limits: &RunLimits, signals: &mut Signals, spool: &mut Spool) -> io::Result<Watched> {
    let log = CappedLog::new(limits.log_bytes);
    let mut watch = Watch {
        spool,
        log,
        held_stream: LogStream::Out,
        held: Vec::with_capacity(2 * READ_BYTES),
        last_emit: Instant::now().checked_sub(FLUSH_EVERY).unwrap_or_else(Instant::now),
        last_words: Vec::new(),
    };
    let mut deadline = Instant::now() + Duration::from_millis(limits.wall_ms);
    let grace = Duration::from_millis(limits.grace_ms);
    let (mut cause, mut killed, mut ended) = (None, false, None);
    let mut open = [true, true];
    let mut buffer = vec![0_u8; READ_BYTES];

    let status = loop {
        let blocked = !watch.spool.flush()?;
        let wake = [Some(deadline), watch.due(), blocked.then(|| Instant::now() + RETRY)];
        let ready = wait(signals, user, open.map(|is| is && !blocked), wake.into_iter().flatten().min())?;
        let heard = signals.take();
        let now = Instant::now();
        if heard.child {
            ended = ended.or(command::reap(user.pid));
        }
        // A shell ends at once when it is asked to; what it started may still be tidying up.
        if ended.is_some() && (cause.is_none() || !user.group_is_alive()) {
            break ended;
        }
        if heard.stop || now >= deadline {
            // The second request, or the end of the grace time, ends everything.
            match cause {
                None => {
                    cause = Some(if heard.stop { Cause::Stopped } else { Cause::TimeLimit });
                    user.terminate();
                    deadline = now + grace;
                }
                Some(_) if !killed => {
                    command::kill_once();
                    killed = true;
                    deadline = now + KILL_PATIENCE;
                }
                // Not even KILL ends it: it hangs in the kernel. Leave it to whoever removes the box.
                Some(_) => break ended,
            }
        }
        for (index, stream) in [LogStream::Out, LogStream::Err].into_iter().enumerate() {
            if ready[index] {
                open[index] = watch.read(user, stream, &mut buffer);
            }
        }
        watch.emit_if_due(now);
    };

    let status = status.or(command::kill_everything(Some(user.pid), KILL_PATIENCE));
    // Nobody is left to write: what is in the pipes is all there is.
    for (index, stream) in [LogStream::Out, LogStream::Err].into_iter().enumerate() {
        while open[index] && watch.read_once(user, stream, &mut buffer) == Read::Some {
            if !watch.spool.flush()? {
                watch.spool.flush_all()?;
            }
        }
    }
    watch.emit_held(watch.held.len());
    let Watch { log, spool, last_words, .. } = &mut watch;
    let truncated = log.finish(&mut |piece| push(spool, piece));
    Ok(Watched { status, cause, truncated, last_words: std::mem::take(last_words), log_bytes: log.len() })
}

/// Waits for signals, output or `until`; tells which pipes are ready.
fn wait(signals: &Signals, user: &UserCommand, want: [bool; 2], until: Option<Instant>) -> io::Result<[bool; 2]> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = left.and_then(|left| Timespec::try_from(left + Duration::from_micros(100)).ok());
    let mut fds = vec![PollFd::from_borrowed_fd(signals.0.as_fd(), PollFlags::IN)];
    // A closed pipe that nobody wants to read would end every wait at once, so it is not asked about.
    let places = [(want[0], user.stdout.as_fd()), (want[1], user.stderr.as_fd())]
        .map(|(want, fd)| want.then(|| fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN))).map(|()| fds.len() - 1));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => Ok(places.map(|place| place.and_then(|at| fds.get(at)).is_some_and(|fd| !fd.revents().is_empty()))),
        Err(Errno::INTR) => Ok([false, false]),
        Err(error) => Err(error.into()),
    }
}

#[derive(PartialEq, Eq)]
enum Read {
    Some,
    Empty,
    Closed,
}

impl Watch<'_> {
    /// Reads one stream once; whether it is still open.
    fn read(&mut self, user: &UserCommand, stream: LogStream, buffer: &mut [u8]) -> bool {
        self.read_once(user, stream, buffer) != Read::Closed
    }

    fn read_once(&mut self, user: &UserCommand, stream: LogStream, buffer: &mut [u8]) -> Read {
        let fd: BorrowedFd<'_> = if stream == LogStream::Out { user.stdout.as_fd() } else { user.stderr.as_fd() };
        let count = match rustix::io::read(fd, &mut *buffer) {
            Ok(0) => return Read::Closed,
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Read::Empty,
            Err(_) => return Read::Closed,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if stream == LogStream::Err {
            self.last_words.extend_from_slice(bytes);
            let over = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
            self.last_words.drain(..over);
        }
        if stream != self.held_stream {
            self.emit_held(self.held.len());
            self.held_stream = stream;
        }
        self.held.extend_from_slice(bytes);
        // Whole pieces need not wait for more.
        self.emit_held(self.held.len() / MAX_PIECE_BYTES * MAX_PIECE_BYTES);
        Read::Some
    }

    /// When what is held has to go out.
    fn due(&self) -> Option<Instant> {
        (!self.held.is_empty()).then(|| self.last_emit + FLUSH_EVERY)
    }

    fn emit_if_due(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.emit_held(self.held.len());
        }
    }

    /// Passes on the first `count` bytes of what is held.
    fn emit_held(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let Self { log, spool, held, held_stream, .. } = self;
        log.push(*held_stream, held.get(..count).unwrap_or_default(), &mut |piece| push(spool, piece));
        held.drain(..count);
        self.last_emit = Instant::now();
    }
}

fn push(spool: &mut Spool, piece: Piece) {
    spool.push_output(piece);
}
