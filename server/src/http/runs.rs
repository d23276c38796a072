//! Runs over HTTP: submit, list, read, stop, run again; what went in and what came out.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coderoom_protocol::{
    control::Submitted,
    problem::{ErrorCode, WireError},
    run::Run,
    task::{RunFiles, RunPage, SubmitRequest},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::{Entered, enter, enter_run},
    archives,
    body::RawBody,
    caller::Caller,
    disposition, files,
    problem::HttpResult,
    query::Query,
};
use crate::{
    app::App,
    people::{Action, Right},
    submit::{SubmitWish, rerun_of, submit},
    tasks::failed,
};

/// Most runs of one page.
const MAX_PAGE: u32 = 200;
/// Runs of a page when nothing is said.
const DEFAULT_PAGE: u32 = 50;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_runs, submit_run))
        .routes(routes!(get_run))
        .routes(routes!(stop_run))
        .routes(routes!(rerun))
        .routes(routes!(get_output))
        .routes(routes!(get_snapshot))
        .routes(routes!(get_manifest))
        .routes(routes!(get_run_file))
}

/// Freezes the files as they are stored now and queues a run of exactly that.
#[utoipa::path(post, path = "/tasks/{task}/runs", tag = "runs", request_body = Option<SubmitRequest>,
    params(("task" = String, Path, description = "the task")), responses((status = 201, body = Submitted),
        (status = 403, description = "not_allowed"), (status = 404, description = "not_found"), (status = 409, description = "run_active"),
        (status = 422, description = "invalid"), (status = 429, description = "too_many_runs"),
        (status = 503, description = "not_stored, sandbox_unavailable")))]
async fn submit_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    RawBody(body): RawBody,
) -> HttpResult<(StatusCode, Json<Submitted>)> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Run).await?;
    let SubmitRequest { command, remarks } = read_wish(&body)?;
    let wish = SubmitWish { task, user: identity.user, command, remarks };
    // To the end even when the caller goes away: it may be queued already.
    let work = tokio::spawn(async move { submit(&app, wish).await });
    let submitted = work.await.unwrap_or_else(|error| Err(failed::internal("submit a run")(error)))?;
    Ok((StatusCode::CREATED, Json(submitted)))
}

fn read_wish(body: &Bytes) -> Result<SubmitRequest, WireError> {
    if body.is_empty() {
        return Ok(SubmitRequest::default());
    }
    let refuse = |error: serde_json::Error| {
        let code = if error.is_data() { ErrorCode::Invalid } else { ErrorCode::BadRequest };
        WireError::new(code, format!("The body must be JSON with `command` and `remarks`, or empty: {error}."))
    };
    serde_json::from_slice(body).map_err(refuse)
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// `next` of the page before.
    cursor: Option<u32>,
    /// Most runs of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// The task's runs, newest first.
#[utoipa::path(get, path = "/tasks/{task}/runs", tag = "runs", params(("task" = String, Path, description = "the task"), PageQuery),
    responses((status = 200, body = RunPage), (status = 404, description = "not_found")))]
async fn list_runs(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(task): Path<String>,
    Query(query): Query<PageQuery>,
) -> HttpResult<Json<RunPage>> {
    let Entered { task, .. } = enter(&app, &identity, &task, Right::Read).await?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let mut runs = app.runs.list(task, query.cursor, limit + 1).await?;
    let more = runs.len() > limit as usize;
    runs.truncate(limit as usize);
    let next = runs.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(Json(RunPage { runs, next }))
}

/// A run as it is now.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", params(("run" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = 404, description = "not_found")))]
async fn get_run(State(app): State<App>, Caller(identity): Caller, Path(run): Path<String>) -> HttpResult<Json<Run>> {
    Ok(Json(enter_run(&app, &identity, &run, Right::Read).await?))
}

/// Ends a queued or running run. A finished one is given back as it is.
#[utoipa::path(post, path = "/runs/{run}/stop", tag = "runs", params(("run" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = 403, description = "not_allowed"), (status = 404, description = "not_found")))]
async fn stop_run(State(app): State<App>, Caller(identity): Caller, Path(run): Path<String>) -> HttpResult<Json<Run>> {
    let run = enter_run(&app, &identity, &run, Right::Run).await?;
    let stopped = app.runs.stop(run.id, identity.user).await?;
    app.people.note(identity.user, Action::Stop, Some(run.task), &run.id.to_string()).await;
    Ok(Json(stopped))
}

/// Queues the snapshot of an earlier run again, with the same command.
#[utoipa::path(post, path = "/runs/{run}/rerun", tag = "runs", params(("run" = String, Path, description = "the earlier run")),
    responses((status = 201, body = Submitted), (status = 403, description = "not_allowed"),
        (status = 404, description = "not_found: the run, or its files are no longer stored"),
        (status = 409, description = "run_active"), (status = 429, description = "too_many_runs")))]
