//! Streams a run's log: what the program wrote to standard output goes to ours, standard error to ours, byte for byte but
//! for what a terminal would obey. Survives a broken connection: it goes on at the byte where it was.

use std::{
    borrow::Cow,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::Context as _;
use base64::Engine as _;
use coderoom_protocol::{
    client::{ApiClient, ClientError, RoomClient, RoomEvent, RoomMode},
    control::{LogStream, Request, ServerMessage},
    ids::{RunId, TaskId},
    run::Run,
};

use super::{OWN_FAILURE, say, terminal::Harmless};

/// Pause before connecting again; grows to the second value.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Attempts to connect again, one after the other without any success between them.
const MAX_ATTEMPTS: u32 = 20;

/// How long after the log's end the run's last state may take to arrive before it is asked for.
const LAST_STATE: Duration = Duration::from_secs(5);

/// A run that is followed.
#[derive(Debug)]
struct Followed {
    run: RunId,
    /// First byte that is still missing.
    offset: u64,
    /// Whether the log is complete.
    log_ended: bool,
    /// The run as last heard.
    last: Option<Run>,
    /// What was last said about its phase.
    said: String,
    /// Whether phases are shown: only to a person.
    shows_phases: bool,
    screen: Screen,
}

/// Where the program's output goes; a filter where that is a terminal.
#[derive(Debug)]
struct Screen {
    out: Option<Harmless>,
    err: Option<Harmless>,
}

/// How a run is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Ctrl-C stops the run.
    pub(super) stops: bool,
    /// A terminal gets everything as the program wrote it.
    pub(super) raw: bool,
}

/// Follows the run to its end and gives the exit code for this process.
pub(super) async fn follow(api: &ApiClient, task: TaskId, run: RunId, how: How) -> anyhow::Result<u8> {
    let mut followed = Followed {
        run,
        offset: 0,
        log_ended: false,
        last: None,
        said: String::new(),
        shows_phases: std::io::stderr().is_terminal(),
        screen: Screen::new(how.raw),
    };
    let interrupted = async {
        loop {
            if tokio::signal::ctrl_c().await.is_err() || !how.stops {
                return;
            }
            say("stopping the run");
            let stopped: Result<Run, _> = api.post(&format!("/api/v1/runs/{run}/stop"), &serde_json::json!({})).await;
            if let Err(error) = stopped {
                say(&format!("cannot stop it: {error}"));
            }
        }
    };
    let ended = tokio::select! {
        ended = follow_through(api, task, &mut followed) => Some(ended),
        () = interrupted => None,
    };
    followed.screen.finish();
    let Some(()) = ended.transpose()? else { return Ok(130) };
    let ended = match followed.last {
        Some(run) if run.state.is_final() => run,
        _ => api.get(&format!("/api/v1/runs/{run}")).await.context("read how the run ended")?,
    };
    Ok(exit_code(&ended))
}

/// Connects again as long as the connection breaks.
async fn follow_through(api: &ApiClient, task: TaskId, followed: &mut Followed) -> anyhow::Result<()> {
    let (mut pause, mut attempts) = (RECONNECT.0, 0);
    loop {
        let before = followed.offset;
        match follow_once(api, task, followed).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error @ ClientError::Refused(_)) => return Err(error.into()),
            Err(error) if attempts >= MAX_ATTEMPTS => return Err(error).context("follow the log"),
            Err(_) => {}
        }
        if followed.offset > before {
            (pause, attempts) = (RECONNECT.0, 0);
        }
        attempts += 1;
        anyhow::ensure!(attempts <= MAX_ATTEMPTS, "the server closes the connection again and again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RECONNECT.1);
    }
}

