//! Zips over HTTP: a task or folder down, an archive up.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{control::TreeChanged, ids::TaskId};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::{Entered, enter, while_entered},
    body::upload,
    caller::Caller,
    disposition,
    files::declared,
    problem::HttpResult,
    query::Query,
};
use crate::{
    app::App,
    people::{Identity, Right},
    tasks::{Archive, ImportTarget},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_archive)).routes(routes!(import_archive))
}

/// What is to be packed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ArchiveQuery {
    /// A folder or file; the whole task when it is left out.
    #[serde(default)]
    path: String,
}

/// The task, a folder or a file as a zip, packed while it is sent. A transfer that breaks off has failed;
/// that of somebody who is no member any more breaks off.
#[utoipa::path(get, path = "/tasks/{task}/archive", tag = "files",
    params(("task" = String, Path, description = "the task"), ArchiveQuery),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 404, description = "not_found"),
        (status = 429, description = "too_many_requests: many archives are being packed, or several for the caller")))]
async fn get_archive(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Query(query): Query<ArchiveQuery>,
) -> HttpResult<Response> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Read).await?;
    let archive = app.tasks.pack(identity.user, task, &query.path).await?;
    Ok(answer(app, identity, task, archive))
}

/// An archive as an answer to a member of the task.
pub(super) fn answer(app: App, identity: Identity, task: TaskId, archive: Archive) -> Response {
    let mut response = Body::from_stream(while_entered(app, identity, task, archive.bytes)).into_response();
    let headers = response.headers_mut();
    disposition::harmless(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_DISPOSITION, disposition::attachment(&format!("{}.zip", archive.name)));
    response
}

/// Where an import goes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// The folder to unpack into; the task's root when it is left out.
    folder: Option<String>,
    /// Files that are there give way to those of the archive; else the import is refused.
    #[serde(default)]
    replace: bool,
}

/// Unpacks a zip into the task: all of it or nothing.
#[utoipa::path(post, path = "/tasks/{task}/import", tag = "files",
    params(("task" = String, Path, description = "the task"), ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses((status = 200, body = TreeChanged), (status = 403, description = "not_allowed"), (status = 404, description = "not_found"),
        (status = 409, description = "path_taken, case_conflict, file_folder_conflict, main_file, quota_reached"),
        (status = 413, description = "task_too_large, too_many_files, body_too_large"), (status = 422, description = "bad_archive, bad_path")))]
async fn import_archive(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Json<TreeChanged>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Edit).await?;
    app.people.check_upload(task).await?;
    let target = ImportTarget { folder: query.folder.as_deref(), replace: query.replace, declared: declared(&headers) };
    let stream = upload(&app, &identity, task, body);
    Ok(Json(app.tasks.import(task, &identity, target, stream).await?))
}
