//! Announcements about a task on the bus. They are hints: who hears [`coderoom_backing::bus::BusEvent::Lost`] reads the tables.

use coderoom_protocol::{
    ids::{RunId, TaskId, UserId},
    run::Run,
    tree::TreeChange,
};
use serde::{Deserialize, Serialize};

/// What happened in a task. Internal to the nodes; clients never see this form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TaskEvent {
    /// A run is new or changed.
    Run {
        /// As it is now.
        run: Box<Run>,
    },
    /// The tree changed.
    Tree {
        /// Revision after it.
        revision: u64,
        /// What changed.
        changes: Vec<TreeChange>,
        /// Who did it, by name.
        by: String,
    },
    /// Name, language or remarks changed.
    Task {},
    /// Somebody's role changed or ended: read it again.
    Members {
        /// Whose.
        user: UserId,
    },
    /// The task is gone.
    Deleted {},
}

/// Topic of a task's [`TaskEvent`]s (JSON).
#[must_use]
pub fn task_topic(task: TaskId) -> String {
    format!("task/{task}")
}

/// Topic on which the end offset of a run's log is announced (decimal), or `end` when it is complete.
#[must_use]
pub fn log_topic(run: RunId) -> String {
    format!("log/{run}")
}

/// Stream (on the bus) of the live part of a run's log.
#[must_use]
pub fn log_stream(run: RunId) -> String {
    format!("log-{run}")
}

/// Topic on which a wish to stop a run is announced, to whichever worker has it.
#[must_use]
pub fn stop_topic(run: RunId) -> String {
    format!("stop/{run}")
}

/// Topic on which it is announced that the line of waiting runs moved. The message is one digit, the state some run went to.
pub const LINE_TOPIC: &str = "runs/line";
