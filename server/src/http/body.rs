//! Bodies of requests. Whatever is wrong with a JSON one is answered as a problem that says where; none may come as slowly as
//! it likes, whatever the route; and when one is in it is looked again whether its sender still may: access may end meanwhile.

use std::{io, time::Duration};

use axum::{
    Json, body,
    extract::{
        FromRequest, MatchedPath, Request, State,
        rejection::{BytesRejection, JsonRejection},
    },
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use coderoom_protocol::{
    ids::TaskId,
    problem::{ErrorCode, WireError},
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::{access::enter, problem::HttpError};
use crate::{
    app::App,
    people::{Identity, Right},
};

/// Routes with bodies of any length: these may take long, as long as something comes. All others have to be whole in time.
const UPLOADS: [&str; 2] = ["/api/v1/tasks/{task}/files/{*path}", "/api/v1/tasks/{task}/import"];

/// A request's JSON body. Its sender was still signed in when it was in; what they may do is asked after it.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<App> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let refuse = |rejection: JsonRejection| refusal(rejection.status(), rejection.body_text());
        let Json(body) = from_one_signed_in(request, app, refuse).await?;
        Ok(Self(body))
    }
}

/// A request's body as it is, with the same rule.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl FromRequest<App> for RawBody {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let refuse = |rejection: BytesRejection| refusal(rejection.status(), rejection.body_text());
        Ok(Self(from_one_signed_in(request, app, refuse).await?))
    }
}

/// The body of a request from somebody who, if they were signed in at its begin, still is at its end.
async fn from_one_signed_in<T: FromRequest<App> + Send>(
    request: Request,
    app: &App,
    refuse: impl FnOnce(T::Rejection) -> WireError,
) -> Result<T, WireError> {
    let sender = request.extensions().get::<Identity>().cloned();
    let body = T::from_request(request, app).await.map_err(refuse)?;
    if let Some(sender) = sender {
        app.people.still_signed_in(&sender).await?;
    }
    Ok(body)
}

/// Makes a body that does not come in time (`server.body_timeout`) fail, for whoever reads it.
pub async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let patience = app.settings.server.body_timeout;
    let route = request.extensions().get::<MatchedPath>();
    let is_upload = route.is_some_and(|route| UPLOADS.contains(&route.as_str()));
    next.run(request.map(|body| body::Body::from_stream(timed(body, patience, is_upload)))).await
}

/// The bytes of a body. They end with an error when not all of them have come after `patience`, or, with `each`, when nothing
/// comes for so long.
fn timed(body: body::Body, patience: Duration, each: bool) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = Some((body.into_data_stream(), Instant::now() + patience));
    stream::unfold(pieces, move |pieces| async move {
        let (mut pieces, whole_by) = pieces?;
        let by = if each { Instant::now() + patience } else { whole_by };
        match timeout_at(by, pieces.next()).await {
            Ok(piece) => Some((piece?.map_err(io::Error::other), Some((pieces, whole_by)))),
            Err(_) => {
                let text = format!("The request's body came too slowly: it has {patience:?}.");
                Some((Err(io::Error::new(io::ErrorKind::TimedOut, text)), None))
            }
        }
    })
}

/// The bytes of an upload into a task. At their end they fail with a [`WireError`] when their sender may not change its files any
/// more.
pub(super) fn upload(
    app: &App,
    by: &Identity,
    task: TaskId,
    body: body::Body,
) -> impl Stream<Item = io::Result<Bytes>> + Unpin + use<> {
    let (app, by) = (app.clone(), by.clone());
    let last_look = stream::once(async move { may_still_edit(&app, &by, task).await.err().map(io::Error::other) });
    let refused = last_look.filter_map(async |refused| refused.map(Err));
    body.into_data_stream().map_err(io::Error::other).chain(refused).boxed()
}

async fn may_still_edit(app: &App, by: &Identity, task: TaskId) -> Result<(), WireError> {
    app.people.still_signed_in(by).await?;
    enter(app, by, &task.to_string(), Right::Edit).await.map(drop)
}

fn refusal(status: StatusCode, text: String) -> WireError {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::Invalid,
        _ => ErrorCode::BadRequest,
    };
    WireError::new(code, text)
}
