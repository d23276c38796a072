//! `welcome`: what a client needs to begin, read from the tables.

use coderoom_protocol::{
    control::{PROTOCOL_VERSION, Welcome},
    ids::TaskId,
    problem::{ErrorCode, WireError},
    role::Role,
};

use crate::{app::App, people::Identity};

/// Runs in `welcome`.
const NEWEST_RUNS: u32 = 20;

/// The task as it is now, for this person. `not_found` when it was deleted meanwhile.
pub(super) async fn read(app: &App, task: TaskId, identity: &Identity, role: Role) -> Result<Box<Welcome>, WireError> {
    let (summary, tree, runs) =
        tokio::try_join!(app.tasks.summary(task), app.tasks.tree(task), app.runs.newest(task, NEWEST_RUNS))?;
    let (revision, tree) = tree;
    Ok(Box::new(Welcome {
        protocol: PROTOCOL_VERSION,
        task: summary.ok_or_else(|| WireError::plain(ErrorCode::NotFound))?,
        user: identity.summary(),
        role,
        limits: app.limits.clone(),
        revision,
        tree,
        runs,
    }))
}
