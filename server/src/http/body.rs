//! Bodies of requests. Whatever is wrong with a JSON one is answered as a problem that says where; and none may come as slowly
//! as it likes.

use std::{io, time::Duration};

use axum::{
    Json, body,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::StatusCode,
};
use bytes::Bytes;
use coderoom_protocol::problem::{ErrorCode, WireError};
use futures_util::{Stream, StreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::HttpError;
use crate::app::App;

/// A request's JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let patience = app.settings.server.body_timeout;
        match timeout(patience, Json::<T>::from_request(request, app)).await {
            Ok(Ok(Json(body))) => Ok(Self(body)),
            Ok(Err(rejection)) => Err(refusal(&rejection).into()),
            Err(_) => Err(WireError::new(ErrorCode::BadRequest, too_slow(patience)).into()),
        }
    }
}

/// The bytes of an upload. It fails when nothing comes for `patience`.
pub(super) fn upload(body: body::Body, patience: Duration) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    let pieces = Some(body.into_data_stream());
    stream::unfold(pieces, move |pieces| async move {
        let mut pieces = pieces?;
        match timeout(patience, pieces.next()).await {
            Ok(piece) => Some((piece?.map_err(io::Error::other), Some(pieces))),
            Err(_) => Some((Err(io::Error::new(io::ErrorKind::TimedOut, too_slow(patience))), None)),
        }
    })
    .boxed()
}

fn too_slow(patience: Duration) -> String {
    format!("The request's body came too slowly: it has {patience:?}.")
}

fn refusal(rejection: &JsonRejection) -> WireError {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::Invalid,
        _ => ErrorCode::BadRequest,
    };
    WireError::new(code, rejection.body_text())
}
