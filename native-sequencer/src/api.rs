//! The verifier API: blocks, bodies, proofs, certificates and the stream of what happens, and the way back in for
//! attestations, evidence and transactions in bulk. `docs/api.md` describes it from outside.
//!
//! Guaranteed: what is served is durable, what a block's hash names never changes, and nothing that came in is passed on
//! before the core has checked it. Nothing here blocks an async thread, and everything that a peer can make this do is
//! bounded by a name in [`crate::limits`].
//!
//! Assumed: the router runs with [`ConnectInfo`](axum::extract::ConnectInfo) of the peer's socket address; without it, all
//! peers share one count.

mod blocks;
mod caching;
mod chain;
mod error;
mod evidence;
mod health;
mod peers;
mod proofs;
mod stream;
mod submissions;
mod transactions;

pub use error::ApiError;
pub use evidence::{EvidenceBook, EvidenceBookError};
pub use health::Ready;

use crate::{
    chain::{Chain, ProvenFault},
    collect::Collecting,
    limits,
    promises::Promises,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, header},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use peers::{Peers, Places};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer, timeout::TimeoutLayer};

/// What the API serves, and whom it tells.
pub struct ApiOptions {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Where transactions go, and who promises them.
    pub promises: Arc<Promises>,
    /// Where attestations go.
    pub collecting: Collecting,
    /// Confirmed faults and their evidence.
    pub evidence: EvidenceBook,
    /// Called once for each fault that was confirmed, after it was published: the sequencer stops here.
    pub on_fault: OnFault,
    /// Whether the sequencer makes blocks, for `/readyz`.
    pub ready: Ready,
    /// What `/metrics` shows; nothing without it.
    pub metrics: Option<PrometheusHandle>,
    /// Turns true when the sequencer goes down, so that readers of the stream can be told.
    pub stopping: watch::Receiver<bool>,
}

impl std::fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiOptions").field("collecting", &self.collecting).finish_non_exhaustive()
    }
}

/// Who is told of a confirmed fault.
pub type OnFault = Arc<dyn Fn(&ProvenFault) + Send + Sync>;

/// What requests have to wait for.
type Gate = crate::gate::Gate<ApiError>;

/// What all routes share.
struct Api {
    chain: Arc<Chain>,
    gate: Gate,
    promises: Arc<Promises>,
    submissions: Places,
    submission_sockets: Places,
    collecting: Collecting,
    attestation_peers: Peers,
    evidence: EvidenceBook,
    evidence_peers: Peers,
    evidence_arriving: Gate,
    evidence_checks: Gate,
    on_fault: OnFault,
    ready: Ready,
    metrics: Option<PrometheusHandle>,
    streams: stream::Streams,
}

type Shared = axum::extract::State<Arc<Api>>;

/// The routes, for the async runtime that this is called in.
///
/// # Panics
/// If called outside of a tokio runtime.
pub fn router(options: ApiOptions) -> Router {
    let streams = stream::Streams::follow(&options.chain, options.stopping);
    let api = Arc::new(Api {
        chain: options.chain,
        gate: Gate::new(limits::API_BLOCKING),
        promises: options.promises,
        submissions: Places::new(limits::SUBMISSIONS, limits::SUBMISSIONS_A_PEER, "ocelli_submissions"),
        submission_sockets: Places::new(
            limits::SUBMISSION_SOCKETS,
            limits::SUBMISSION_SOCKETS_A_PEER,
            "ocelli_submission_sockets",
        ),
        collecting: options.collecting,
        attestation_peers: Peers::new(limits::ATTESTATIONS_A_PEER),
        evidence: options.evidence,
        evidence_peers: Peers::new(limits::EVIDENCE_A_PEER),
        evidence_arriving: Gate::new(limits::EVIDENCE_RECEIVED),
        evidence_checks: Gate::new(limits::EVIDENCE_CHECKED),
        on_fault: options.on_fault,
        ready: options.ready,
        metrics: options.metrics,
        streams,
    });
    let v1 = Router::new()
        .merge(reading())
        .merge(submitting())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits::API_REQUEST))
        .route("/stream", get(stream::stream))
        .route("/transactions/stream", get(transactions::stream))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(cross_origin());
    Router::new()
        .nest("/v1", v1)
        .merge(health::routes())
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(api)
}

fn reading() -> Router<Arc<Api>> {
    Router::new()
        .route("/chain", get(chain::config))
        .route("/chain.json", get(chain::summary))
        .route("/headers", get(chain::headers))
        .route("/certificates/latest", get(chain::latest_certificate))
        .route("/certificates/{height}", get(chain::certificate))
        .route("/blocks/{block}", get(blocks::document))
        .route("/blocks/{block}/rows/{index}", get(blocks::row))
        .route("/blocks/{block}/columns/{index}", get(blocks::column))
        .route("/codes/{hash}", get(blocks::code))
        .route("/proofs", get(proofs::state))
        .route("/receipts/{transaction}", get(proofs::receipt))
        .route("/evidence/{hash}", get(submissions::evidence))
}

fn submitting() -> Router<Arc<Api>> {
    let attestations = post(submissions::attest).layer(DefaultBodyLimit::max(ocelli_core::limits::ATTESTATION_BYTES));
    // Evidence and transactions are read by hand, after their sender has got a turn.
    let evidence = post(submissions::accuse).layer(DefaultBodyLimit::disable());
    let transactions = post(transactions::submit).layer(DefaultBodyLimit::disable());
    Router::new().route("/attestations", attestations).route("/evidence", evidence).route("/transactions", transactions)
}

/// Any page may read and verify; nothing here depends on who asks.
fn cross_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::IF_NONE_MATCH])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        .max_age(Duration::from_secs(24 * 60 * 60))
}

#[cfg(test)]
pub(crate) mod tests;
