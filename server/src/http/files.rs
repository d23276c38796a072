//! Single files over HTTP: read, put, delete.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{
    control::TreeChanged,
    problem::{ErrorCode, WireError},
    task::FileStored,
    tree::NodeKind,
};
use coderoom_worker::snapshot::blob_key;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::{Entered, enter},
    body::upload,
    caller::Caller,
    disposition,
    problem::HttpResult,
    query::Query,
};
use crate::{
    app::App,
    people::Right,
    rooms::read_text,
    tasks::{FileRow, UploadTarget, failed},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_file, put_file, delete_file))
}

/// The content of a file: text as it is stored at this moment, or the bytes of a blob.
#[utoipa::path(get, path = "/tasks/{task}/files/{*path}", tag = "files",
    params(("task" = String, Path, description = "the task"), ("path" = String, Path, description = "the file's path, slashes as they are")),
    responses((status = 200, description = "text/plain or application/octet-stream", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "the ETag is that of If-None-Match"), (status = 404, description = "not_found")))]
async fn get_file(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Read).await?;
    let missing = || {
        WireError::new(
            ErrorCode::NotFound,
            format!("There is no file `{path}`. Look at the tree, and mind the letter case."),
        )
    };
    let file = app.tasks.file_at(task, &path).await?.ok_or_else(missing)?;
    let mut response = match (file.kind, &file.blob_sha256) {
        (NodeKind::Blob, Some(sha256)) => {
            let tag = format!("\"{sha256}\"");
            if is_known(&headers, &tag) { not_modified(&tag) } else { blob(&app, &file, sha256, &tag).await? }
        }
        _ => {
            let read = read_text::read_text(&app.tables, file.id).await.map_err(failed::read_text("read a file"))?;
            let (file, text) = read.ok_or_else(missing)?;
            let tag = format!("\"{}.{}.{}\"", file.file, file.epoch, file.seq);
            if is_known(&headers, &tag) { not_modified(&tag) } else { tagged(text.into_response(), &tag) }
        }
    };
    disposition::harmless(response.headers_mut());
    Ok(response)
}

async fn blob(app: &App, file: &FileRow, sha256: &str, tag: &str) -> Result<Response, WireError> {
    let found = app.objects.get_stream(&blob_key(sha256), 0).await.map_err(failed::objects("read a blob"))?;
    let (size, stream) =
        found.ok_or_else(|| failed::internal("read a blob")(format!("object of {sha256} is missing")))?;
    let mut response = tagged(Body::from_stream(stream).into_response(), tag);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    let name = file.path.rsplit('/').next().unwrap_or_default();
    headers.insert(header::CONTENT_DISPOSITION, disposition::attachment(name));
    Ok(response)
}

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn not_modified(tag: &str) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), tag)
}

/// Whether the client says that it has the content with this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    named.is_some_and(|named| {
        named.split(',').any(|one| matches!(one.trim().trim_start_matches("W/"), one if one == tag || one == "*"))
    })
}

/// What an upload or deletion may say beside the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SuccessorQuery {
    /// The new main file, needed when the main file goes.
    new_main: Option<String>,
}

/// Stores the body as the file. UTF-8 within the text limit is text: an existing text gets the smallest edit that makes
/// it equal, live for everybody in it. Anything else is a blob. A text that becomes a blob, or the other way round, is a
/// new file with a new id.
#[utoipa::path(put, path = "/tasks/{task}/files/{*path}", tag = "files",
    params(("task" = String, Path, description = "the task"), ("path" = String, Path, description = "the file's path, slashes as they are"), SuccessorQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = FileStored, description = "something was there"), (status = 201, body = FileStored, description = "nothing was there"),
        (status = 403, description = "not_allowed"), (status = 404, description = "not_found"),
        (status = 409, description = "case_conflict, file_folder_conflict, main_file, quota_reached"),
        (status = 413, description = "task_too_large, too_many_files"), (status = 422, description = "bad_path"),
        (status = 503, description = "not_stored")))]
async fn put_file(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, path)): Path<(String, String)>,
    Query(query): Query<SuccessorQuery>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<(StatusCode, Json<FileStored>)> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Edit).await?;
    app.people.check_upload(task).await?;
    let target = UploadTarget { path: &path, declared: declared(&headers), new_main: query.new_main.as_deref() };
    let stream = upload(&app, &identity, task, body);
    let stored = app.tasks.upload(&app.rooms, task, &identity, target, stream).await?;
    Ok((if stored.created { StatusCode::CREATED } else { StatusCode::OK }, Json(stored)))
}

/// How many bytes a request says it has.
pub(super) fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Deletes a file, or a folder with everything in it.
#[utoipa::path(delete, path = "/tasks/{task}/files/{*path}", tag = "files",
    params(("task" = String, Path, description = "the task"), ("path" = String, Path, description = "a file's or folder's path, slashes as they are"), SuccessorQuery),
    responses((status = 200, body = TreeChanged), (status = 403, description = "not_allowed"), (status = 404, description = "not_found"),
        (status = 409, description = "main_file: name its successor; not_text: the successor is no text file"), (status = 422, description = "bad_path")))]
async fn delete_file(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((task, path)): Path<(String, String)>,
    Query(query): Query<SuccessorQuery>,
) -> HttpResult<Json<TreeChanged>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Edit).await?;
    Ok(Json(app.tasks.delete_path(task, &identity, &path, query.new_main.as_deref()).await?))
}
