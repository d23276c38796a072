//! Runs as clients see them: states and their allowed moves, reasons with their words, the record itself.

use serde::{Deserialize, Serialize};

use crate::ids::{RunId, TaskId, UserId};

/// Where a run stands. The numbers are what users of the HTTP interface and the tables see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(into = "u8", try_from = "u8")]
#[ts(type = "0 | 1 | 2 | 3 | 4 | 5")]
pub enum RunState {
    /// 0: the task has no run yet. No run row ever holds this state.
    NotSubmitted = 0,
    /// 1: stored and waiting for a free worker.
    Queued = 1,
    /// 2: claimed by a worker.
    Running = 2,
    /// 3: the program ended with exit code 0.
    Done = 3,
    /// 4: anything else ended it; the reason says what.
    Failed = 4,
    /// 5: a person or program stopped it.
    Stopped = 5,
}

impl RunState {
    /// Whether nothing can change this run any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stopped)
    }

    /// Whether the state may become `next`: 1→2, 1→4, 1→5, 2→3, 2→4, 2→5 and nothing else.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Queued, Self::Running | Self::Failed | Self::Stopped)
                | (Self::Running, Self::Done | Self::Failed | Self::Stopped)
        )
    }
}

impl From<RunState> for u8 {
    fn from(state: RunState) -> Self {
        state as Self
    }
}

impl TryFrom<u8> for RunState {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        use RunState::{Done, Failed, NotSubmitted, Queued, Running, Stopped};
        [NotSubmitted, Queued, Running, Done, Failed, Stopped]
            .into_iter()
            .find(|state| *state as u8 == number)
            .ok_or_else(|| format!("{number} is not a run state; they go from 0 to 5"))
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $word:literal, $sentence:literal, $hint:literal;)*) => {
        /// Why a run ended as it did: a closed list, each with a sentence and a hint for the person who reads it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, for tables of words and for tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word used in tables and JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What happened, as one sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What the person can do about it, as one sentence; empty when there is nothing to do.
            #[must_use]
            pub fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }
    };
}

reasons! {
    /// The program ended by itself; the exit code says how.
    ExitCode "exit_code", "The program ended by itself.", "";
    /// The program was ended by a signal that is none of ours.
    Signal "signal", "The program was ended by a signal.", "Look at the end of the log for what it was doing.";
    /// The memory limit was reached.
    OutOfMemory "out_of_memory", "The program used more memory than it may.", "Use less memory, or ask for a larger limit.";
    /// The wall clock limit was reached.
    TimeLimit "time_limit", "The program ran longer than it may.", "Make it faster, split the work, or ask for a larger limit.";
    /// The log cap is set to end the run, and it was reached.
    OutputLimit "output_limit", "The program printed more than it may.", "Print less, or write to a file below output/.";
    /// The work directory is full.
    DiskLimit "disk_limit", "The program filled its disk.", "Write less, or delete files that are no longer needed.";
    /// The process limit was reached.
    PidsLimit "pids_limit", "The program started more processes than it may.", "Start fewer processes or threads.";
    /// A person or program stopped it.
    StoppedBy "stopped_by", "The run was stopped.", "";
    /// The interpreter of the task's language is not installed where the run was to start.
    InterpreterMissing "interpreter_missing", "The language's interpreter is not installed on the machine that runs the code.", "Ask whoever runs this server to install it.";
    /// The start command could not be started.
    CommandNotFound "command_not_found", "The start command was not found.", "Check the command's first word and that the file exists.";
    /// The container image is not to be had.
    ImageMissing "image_missing", "The container image for this language could not be fetched.", "Ask whoever runs this server to check the image's name and access.";
    /// No machine of the cluster fits.
    Unschedulable "unschedulable", "No machine had room for the run.", "Try again later.";
    /// A quota of the cluster is used up.
    Quota "quota", "The cluster's quota is used up.", "Try again when other runs have ended.";
    /// The cluster took the pod away.
    Evicted "evicted", "The cluster ended the run to protect a machine.", "Run it again.";
    /// The machine is gone.
    NodeLost "node_lost", "The machine that ran the program was lost.", "Run it again.";
    /// The process that ran it is gone and left no ending.
    WorkerLost "worker_lost", "The process that ran the program ended before the program did.", "Run it again.";
    /// It waited in the queue longer than it may.
    WaitedTooLong "waited_too_long", "The run waited in the queue longer than it may.", "Submit it again when fewer runs are waiting.";
    /// Its snapshot is not in object storage, or not what it should be.
    SnapshotMissing "snapshot_missing", "The run's files could not be read back.", "Submit it again.";
    /// The sandbox is weaker than the server's minimum, so code is refused.
    SandboxUnavailable "sandbox_unavailable", "This server cannot contain the program as its settings demand, so it does not start it.", "Ask whoever runs this server to look at /health and mend the sandbox.";
    /// A fault of the server.
    Internal "internal", "Something went wrong on the server's side.", "Run it again; if it happens again, tell whoever runs this server.";
}

impl Reason {
    /// The reason written as `word`, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

/// A run as clients see it: in HTTP answers, in `welcome`, in `run` events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// Its task.
    pub task: TaskId,
    /// Counts the task's runs from 1.
    pub number: u32,
    /// Who submitted it.
    pub user: UserId,
    /// The name that person shows to others.
    pub user_name: String,
    /// Where it stands.
    #[schema(value_type = u8, minimum = 1, maximum = 5)]
    pub state: RunState,
    /// What is going on, in words for people: "waiting, 3rd in line", "fetching files", "started".
    pub phase: String,
    /// Place in the queue, 1 is next; only while queued.
    pub queue_position: Option<u32>,
    /// Why it ended; only in a final state.
    pub reason: Option<Reason>,
    /// One or two sentences for people: what ended it and what to do; only in a final state.
    pub message: Option<String>,
    /// The command line that runs, for example `sh run.sh`.
    pub command: String,
    /// What the submitter wrote beside it.
    pub remarks: String,
    /// Exit code of the command, 0 to 255; only when it ended by itself.
    pub exit_code: Option<i32>,
    /// Signal number that ended the command, if one did.
    pub signal: Option<i32>,
    /// Highest memory use in bytes, where it could be measured.
    #[ts(type = "number | null")]
    pub peak_memory_bytes: Option<u64>,
    /// CPU time of all its processes in milliseconds.
    #[ts(type = "number | null")]
    pub cpu_ms: Option<u64>,
    /// How well the run is contained: `full`, `namespaces` or `none`; known once it started.
    pub sandbox: Option<String>,
    /// Bytes in the log so far.
    #[ts(type = "number")]
    pub log_bytes: u64,
    /// Whether output was left out because of the log cap.
    pub log_truncated: bool,
    /// Whether files were collected from `output/`.
    pub has_output: bool,
    /// Milliseconds since the Unix epoch when it was submitted.
    #[ts(type = "number")]
    pub submitted_at: i64,
    /// The same for when the command started.
    #[ts(type = "number | null")]
    pub started_at: Option<i64>,
    /// The same for when it reached a final state.
    #[ts(type = "number | null")]
    pub ended_at: Option<i64>,
    /// Who asked for the stop, by name; only when stopped or stopping.
    pub stopped_by: Option<String>,
}
