//! What names the chain, its headers, and how far it is attested.

use super::{ApiError, Shared, caching};
use crate::limits;
use axum::{
    Json,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use ocelli_core::{certificate::Certificate, verifiers::Registered, wire};
use serde::Deserialize;
use serde_json::json;

/// `GET /v1/chain`: the encoded [`ChainConfig`](ocelli_core::genesis::ChainConfig).
pub(super) async fn config(State(api): Shared) -> Response {
    caching::changing(wire::encode(api.chain.config()))
}

/// `GET /v1/chain.json`: the same to read, and where the chain is.
pub(super) async fn summary(State(api): Shared) -> Response {
    let (config, head) = (api.chain.config(), api.chain.head());
    let genesis = config.genesis_header();
    let faults: Vec<_> = api
        .chain
        .faults()
        .iter()
        .map(|fault| {
            let evidence = ocelli_core::hash::keccak256(&fault.evidence);
            json!({ "height": fault.height, "fault": fault.description, "evidence": evidence })
        })
        .collect();
    let verifiers = config.params.verifiers.iter();
    let verifiers = verifiers.map(|Registered { owner, weight }| json!({ "owner": owner, "weight": weight }));
    let verifiers: Vec<_> = verifiers.collect();
    let body = json!({
        "chainId": config.params.chain_id,
        "genesis": config.genesis_hash(),
        "genesisHeader": genesis.hash(),
        "genesisTimeMs": config.time_ms,
        "genesisStateRoot": config.state_root.0,
        "paramsHash": config.params.hash(),
        "params": config.params,
        "head": { "height": head.header.height, "hash": head.hash, "term": head.header.term, "timeMs": head.header.time_ms },
        "attestedHeight": api.chain.attested_height(),
        "verifiers": verifiers,
        "faults": faults,
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Which headers to answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderRange {
    from: u64,
    count: Option<u64>,
}

/// `GET /v1/headers?from=&count=`: the encoded list of signed headers from that height up, as many as there are and no more
/// than [`limits::API_HEADERS`].
pub(super) async fn headers(
    State(api): Shared,
    range: Result<Query<HeaderRange>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(range) = range.map_err(|_| ApiError::malformed("ask for headers?from=HEIGHT&count=NUMBER"))?;
    let count = range.count.unwrap_or(limits::API_HEADERS).min(limits::API_HEADERS);
    // Genesis is signed by nobody and follows from the chain's configuration.
    let from = range.from.max(1);
    let chain = api.chain.clone();
    api.gate
        .run(move || {
            let end = chain.head().header.height.saturating_add(1).min(from.saturating_add(count));
            let headers = (from..end).map(|height| chain.signed_header(height));
            let headers: Vec<_> = headers.collect::<Result<Option<Vec<_>>, _>>()?.unwrap_or_default();
            Ok(caching::changing(wire::encode(&headers)))
        })
        .await
}

/// `GET /v1/certificates/latest`: the encoded newest [`Certificate`].
pub(super) async fn latest_certificate(State(api): Shared) -> Result<Response, ApiError> {
    let certificate = api.chain.certificate().ok_or_else(|| not_attested(0))?;
    Ok(caching::changing(certificate.encode()))
}

/// `GET /v1/certificates/{height}`: the encoded first [`Certificate`] that covers the block at this height.
pub(super) async fn certificate(State(api): Shared, Path(height): Path<String>) -> Result<Response, ApiError> {
    let height: u64 =
        height.parse().map_err(|_| ApiError::malformed("ask for a height in decimal, or for `latest`"))?;
    let chain = api.chain.clone();
    let attested = chain.attested_height();
    if height == 0 || height > attested {
        return Err(not_attested(attested));
    }
    let found = api.gate.run(move || Ok(chain.certificate_covering(height)?)).await?;
    let certificate: Certificate = found.ok_or_else(|| not_attested(attested))?;
    Ok(caching::changing(certificate.encode()))
}

fn not_attested(up_to: u64) -> ApiError {
    ApiError::not_found(format!("blocks 1 to {up_to} are attested; the stream announces further certificates"))
}
