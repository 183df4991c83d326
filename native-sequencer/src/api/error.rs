//! Errors of the API: a status, a code for programs and a sentence that says what to do.

use crate::{chain::ReadError, gate::NotDone};
use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use std::{any::Any, borrow::Cow};

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    retry_after_seconds: Option<u64>,
}

impl ApiError {
    /// An error with this status; `code` is for programs and never changes, `message` says what to do.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after_seconds: None }
    }

    /// Something in the request is wrong.
    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// What was asked for does not exist.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The columns of the block at `height` are not kept any more.
    pub fn not_kept(height: u64) -> Self {
        let message = format!(
            "the columns of block {height} are no longer kept here: ask an endpoint that keeps more, or begin above this block"
        );
        Self::new(StatusCode::GONE, "not_kept", message)
    }

    /// The sequencer has too much to do.
    pub fn busy() -> Self {
        let message = "too many requests are being answered; retry after a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(1)
    }

    /// The body did not arrive in time.
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not arrive in time; send it again")
    }

    /// Reading failed on this side.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request could not be answered");
        let message = "the sequencer could not read what it stores; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The same error, and when to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotKept(height) => Self::not_kept(height),
            ReadError::Busy => Self::busy(),
            error => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        metrics::counter!("ocelli_api_errors_total", "code" => self.code).increment(1);
        let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What is answered where there is nothing.
pub(super) async fn no_such_route() -> ApiError {
    ApiError::not_found("no such resource; docs/api.md lists them")
}

/// What is answered to a method that a resource does not have.
pub(super) async fn no_such_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "this resource has no such method")
}

/// What is answered if answering panicked.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    tracing::error!("answering a request panicked");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "answering failed; the sequencer's log says where")
        .into_response()
}

impl From<NotDone> for ApiError {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::Busy => Self::busy(),
            NotDone::Failed(error) => Self::internal(&error),
        }
    }
}
