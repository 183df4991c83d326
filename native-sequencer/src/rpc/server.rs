//! JSON-RPC over HTTP POST and WebSocket, as an endpoint that shares its address with other routes.

use super::{Rpc, errors::RpcError, methods::Line, subscribe::HexIds};
use crate::{
    limits,
    listener::{Backlog, Debt},
};
use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use jsonrpsee::{
    BatchResponseBuilder, MethodResponse, RpcModule,
    core::middleware::{Batch, BatchEntry, Notification},
    server::{
        BatchRequestConfig, PingConfig, Server, ServerConfig, ServerHandle, StopHandle, TowerServiceBuilder,
        middleware::rpc::{RpcServiceBuilder, RpcServiceT},
        stop_channel, ws,
    },
    types::{ErrorCode, ErrorObject, ErrorObjectOwned, Id, Request as Call},
};
use std::{future::Future, sync::Arc, time::Instant};
use tokio::sync::Semaphore;
use tower::{
    Layer, Service,
    layer::util::{Identity, Stack},
};
use tower_http::cors::CorsLayer;

type Builder = TowerServiceBuilder<Stack<BoundLayer, Identity>, Stack<CorsLayer, Identity>>;

/// The JSON-RPC endpoint; cheap to clone. WebSocket connections are closed with the last clone.
#[derive(Clone)]
pub(super) struct Endpoint {
    // Each counts its own, so that open sockets keep no request out.
    requests: Builder,
    sockets: Builder,
    module: RpcModule<Arc<Rpc>>,
    stop: StopHandle,
    _running: ServerHandle,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("module", &self.module).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Serves `module`.
    pub(super) fn new(module: RpcModule<Arc<Rpc>>) -> Self {
        let (stop, running) = stop_channel();
        let (requests, sockets) = (builder(limits::RPC_REQUESTS), builder(limits::RPC_SOCKETS));
        Self { requests, sockets, module, stop, _running: running }
    }

    /// Whether `request` is for this endpoint and not for a page at the same address: a POST, a WebSocket upgrade, or a
    /// preflight of a POST (CORS).
    pub(super) fn accepts(request: &Request) -> bool {
        matches!(*request.method(), Method::POST | Method::OPTIONS) || ws::is_upgrade_request(request)
    }

    /// Answers `request`, or upgrades its connection.
    pub(super) async fn handle(self, request: Request) -> Response {
        let builder = if ws::is_upgrade_request(&request) { self.sockets } else { self.requests };
        let mut service = builder.build(self.module, self.stop);
        match tokio::time::timeout(limits::RPC_TIMEOUT, service.call(request)).await {
            // That a body could not be read to its end is answered with 500. If anyone is there to hear it, it was too long.
            Ok(Ok(response)) if response.status() == StatusCode::INTERNAL_SERVER_ERROR => {
                StatusCode::PAYLOAD_TOO_LARGE.into_response()
            }
            Ok(Ok(response)) => response.map(Body::new),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a JSON-RPC request failed");
                StatusCode::BAD_REQUEST.into_response()
            }
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        }
    }
}

/// Serves so many at once.
fn builder(at_once: u32) -> Builder {
    let config = ServerConfig::builder()
        .max_connections(at_once)
        .max_request_body_size(limits::RPC_REQUEST_BYTES)
        .max_response_body_size(limits::RPC_RESPONSE_BYTES)
        .max_subscriptions_per_connection(limits::RPC_SUBSCRIPTIONS)
        .set_message_buffer_capacity(limits::RPC_OUTBOX)
        // Bounded by the layer below, with the error that wallets know.
        .set_batch_request_config(BatchRequestConfig::Unlimited)
        .enable_ws_ping(PingConfig::new().ping_interval(limits::RPC_PING).inactive_limit(limits::RPC_PING * 2))
        .set_id_provider(HexIds)
        .build();
    Server::builder()
        .set_config(config)
        .set_rpc_middleware(RpcServiceBuilder::new().layer(BoundLayer))
        // There are no cookies and no keys here, so a page of any origin can do nothing that another program cannot.
        .set_http_middleware(tower::ServiceBuilder::new().layer(CorsLayer::permissive()))
        .to_service_builder()
}

/// Puts [`Bound`] around each connection's service.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundLayer;

impl<S> Layer<S> for BoundLayer {
    type Service = Bound<S>;

    fn layer(&self, inner: S) -> Bound<S> {
        let in_flight = Arc::new(Semaphore::new(limits::RPC_IN_FLIGHT));
        Bound { inner: Arc::new(inner), in_flight, line: Line::new() }
    }
}

/// Bounds what one connection has in flight, the length of its batches, and what all connections are owed.
#[derive(Clone, Debug)]
pub(super) struct Bound<S> {
    inner: Arc<S>,
    in_flight: Arc<Semaphore>,
    line: Line,
}

const UNREAD: &str = "too many answers wait to be read";

fn busy(id: Id<'_>, what: &'static str) -> MethodResponse {
    MethodResponse::error(id, ErrorObjectOwned::from(RpcError::Busy(what)))
}

