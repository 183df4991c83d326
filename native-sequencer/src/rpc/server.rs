//! JSON-RPC over HTTP POST and WebSocket, as an endpoint that shares its address with other routes.

use super::{Rpc, subscribe::HexIds};
use crate::limits;
use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use jsonrpsee::{
    MethodResponse, RpcModule,
    core::middleware::{Batch, Notification},
    server::{
        BatchRequestConfig, PingConfig, Server, ServerConfig, ServerHandle, StopHandle, TowerServiceBuilder,
        middleware::rpc::{RpcServiceBuilder, RpcServiceT},
        stop_channel, ws,
    },
    types::{ErrorObject, Id, Request as Call},
};
use std::{future::Future, sync::Arc};
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
    builder: Builder,
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
        let config = ServerConfig::builder()
            .max_connections(limits::RPC_CONNECTIONS)
            .max_request_body_size(limits::RPC_REQUEST_BYTES)
            .max_response_body_size(limits::RPC_RESPONSE_BYTES)
            .max_subscriptions_per_connection(limits::RPC_SUBSCRIPTIONS)
            .set_message_buffer_capacity(limits::RPC_OUTBOX)
            // Bounded by the layer below, with the error that wallets know.
            .set_batch_request_config(BatchRequestConfig::Unlimited)
            .enable_ws_ping(PingConfig::new().ping_interval(limits::RPC_PING).inactive_limit(limits::RPC_PING * 2))
            .set_id_provider(HexIds)
            .build();
        let builder = Server::builder()
            .set_config(config)
            .set_rpc_middleware(RpcServiceBuilder::new().layer(BoundLayer))
            // There are no cookies and no keys here, so a page of any origin can do nothing that another program cannot.
            .set_http_middleware(tower::ServiceBuilder::new().layer(CorsLayer::permissive()))
            .to_service_builder();
        Self { builder, module, stop, _running: running }
    }

    /// Whether `request` is for this endpoint and not for a page at the same address: a POST, a WebSocket upgrade, or a
    /// preflight of a POST (CORS).
    pub(super) fn accepts(request: &Request) -> bool {
        matches!(*request.method(), Method::POST | Method::OPTIONS) || ws::is_upgrade_request(request)
    }

    /// Answers `request`, or upgrades its connection.
    pub(super) async fn handle(self, request: Request) -> Response {
        let mut service = self.builder.build(self.module, self.stop);
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

/// Puts [`Bound`] around each connection's service.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundLayer;

impl<S> Layer<S> for BoundLayer {
    type Service = Bound<S>;

    fn layer(&self, inner: S) -> Bound<S> {
        Bound { inner: Arc::new(inner), in_flight: Arc::new(Semaphore::new(limits::RPC_IN_FLIGHT)) }
    }
}

/// Bounds what one connection has in flight, and the length of its batches.
#[derive(Clone, Debug)]
pub(super) struct Bound<S> {
    inner: Arc<S>,
    in_flight: Arc<Semaphore>,
}

fn too_much(id: Id<'_>, what: &str) -> MethodResponse {
    MethodResponse::error(id, ErrorObject::owned(-32005, format!("limit exceeded: {what}"), None::<()>))
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
        let (inner, in_flight) = (Arc::clone(&self.inner), Arc::clone(&self.in_flight));
        async move {
            let Ok(_permit) = in_flight.try_acquire() else {
                return too_much(request.id, "too many requests at once on this connection");
            };
            inner.call(request).await
        }
    }

    fn batch<'a>(&self, requests: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (inner, in_flight) = (Arc::clone(&self.inner), Arc::clone(&self.in_flight));
        async move {
            if requests.len() > limits::RPC_BATCH {
                return too_much(Id::Null, &format!("more than {} requests in a batch", limits::RPC_BATCH));
            }
            let Ok(_permit) = in_flight.try_acquire() else {
                return too_much(Id::Null, "too many requests at once on this connection");
            };
            inner.batch(requests).await
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = Arc::clone(&self.inner);
        async move { inner.notification(notification).await }
    }
}