/// Follows on one connection; true when everything was heard.
async fn follow_once(api: &ApiClient, task: TaskId, followed: &mut Followed) -> Result<bool, ClientError> {
    let mut room = RoomClient::connect(api, task, RoomMode::Text).await?;
    let wish = Request::Follow { run: followed.run, offset: followed.offset };
    let _: serde_json::Value = room.request(wish).await?;
    while !followed.is_over() {
        let event = if followed.log_ended {
            match tokio::time::timeout(LAST_STATE, room.next()).await {
                Ok(event) => event?,
                Err(_) => return Ok(true),
            }
        } else {
            room.next().await?
        };
        match event {
            Some(RoomEvent::Message(message)) => followed.hear(*message)?,
            Some(RoomEvent::Frame(_)) => {}
            None => return Ok(followed.is_over()),
        }
    }
    Ok(true)
}

impl Followed {
    fn is_over(&self) -> bool {
        self.log_ended && self.last.as_ref().is_some_and(|run| run.state.is_final())
    }

    fn hear(&mut self, message: ServerMessage) -> Result<(), ClientError> {
        match message {
            ServerMessage::Log { run, offset, end, stream, text, base64, .. } if run == self.run => {
                let bytes = match base64 {
                    None => text.into_bytes(),
                    Some(exact) => base64::engine::general_purpose::STANDARD
                        .decode(exact)
                        .map_err(|error| ClientError::Unexpected(error.to_string()))?,
                };
                // After a new connection a piece may begin before what is missing.
                let seen = usize::try_from(self.offset.saturating_sub(offset)).unwrap_or(usize::MAX);
                self.screen.write(stream, bytes.get(seen..).unwrap_or_default());
                self.offset = self.offset.max(end);
            }
            ServerMessage::LogEnd { run, .. } if run == self.run => self.log_ended = true,
            ServerMessage::Run { run } if run.id == self.run => self.note(*run),
            ServerMessage::Welcome(welcome) => {
                let known = welcome.runs.into_iter().find(|run| run.id == self.run);
                known.into_iter().for_each(|run| self.note(run));
            }
            _ => {}
        }
        Ok(())
    }

    fn note(&mut self, run: Run) {
        if self.shows_phases && !run.state.is_final() && run.phase != self.said {
            say(&run.phase);
            self.said.clone_from(&run.phase);
        }
        self.last = Some(run);
    }
}

impl Screen {
    fn new(raw: bool) -> Self {
        let filter = |is_terminal: bool| (is_terminal && !raw).then(Harmless::default);
        Self { out: filter(std::io::stdout().is_terminal()), err: filter(std::io::stderr().is_terminal()) }
    }

    /// What the program wrote goes where it wrote it; what was written about it goes to standard error.
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        match stream {
            LogStream::Out => print_out(&shown(&mut self.out, bytes)),
            LogStream::Err | LogStream::Sys => print_err(&shown(&mut self.err, bytes)),
        }
    }

    /// Nothing follows.
    fn finish(&mut self) {
        print_out(&self.out.as_mut().map(Harmless::finish).unwrap_or_default());
        print_err(&self.err.as_mut().map(Harmless::finish).unwrap_or_default());
    }
}

fn shown<'a>(filter: &mut Option<Harmless>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    match filter {
        Some(filter) => filter.pass(bytes).into(),
        None => bytes.into(),
    }
}

// A reader that went away (`| head`) is no reason to stop the run.

fn print_out(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn print_err(bytes: &[u8]) {
    let _ = std::io::stderr().lock().write_all(bytes);
}

/// The program's exit code, 128 + the signal that ended it, or our own failure, with a sentence that says why.
fn exit_code(run: &Run) -> u8 {
    let code = match (run.exit_code, run.signal) {
        (Some(code), _) => u8::try_from(code).unwrap_or(OWN_FAILURE),
        (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(OWN_FAILURE),
        (None, None) if run.stopped_by.is_some() => 130,
        (None, None) => OWN_FAILURE,
    };
    if run.exit_code.is_none()
        && let Some(message) = &run.message
    {
        say(message);
    }
    code
}
