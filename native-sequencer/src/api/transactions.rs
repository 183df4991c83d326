//! Transactions in bulk: a request or a frame has many, and its answer a verdict on each once all are durable that are taken.
//!
//! Memory is bounded: so many requests and sockets at a time, altogether and of one peer, and so many frames of one socket, behind which nothing more is
//! read from it. Whoever sends faster than the pool takes is slowed down by that; where the pool is full, verdicts say so.

use super::{ApiError, Shared, peers::Peer};
use crate::{
    limits,
    pool::{Accepted, Rejected},
    promises::Promises,
};
use axum::{
    body::{Body, Bytes},
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt, StreamExt, stream::FuturesOrdered};
use ocelli_core::{
    limits::SUBMISSION_BYTES,
    message::{Submission, Verdict, Verdicts},
    wire::WireError,
};
use rayon::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// The sequencer goes down (RFC 6455).
const CLOSE_AWAY: u16 = 1_001;
/// What came is no submission (RFC 6455).
const CLOSE_POLICY: u16 = 1_008;
/// Verdicts that one core signs at a time, where promises are asked for.
const SIGNED_AT_ONCE: usize = 16;

/// `POST /v1/transactions`: an encoded [`Submission`], answered with encoded [`Verdicts`].
pub(super) async fn submit(State(api): Shared, peer: Peer, body: Body) -> Result<Response, ApiError> {
    let _place = api.submissions.hold(peer).ok_or_else(ApiError::busy)?;
    let arrival = tokio::time::timeout(limits::SUBMISSION_ARRIVAL, axum::body::to_bytes(body, SUBMISSION_BYTES));
    let too_large =
        |_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is longer than a submission");
    let bytes = arrival.await.map_err(|_| ApiError::too_slow())?.map_err(too_large)?;
    let verdicts = judge(api.promises.clone(), bytes).await;
    let verdicts = verdicts.map_err(|error| ApiError::malformed(format!("the body is no submission: {error}")))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")], verdicts)
        .into_response())
}

/// `GET /v1/transactions/stream`: a WebSocket of the same, a frame for a frame, in order.
pub(super) async fn stream(
    State(api): Shared,
    peer: Peer,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let message = "transactions are taken over a WebSocket here; POST /v1/transactions takes some at once";
    let upgrade = upgrade.map_err(|_| ApiError::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", message))?;
    let place = api.submission_sockets.hold(peer).ok_or_else(ApiError::busy)?;
    let upgrade = upgrade.max_message_size(SUBMISSION_BYTES).max_frame_size(SUBMISSION_BYTES);
    let (promises, stopping) = (api.promises.clone(), api.streams.stopping());
    Ok(upgrade.on_upgrade(move |socket| async move {
        take(socket, promises, stopping, limits::SUBMISSION_SILENCE).await;
        drop(place);
    }))
}

/// Takes frames and answers them until the other side, or this one, ends it: for one, if nothing is under way for `silence`.
pub(super) async fn take(
    socket: WebSocket,
    promises: Arc<Promises>,
    mut stopping: watch::Receiver<bool>,
    silence: Duration,
) {
    let (mut out, mut incoming) = socket.split();
    let mut under_way = FuturesOrdered::new();
    let mut busy_at = Instant::now();
    let end = loop {
        let may_read = under_way.len() < limits::SUBMISSION_FRAMES;
        let answer = tokio::select! {
            message = incoming.next(), if may_read => match message {
                Some(Ok(Message::Binary(frame))) => {
                    under_way.push_back(judge(promises.clone(), frame));
                    continue;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Text(_))) => break Some((CLOSE_POLICY, "submissions are binary")),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
            },
            Some(answer) = under_way.next() => answer,
            () = tokio::time::sleep_until(busy_at + silence), if under_way.is_empty() => {
                break Some((CLOSE_POLICY, "nothing was submitted for too long; connect again"));
            }
            _ = stopping.wait_for(|stopping| *stopping) => break Some((CLOSE_AWAY, "the sequencer goes down")),
        };
        let Ok(verdicts) = answer else { break Some((CLOSE_POLICY, "a frame is no submission")) };
        let sent = tokio::time::timeout(limits::STREAM_SEND, out.send(Message::Binary(verdicts.into()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            break None;
        }
        busy_at = Instant::now();
    };
    if let Some((code, reason)) = end {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(limits::STREAM_SEND, out.send(Message::Close(Some(frame)))).await;
    }
}

/// The encoded verdicts on an encoded submission.
async fn judge(promises: Arc<Promises>, encoded: Bytes) -> Result<Vec<u8>, WireError> {
    let submission = Submission::decode(&encoded)?;
    drop(encoded);
    let wants_promise = submission.promise;
    let answers = promises.pool().submit_all(submission.transactions, wants_promise).await;
    let verdict = move |answer: Result<Accepted, Rejected>| verdict(&promises, answer);
    let verdicts = if wants_promise && answers.len() > SIGNED_AT_ONCE {
        let sign = move || answers.into_par_iter().with_min_len(SIGNED_AT_ONCE).map(verdict).collect();
        // A panic there is one of ours, and is in the log.
        tokio::task::spawn_blocking(sign).await.unwrap_or_default()
    } else {
        answers.into_iter().map(verdict).collect()
    };
    Ok(Verdicts(verdicts).encode())
}

fn verdict(promises: &Promises, answer: Result<Accepted, Rejected>) -> Verdict {
    match answer {
        Ok(accepted) => promises
            .sign(&accepted)
            .map_or_else(|| Verdict::Accepted { hash: accepted.transaction.hash() }, Verdict::Promised),
        Err(rejected) => Verdict::Refused { code: rejected.reason().to_owned(), message: rejected.to_string() },
    }
}
