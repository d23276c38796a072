//! The way into a task or a run, and out of it: who may not see it is told that it is not there.

use std::{io, time::Duration};

use coderoom_backing::objects::ByteStream;
use coderoom_protocol::{
    ids::{RunId, TaskId},
    problem::{ErrorCode, WireError},
    role::Role,
    run::Run,
};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::{
    app::App,
    people::{Identity, Right},
    tasks::no_such_task,
};

/// How often it is looked whether who reads a long answer still may.
const RECHECK: Duration = Duration::from_millis(500);

/// A task that the caller has entered with the right they need.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// The task.
    pub task: TaskId,
    /// What they may do in it.
    pub role: Role,
}

/// The task written in a path. What is no id looks like a task that is not there.
pub(super) fn task_id(text: &str) -> Result<TaskId, ErrorCode> {
    text.parse().map_err(|_| ErrorCode::NotFound)
}

/// Lets somebody into the task written in a path. `not_found` for strangers, `not_allowed` for members whose role or token
/// does not have the right.
pub async fn enter(app: &App, identity: &Identity, task: &str, right: Right) -> Result<Entered, WireError> {
    let task = task.parse().map_err(|_| no_such_task())?;
    match app.people.require(identity, task, right).await {
        Ok(role) => Ok(Entered { task, role }),
        Err(error) if error.code == ErrorCode::NotFound => Err(no_such_task()),
        Err(error) => Err(error),
    }
}

/// Lets somebody to the run written in a path, by their role in its task.
pub async fn enter_run(app: &App, identity: &Identity, run: &str, right: Right) -> Result<Run, WireError> {
    let missing = || WireError::new(ErrorCode::NotFound, "There is no such run, or you are not a member of its task.");
    let run: RunId = run.parse().map_err(|_| missing())?;
    let as_missing = |error: WireError| if error.code == ErrorCode::NotFound { missing() } else { error };
    let run = app.runs.get(run).await.map_err(as_missing)?;
    app.people.require(identity, run.task, right).await.map_err(as_missing)?;
    Ok(run)
}

/// What is read for somebody while it is sent: it breaks off when they are no member any more.
pub(super) fn while_entered(app: App, identity: Identity, task: TaskId, bytes: ByteStream) -> ByteStream {
    let reading = (bytes, Instant::now());
    let next = move |(mut bytes, mut looked): (ByteStream, Instant)| {
        let (app, identity) = (app.clone(), identity.clone());
        async move {
            let piece = bytes.next().await?;
            if looked.elapsed() >= RECHECK {
                looked = Instant::now();
                if matches!(app.people.standing(&identity, task).await, Ok(None)) {
                    let ended = Err(io::Error::other("its reader is no member any more"));
                    return Some((ended, (stream::empty().boxed(), looked)));
                }
            }
            Some((piece, (bytes, looked)))
        }
    };
    stream::unfold(reading, next).boxed()
}
