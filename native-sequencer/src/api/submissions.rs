//! What verifiers bring: attestations and evidence. Both are checked by the core before anyone else hears of them.

use super::{
    ApiError, Shared,
    blocks::answer,
    evidence::{Confirmed, EvidenceBookError},
    peers::Peer,
};
use crate::{collect::Refused, limits};
use alloy_primitives::B256;
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ocelli_core::{
    attestation::SignedAttestation, certificate::VoteError, evidence::NotEvidence, limits::EVIDENCE_BYTES,
};
use serde_json::{Value, json};

/// `POST /v1/attestations`: an encoded [`SignedAttestation`].
pub(super) async fn attest(
    State(api): Shared,
    peer: Peer,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    api.attestation_peers.take(peer)?;
    let body = body.map_err(|rejection| body_refused(rejection.status()))?;
    let signed = SignedAttestation::decode(&body)
        .map_err(|error| ApiError::malformed(format!("the body is no encoded attestation: {error}")))?;
    let added = api.collecting.add(signed).await.map_err(refused)?;
    Ok(Json(
        json!({ "owner": added.voter.owner, "session": added.voter.session, "tasks": added.tasks, "vote": added.vote }),
    ))
}

fn body_refused(status: StatusCode) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { ApiError::malformed("the body did not arrive") }
}

fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is longer than anything that is taken here")
}

/// What a voter is told, and with which status: by its code it can tell what to do.
fn refused(refused: Refused) -> ApiError {
    let vote = match refused {
        Refused::Vote(vote) => vote,
        Refused::Busy => return ApiError::busy(),
        Refused::Stopped => {
            let message = "attestations are not collected at the moment; the sequencer's log says why";
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message).retry_after(10);
        }
    };
    let (status, code) = match vote {
        VoteError::Attestation(_) => (StatusCode::BAD_REQUEST, "invalid_attestation"),
        VoteError::NoSuchTask(_) => (StatusCode::BAD_REQUEST, "no_such_task"),
        VoteError::NotRegistered(_) => (StatusCode::FORBIDDEN, "not_registered"),
        VoteError::UnknownBlock => (StatusCode::NOT_FOUND, "unknown_block"),
        VoteError::OtherBlock => (StatusCode::CONFLICT, "other_block"),
        VoteError::OtherTerm => (StatusCode::CONFLICT, "other_term"),
        VoteError::Stale => (StatusCode::CONFLICT, "stale"),
        VoteError::NothingNew => (StatusCode::CONFLICT, "nothing_new"),
        VoteError::TooMuch => (StatusCode::TOO_MANY_REQUESTS, "too_much"),
        _ => (StatusCode::BAD_REQUEST, "refused"),
    };
    ApiError::new(status, code, vote.to_string())
}

/// `POST /v1/evidence`: encoded [`Evidence`](ocelli_core::evidence::Evidence).
///
/// A sender gets a turn before its body is read, so that no more bodies are held than that. A slow one holds up no check.
pub(super) async fn accuse(State(api): Shared, peer: Peer, body: Body) -> Result<Json<Value>, ApiError> {
    api.evidence_peers.take(peer)?;
    let arriving = api.evidence_arriving.turn_now().ok_or_else(ApiError::busy)?;
    let arrival = tokio::time::timeout(limits::EVIDENCE_ARRIVAL, axum::body::to_bytes(body, EVIDENCE_BYTES));
    let bytes = arrival.await.map_err(|_| ApiError::too_slow())?.map_err(|_| too_large())?;
    let work = api.clone();
    let checked = api.evidence_checks.run(move || {
        let confirmed = work.evidence.confirm(&bytes).map_err(unproven)?;
        if confirmed.is_new {
            report(&confirmed);
            (work.on_fault)(&confirmed.fault);
        }
        let Confirmed { fault, hash, is_new } = confirmed;
        Ok(Json(json!({ "evidence": hash, "height": fault.height, "fault": fault.description, "new": is_new })))
    });
    let answer = checked.await;
    drop(arriving);
    answer
}

fn report(confirmed: &Confirmed) {
    metrics::counter!("ocelli_faults_total").increment(1);
    let fault = &confirmed.fault;
    tracing::error!(height = fault.height, fault = %fault.description, evidence = %confirmed.hash, "a fault is proved");
}

fn unproven(error: EvidenceBookError) -> ApiError {
    let (status, code) = match &error {
        EvidenceBookError::NotEvidence(NotEvidence::Wire(_)) => (StatusCode::BAD_REQUEST, "malformed"),
        EvidenceBookError::NotEvidence(NotEvidence::NotCommitted(_)) => (StatusCode::BAD_REQUEST, "not_committed"),
        EvidenceBookError::NotEvidence(_) => (StatusCode::BAD_REQUEST, "no_fault"),
        EvidenceBookError::Full => (StatusCode::INSUFFICIENT_STORAGE, "full"),
        error @ (EvidenceBookError::Io(_) | EvidenceBookError::Damaged { .. }) => return ApiError::internal(error),
    };
    ApiError::new(status, code, error.to_string())
}

/// `GET /v1/evidence/{hash}`: encoded evidence that was confirmed.
pub(super) async fn evidence(
    State(api): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let hash: B256 = name
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 64)
        .and_then(|digits| digits.parse().ok())
        .ok_or(ApiError::malformed("evidence is named by its hash: 0x and 64 hexadecimal digits"))?;
    let none = || ApiError::not_found("no confirmed evidence has that hash");
    let bytes = api.evidence.get(&hash).ok_or_else(none)?;
    answer(&hash.to_string(), &headers, || Ok(bytes))
}