async fn rerun(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(run): Path<String>,
) -> HttpResult<(StatusCode, Json<Submitted>)> {
    let run = enter_run(&app, &identity, &run, Right::Run).await?;
    Ok((StatusCode::CREATED, Json(rerun_of(&app, &identity, &run).await?)))
}

/// What the run left in `output/`, as a zip.
#[utoipa::path(get, path = "/runs/{run}/output", tag = "runs", params(("run" = String, Path, description = "the run")),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>),
        (status = 404, description = "not_found: the run, or it left nothing")))]
async fn get_output(State(app): State<App>, Caller(identity): Caller, Path(run): Path<String>) -> HttpResult<Response> {
    let run = enter_run(&app, &identity, &run, Right::Read).await?;
    let nothing = || WireError::new(ErrorCode::NotFound, "This run left nothing in output/, or it is not done yet.");
    let key = app.runs.output(run.id).await?.ok_or_else(nothing)?;
    let found = app.objects.get_stream(&key, 0).await.map_err(failed::objects("read the output of a run"))?;
    let (size, stream) = found.ok_or_else(nothing)?;
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    disposition::harmless(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(header::CONTENT_DISPOSITION, disposition::attachment(&format!("run-{}-output.zip", run.number)));
    Ok(response)
}

/// The files that were frozen for the run, as a zip.
#[utoipa::path(get, path = "/runs/{run}/snapshot", tag = "runs", params(("run" = String, Path, description = "the run")),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>),
        (status = 404, description = "not_found: the run, or its files are no longer stored"),
        (status = 429, description = "too_many_requests: many archives are being packed, or several for the caller")))]
async fn get_snapshot(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(run): Path<String>,
) -> HttpResult<Response> {
    let run = enter_run(&app, &identity, &run, Right::Read).await?;
    let manifest = app.runs.manifest(run.id).await?.ok_or_else(no_longer_stored)?;
    let archive = app.tasks.pack_snapshot(identity.user, run.id, run.number, manifest).await?;
    Ok(archives::answer(app, identity, run.task, archive))
}

/// Exactly what was frozen for the run: every file with its size, hash and last edit.
#[utoipa::path(get, path = "/runs/{run}/manifest", tag = "runs", params(("run" = String, Path, description = "the run")),
    responses((status = 200, body = RunFiles), (status = 404, description = "not_found: the run, or its files are no longer stored")))]
async fn get_manifest(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(run): Path<String>,
) -> HttpResult<Json<RunFiles>> {
    let run = enter_run(&app, &identity, &run, Right::Read).await?;
    let manifest = app.runs.manifest(run.id).await?.ok_or_else(no_longer_stored)?;
    Ok(Json(RunFiles { run: run.id, files: manifest.for_clients() }))
}

/// One file that was frozen for the run, as it was then.
#[utoipa::path(get, path = "/runs/{run}/files/{*path}", tag = "runs",
    params(("run" = String, Path, description = "the run"), ("path" = String, Path, description = "the file's path then, slashes as they are")),
    responses((status = 200, description = "text/plain or application/octet-stream", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "the ETag is that of If-None-Match"),
        (status = 404, description = "not_found: the run or the file, or its files are no longer stored")))]
async fn get_run_file(
    State(app): State<App>,
    Caller(identity): Caller,
    Path((run, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let run = enter_run(&app, &identity, &run, Right::Read).await?;
    let manifest = app.runs.manifest(run.id).await?.ok_or_else(no_longer_stored)?;
    let file = manifest.files.iter().find(|file| file.path == path).ok_or_else(|| {
        WireError::new(
            ErrorCode::NotFound,
            format!("The run has no file `{path}`. Look at its manifest, and mind the letter case."),
        )
    })?;
    let tag = format!("\"{}\"", file.sha256);
    let mut response = match files::is_known(&headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from_stream(app.tasks.frozen_file(&manifest, file).await?).into_response(),
    };
    let is_text = file.blob_key.is_none();
    let headers = response.headers_mut();
    disposition::harmless(headers);
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).map_err(failed::internal("tag a file of a run"))?);
    if response.status() == StatusCode::OK {
        let kind = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
        let name = path.rsplit('/').next().unwrap_or_default();
        headers.insert(header::CONTENT_DISPOSITION, disposition::attachment(name));
    }
    Ok(response)
}

fn no_longer_stored() -> WireError {
    WireError::new(ErrorCode::NotFound, "The files of this run are no longer stored.")
}