/// What happened, by method and outcome; whoever makes up methods adds no names.
fn count(method: String, response: &MethodResponse, started: Instant) {
    let code = response.as_error_code();
    let unknown = code == Some(ErrorCode::MethodNotFound.code());
    let method = if unknown { "unknown".to_owned() } else { method };
    let outcome = code.map_or_else(|| "ok".to_owned(), |code| code.to_string());
    metrics::counter!("ocelli_rpc_requests_total", "method" => method.clone(), "outcome" => outcome).increment(1);
    metrics::histogram!("ocelli_rpc_seconds", "method" => method).record(started.elapsed().as_secs_f64());
}

fn backlog_of(request: &Call<'_>) -> Option<Backlog> {
    request.extensions().get::<Backlog>().cloned()
}

impl<S> Bound<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Send
        + Sync,
{
    /// What `request` gets.
    async fn respond(inner: &S, request: Call<'_>) -> MethodResponse {
        let id = request.id.clone().into_owned();
        let method = request.method_name().to_owned();
        let subscribes = matches!(method.as_str(), "eth_subscribe" | "eth_unsubscribe");
        let started = Instant::now();
        let response = inner.call(request).await;
        count(method, &response, started);
        // So the server says that the connection is none that can be told of anything later.
        if subscribes && response.as_error_code() == Some(ErrorCode::InternalError.code()) {
            let message = "notifications not supported: subscribe over WebSocket";
            return MethodResponse::error(id, ErrorObject::owned(-32601, message, None::<()>));
        }
        response
    }

    /// What `request` gets, or an error if too much that nobody reads waits already.
    async fn answer(inner: &S, request: Call<'_>) -> MethodResponse {
        let (id, backlog) = (request.id.clone().into_owned(), backlog_of(&request));
        let response = Self::respond(inner, request).await;
        if backlog.is_some_and(|backlog| !backlog.owe(response.as_ref().len())) {
            return busy(id, UNREAD);
        }
        response
    }

    async fn answer_batch(inner: &S, batch: Batch<'_>) -> MethodResponse {
        let mut responses = BatchResponseBuilder::new_with_limit(limits::RPC_RESPONSE_BYTES as usize);
        let mut notified = false;
        // Given back if the batch comes to nothing: its answers are too long together, or it takes too long.
        let mut debt: Option<Debt> = None;
        for entry in batch {
            let response = match entry {
                Ok(BatchEntry::Call(request)) => {
                    let id = request.id.clone().into_owned();
                    debt = debt.or_else(|| backlog_of(&request).map(|backlog| backlog.begin()));
                    let response = Self::respond(inner, request).await;
                    let bytes = response.as_ref().len();
                    if debt.as_mut().is_none_or(|debt| debt.owe(bytes)) { response } else { busy(id, UNREAD) }
                }
                Ok(BatchEntry::Notification(notification)) => {
                    notified = true;
                    inner.notification(notification).await;
                    continue;
                }
                Err(error) => {
                    let (error, id) = error.into_parts();
                    MethodResponse::error(id, error)
                }
            };
            if let Err(too_long) = responses.append(response) {
                return too_long;
            }
        }
        if let Some(debt) = debt {
            debt.keep();
        }
        if responses.is_empty() && notified {
            return MethodResponse::notification();
        }
        MethodResponse::from_batch(responses.finish())
    }
}

impl<S> RpcServiceT for Bound<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = MethodResponse;

    fn call<'a>(&self, request: Call<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (inner, in_flight, line) = (Arc::clone(&self.inner), Arc::clone(&self.in_flight), self.line.clone());
        let mut request = request;
        async move {
            let Ok(_permit) = in_flight.try_acquire() else {
                return busy(request.id, "too many requests at once on this connection");
            };
            let backlog = backlog_of(&request);
            let Ok(_asked) = backlog.map(|backlog| backlog.ask()).transpose() else {
                return busy(request.id, "too many long requests are under way");
            };
            request.extensions_mut().insert(line);
            Self::answer(&inner, request).await
        }
    }

    fn batch<'a>(&self, requests: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (inner, in_flight, line) = (Arc::clone(&self.inner), Arc::clone(&self.in_flight), self.line.clone());
        let mut requests = requests;
        async move {
            if requests.len() > limits::RPC_BATCH {
                let message = format!("batch too large: more than {} requests", limits::RPC_BATCH);
                let code = ErrorCode::InvalidRequest.code();
                return MethodResponse::error(Id::Null, ErrorObject::owned(code, message, None::<()>));
            }
            let Ok(_permit) = in_flight.try_acquire() else {
                return busy(Id::Null, "too many requests at once on this connection");
            };
            let mut calls = requests.iter_mut().filter_map(|entry| match entry {
                Ok(BatchEntry::Call(request)) => Some(request),
                _ => None,
            });
            let backlog = calls.next().and_then(|first| {
                first.extensions_mut().insert(line.clone());
                backlog_of(first)
            });
            calls.for_each(|request| {
                request.extensions_mut().insert(line.clone());
            });
            let Ok(_asked) = backlog.map(|backlog| backlog.ask()).transpose() else {
                return busy(Id::Null, "too many long requests are under way");
            };
            Self::answer_batch(&inner, requests).await
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = Arc::clone(&self.inner);
        async move { inner.notification(notification).await }
    }
}
