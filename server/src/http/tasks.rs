//! Tasks over HTTP: list, make, read, change, delete; the tree and what changes it as a whole.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{
    control::{Language, TreeChanged},
    people::Scope,
    problem::{ErrorCode, WireError},
    role::Role,
    run::RunState,
    task::{MainChoice, Move, NewTask, TaskChange, TaskDetail, TaskPage, TaskTree},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    API,
    access::{Entered, enter},
    body::Body,
    caller::Caller,
    problem::HttpResult,
    query::Query,
};
use crate::{
    app::App,
    people::{Action, Right},
    tasks::TaskFilter,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks, create_task))
        .routes(routes!(get_task, update_task, delete_task))
        .routes(routes!(get_tree))
        .routes(routes!(move_path))
        .routes(routes!(set_main))
}

/// What a list of tasks may be asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Every word of it must be in the name or the remarks, in any letter case.
    search: Option<String>,
    /// Only tasks of this language.
    language: Option<Language>,
    /// Only tasks whose newest run is in this state; 0: never submitted.
    #[param(minimum = 0, maximum = 5)]
    state: Option<u8>,
    /// Tasks of all users; for administrators.
    #[serde(default)]
    all: bool,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most tasks of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// The caller's tasks, the last changed first.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(ListQuery), responses(
    (status = 200, body = TaskPage), (status = 403, description = "not_allowed: `all` is for administrators"),
    (status = 422, description = "invalid")))]
async fn list_tasks(
    State(app): State<App>,
    Caller(identity): Caller,
    Query(query): Query<ListQuery>,
) -> HttpResult<Json<TaskPage>> {
    let state = query.state.map(RunState::try_from).transpose();
    let run_state = state.map_err(|sentence| WireError::new(ErrorCode::Invalid, format!("{sentence}.")))?;
    let ListQuery { search, language, all, cursor, limit, .. } = query;
    let filter = TaskFilter { search, language, run_state, all, cursor, limit };
    let mut page = app.tasks.list(&identity, &filter).await?;
    let ids: Vec<_> = page.tasks.iter().map(|task| task.id).collect();
    for (task, people) in page.tasks.iter_mut().zip(app.rooms.people_in(&ids).await) {
        task.here = people;
    }
    Ok(Json(page))
}

/// Makes a task with the default files of its language; the caller becomes its owner.
#[utoipa::path(post, path = "/tasks", tag = "tasks", request_body = NewTask, responses(
    (status = 201, body = TaskDetail), (status = 403, description = "not_allowed: the token"),
    (status = 409, description = "quota_reached"), (status = 422, description = "invalid")))]
async fn create_task(
    State(app): State<App>,
    Caller(identity): Caller,
    Body(new): Body<NewTask>,
) -> HttpResult<Response> {
    identity.require_scope(Scope::Edit)?;
    if identity.grant.tasks().is_some() {
        return Err(WireError::new(ErrorCode::NotAllowed, "A token for named tasks makes no new ones.").into());
    }
    app.people.check_new_task(identity.user).await?;
    let task = app.tasks.create(&identity, &new).await?;
    let detail = app.tasks.detail(task, Role::Owner, None).await?;
    let mut response = (StatusCode::CREATED, Json(detail)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("{API}/tasks/{task}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A task without its tree.
#[utoipa::path(get, path = "/tasks/{task}", tag = "tasks", params(("task" = String, Path, description = "the task")),
    responses((status = 200, body = TaskDetail), (status = 404, description = "not_found")))]
async fn get_task(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
) -> HttpResult<Json<TaskDetail>> {
    let entered = enter(&app, &identity, &task, Right::Read).await?;
    Ok(Json(detail(&app, entered).await?))
}

/// Changes name or remarks. For owners.
#[utoipa::path(patch, path = "/tasks/{task}", tag = "tasks", request_body = TaskChange,
    params(("task" = String, Path, description = "the task")), responses((status = 200, body = TaskDetail),
        (status = 403, description = "not_allowed"), (status = 404, description = "not_found"), (status = 422, description = "invalid")))]
async fn update_task(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Body(change): Body<TaskChange>,
) -> HttpResult<Json<TaskDetail>> {
    let entered = enter(&app, &identity, &task, Right::Own).await?;
    app.tasks.update(entered.task, &change).await?;
    Ok(Json(detail(&app, entered).await?))
}

async fn detail(app: &App, Entered { task, role }: Entered) -> Result<TaskDetail, WireError> {
    let newest = app.runs.newest(task, 1).await?.into_iter().next();
    app.tasks.detail(task, role, newest).await
}

/// Deletes a task with its files, runs and logs. Running code is stopped. For owners.
#[utoipa::path(delete, path = "/tasks/{task}", tag = "tasks", params(("task" = String, Path, description = "the task")),
    responses((status = 204), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn delete_task(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
) -> HttpResult<StatusCode> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Own).await?;
    // To the end even when the caller goes away: half a deletion would leave a task without its runs.
    let work = tokio::spawn(async move {
        app.runs.forget_task(task).await?;
        app.tasks.delete(task).await?;
        app.people.note(identity.user, Action::DeleteTask, Some(task), "").await;
        Ok(())
    });
    work.await.unwrap_or_else(|_| Err(WireError::plain(ErrorCode::Internal)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the tree is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TreeQuery {
    /// With the text of every text file; refused when they are too large together.
    #[serde(default)]
    contents: bool,
}

/// All files as a nested tree: folders first, names in natural order.
#[utoipa::path(get, path = "/tasks/{task}/tree", tag = "files", params(("task" = String, Path, description = "the task"), TreeQuery),
    responses((status = 200, body = TaskTree), (status = 404, description = "not_found"),
        (status = 413, description = "body_too_large: the texts together are too large for one answer")))]
async fn get_tree(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Query(query): Query<TreeQuery>,
) -> HttpResult<Json<TaskTree>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Read).await?;
    let (revision, tree) =
        if query.contents { app.tasks.tree_with_texts(task).await? } else { app.tasks.tree(task).await? };
    Ok(Json(TaskTree { revision, tree }))
}

/// Renames or moves a file or folder. Files keep their ids; everybody's cursor stays.
#[utoipa::path(post, path = "/tasks/{task}/move", tag = "files", request_body = Move,
    params(("task" = String, Path, description = "the task")), responses((status = 200, body = TreeChanged),
        (status = 403, description = "not_allowed"), (status = 404, description = "not_found"),
        (status = 409, description = "path_taken, case_conflict, file_folder_conflict, move_into_itself"),
        (status = 422, description = "bad_path")))]
async fn move_path(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Body(wish): Body<Move>,
) -> HttpResult<Json<TreeChanged>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Edit).await?;
    Ok(Json(app.tasks.move_path(task, &identity, &wish.from, &wish.to).await?))
}

/// Chooses the main file.
#[utoipa::path(post, path = "/tasks/{task}/main", tag = "files", request_body = MainChoice,
    params(("task" = String, Path, description = "the task")), responses((status = 200, body = TreeChanged),
        (status = 403, description = "not_allowed"), (status = 404, description = "not_found"),
        (status = 409, description = "not_text"), (status = 422, description = "bad_path")))]
async fn set_main(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Body(choice): Body<MainChoice>,
) -> HttpResult<Json<TreeChanged>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Edit).await?;
    Ok(Json(app.tasks.set_main(task, &identity, &choice.path).await?))
}
