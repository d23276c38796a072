//! Bodies of requests. Whatever is wrong with a JSON one is answered as a problem that says where; and none may come as slowly
//! as it likes, whatever the route.

use std::{io, time::Duration};

use axum::{
    Json, body,
    extract::{FromRequest, MatchedPath, Request, State, rejection::JsonRejection},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use coderoom_protocol::problem::{ErrorCode, WireError};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

/// Routes with bodies of any length: these may take long, as long as something comes. All others have to be whole in time.
const UPLOADS: [&str; 2] = ["/api/v1/tasks/{task}/files/{*path}", "/api/v1/tasks/{task}/import"];

use super::problem::HttpError;
use crate::app::App;

/// A request's JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        match Json::<T>::from_request(request, app).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refusal(&rejection).into()),
        }
    }
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

/// The bytes of an upload.
pub(super) fn upload(body: body::Body) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    body.into_data_stream().map_err(io::Error::other)
}

fn refusal(rejection: &JsonRejection) -> WireError {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::Invalid,
        _ => ErrorCode::BadRequest,
    };
    WireError::new(code, rejection.body_text())
}
