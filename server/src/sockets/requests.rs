//! What a client can ask for on the control channel: one function for each request. Who may do what is checked here,
//! anew for every request, so that a role that changed counts at once.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use coderoom_protocol::{
    control::{FileWritten, Request},
    ids::RunId,
    problem::{ErrorCode, WireError},
    run::Run,
    tree::NodeKind,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{control::Speaker, follow_log};
use crate::{
    people::{Action, Right},
    submit::{self, SubmitWish},
};

/// Largest blob that can be made over the control channel, in bytes.
const MAX_BLOB_BYTES: usize = 1024 * 1024;

type Answer = Result<Value, WireError>;

/// Whether the request must run after those before it: everything whose result depends on what they changed.
pub(super) fn keeps_order(request: &Request) -> bool {
    match request {
        Request::Submit { .. }
        | Request::Rerun { .. }
        | Request::CreateFile { .. }
        | Request::CreateBlob { .. }
        | Request::Move { .. }
        | Request::Delete { .. }
        | Request::SetMain { .. }
        | Request::WriteFile { .. }
        | Request::Tree {} => true,
        Request::Stop { .. } | Request::Follow { .. } | Request::Unfollow { .. } | Request::Ping {} => false,
    }
}

/// Does one request.
pub(super) async fn perform(speaker: &Arc<Speaker>, request: Request) -> Answer {
    let Speaker { socket, identity, .. } = &**speaker;
    socket.app.people.require(identity, socket.task, right_for(&request)).await?;
    match request {
        Request::Submit { command, remarks } => submit(speaker, command, remarks).await,
        Request::Stop { run } => stop(speaker, run).await,
        Request::Rerun { run } => rerun(speaker, run).await,
        Request::Follow { run, offset } => follow(speaker, run, offset).await,
        Request::Unfollow { run } => Ok(unfollow(speaker, run)),
        Request::CreateFile { path, text } => create_file(speaker, &path, text.as_deref().unwrap_or_default()).await,
        Request::CreateBlob { path, base64 } => create_blob(speaker, &path, &base64).await,
        Request::Move { from, to } => move_path(speaker, &from, &to).await,
        Request::Delete { path, new_main } => delete_path(speaker, &path, new_main.as_deref()).await,
        Request::SetMain { path } => set_main(speaker, &path).await,
        Request::WriteFile { path, text } => write_file(speaker, &path, text).await,
        Request::Tree {} => tree(speaker).await,
        Request::Ping {} => Ok(nothing()),
    }
}

/// What a request needs; the table of `docs/security.md` says the same.
fn right_for(request: &Request) -> Right {
    match request {
        Request::Submit { .. } | Request::Stop { .. } | Request::Rerun { .. } => Right::Run,
        Request::CreateFile { .. }
        | Request::CreateBlob { .. }
        | Request::Move { .. }
        | Request::Delete { .. }
        | Request::SetMain { .. }
        | Request::WriteFile { .. } => Right::Edit,
        Request::Follow { .. } | Request::Unfollow { .. } | Request::Tree {} | Request::Ping {} => Right::Read,
    }
}

/// The result of requests that have none.
pub(super) fn nothing() -> Value {
    json!({})
}

async fn submit(speaker: &Speaker, command: Option<String>, remarks: Option<String>) -> Answer {
    let wish = SubmitWish { task: speaker.socket.task, user: speaker.identity.user, command, remarks };
    result(&submit::submit(&speaker.socket.app, wish).await?)
}

async fn stop(speaker: &Speaker, run: RunId) -> Answer {
    check_run(speaker, run).await?;
    let Speaker { socket, identity, .. } = speaker;
    let stopped = socket.app.runs.stop(run, identity.user).await?;
    socket.app.people.note(identity.user, Action::Stop, Some(socket.task), &run.to_string()).await;
    result(&stopped)
}

