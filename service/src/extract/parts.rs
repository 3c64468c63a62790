//! Ids in paths and parameters after the question mark, refused as problems.

use crate::{Problem, catalogue::codes};
use axum::{
    extract::{FromRequestParts, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

/// The path's ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) if error.status() == StatusCode::BAD_REQUEST => {
                Err(Problem::new(codes::INVALID_ID).detail(error.body_text()))
            }
            // A route whose parameters don't match its handler's types: our mistake, never the client's.
            Err(rejection) => Err(Problem::internal("reading a path's parameters", &rejection)),
        }
    }
}

/// The parameters after the question mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let axum::extract::Query(value) = read.map_err(|rejection| {
            let detail = rejection.body_text();
            debug_assert_eq!(rejection.into_response().status(), StatusCode::BAD_REQUEST);
            Problem::new(codes::INVALID_QUERY).detail(detail)
        })?;
        Ok(Query(value))
    }
}
