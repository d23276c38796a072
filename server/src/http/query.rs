//! The query of a request: whatever is wrong with one is answered as a problem.

use axum::{
    extract::{FromRequestParts, Query as AxumQuery},
    http::request::Parts,
};
use coderoom_protocol::problem::{ErrorCode, WireError};
use serde::de::DeserializeOwned;

use super::problem::HttpError;

/// A request's query.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match AxumQuery::<T>::from_request_parts(parts, state).await {
            Ok(AxumQuery(query)) => Ok(Self(query)),
            Err(rejection) => Err(WireError::new(ErrorCode::Invalid, rejection.body_text()).into()),
        }
    }
}
