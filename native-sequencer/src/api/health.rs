//! Health and metrics, for whoever runs the sequencer.

use super::{Api, ApiError, Shared};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// Whether the sequencer makes blocks; if not, why.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// `GET /healthz`: the process is up.
async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: blocks are made. 503 with the reason if not.
async fn ready(State(api): Shared) -> Result<&'static str, ApiError> {
    let not_ready = |reason: String| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", reason);
    if let Some(fault) = api.chain.faults().first() {
        return Err(not_ready(format!("block {} is faulty: {}", fault.height, fault.description)));
    }
    (api.ready)().map_err(not_ready)?;
    Ok("ready\n")
}

/// `GET /metrics`: in Prometheus's text format.
async fn metrics(State(api): Shared) -> Result<Response, ApiError> {
    let handle = api.metrics.clone().ok_or_else(|| ApiError::not_found("this process keeps no metrics"))?;
    let text = api.gate.run(move || Ok(handle.render())).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