async fn rerun(speaker: &Speaker, run: RunId) -> Answer {
    let run = check_run(speaker, run).await?;
    result(&submit::rerun_of(&speaker.socket.app, &speaker.identity, &run).await?)
}

async fn follow(speaker: &Arc<Speaker>, run: RunId, offset: u64) -> Answer {
    check_run(speaker, run).await?;
    follow_log::begin(speaker, run, offset).await?;
    Ok(nothing())
}

fn unfollow(speaker: &Speaker, run: RunId) -> Value {
    follow_log::end(speaker, run);
    nothing()
}

async fn create_file(speaker: &Speaker, path: &str, text: &str) -> Answer {
    let app = &speaker.socket.app;
    app.people.check_upload(speaker.socket.task).await?;
    result(&app.tasks.create_text(speaker.socket.task, &speaker.identity, path, text).await?)
}

async fn create_blob(speaker: &Speaker, path: &str, base64: &str) -> Answer {
    let app = &speaker.socket.app;
    let bytes = STANDARD
        .decode(base64)
        .map_err(|error| WireError::new(ErrorCode::BadRequest, format!("The bytes are not good base64: {error}.")))?;
    if bytes.len() > MAX_BLOB_BYTES {
        let message = format!("A blob made here may have at most {MAX_BLOB_BYTES} bytes; upload it over HTTP.");
        return Err(WireError::new(ErrorCode::BodyTooLarge, message));
    }
    app.people.check_upload(speaker.socket.task).await?;
    result(&app.tasks.create_blob(speaker.socket.task, &speaker.identity, path, bytes.into()).await?)
}

async fn move_path(speaker: &Speaker, from: &str, to: &str) -> Answer {
    let app = &speaker.socket.app;
    result(&app.tasks.move_path(speaker.socket.task, &speaker.identity, from, to).await?)
}

async fn delete_path(speaker: &Speaker, path: &str, new_main: Option<&str>) -> Answer {
    let app = &speaker.socket.app;
    result(&app.tasks.delete_path(speaker.socket.task, &speaker.identity, path, new_main).await?)
}

async fn set_main(speaker: &Speaker, path: &str) -> Answer {
    let app = &speaker.socket.app;
    result(&app.tasks.set_main(speaker.socket.task, &speaker.identity, path).await?)
}

async fn write_file(speaker: &Speaker, path: &str, text: String) -> Answer {
    let (app, task) = (&speaker.socket.app, speaker.socket.task);
    app.people.check_upload(task).await?;
    if app.tasks.file_at(task, path).await?.is_none() {
        match app.tasks.create_text(task, &speaker.identity, path, &text).await {
            Ok(created) => {
                let row = app.tasks.file(task, created.file).await?;
                let seq = row.map(|row| row.seq).unwrap_or_default();
                return result(&FileWritten { file: created.file, seq, changed: true });
            }
            // Somebody else was quicker.
            Err(error) if error.code == ErrorCode::PathTaken => {}
            Err(error) => return Err(error),
        }
    }
    let row = app.tasks.file_at(task, path).await?.ok_or_else(|| WireError::plain(ErrorCode::NotFound))?;
    if row.kind != NodeKind::Text {
        return Err(WireError::plain(ErrorCode::NotText));
    }
    result(&app.rooms.write_text(task, row.id, text).await?)
}

async fn tree(speaker: &Speaker) -> Answer {
    let (_, tree) = speaker.socket.app.tasks.tree(speaker.socket.task).await?;
    result(&tree)
}

/// A run of another task looks like one that does not exist.
async fn check_run(speaker: &Speaker, run: RunId) -> Result<Run, WireError> {
    let run = speaker.socket.app.runs.get(run).await?;
    if run.task == speaker.socket.task {
        Ok(run)
    } else {
        Err(WireError::new(ErrorCode::NotFound, "There is no such run."))
    }
}

fn result(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "a result could not be encoded");
        WireError::plain(ErrorCode::Internal)
    })
}
