//! The stream: every block, attestation, certificate and fault as it comes, over a WebSocket.
//!
//! A reader says where it is and gets every block from there on, each once and in order, whatever is sealed meanwhile. Each
//! message is encoded once for all readers. A reader that does not keep up is told so and closed; nobody waits for it.

use super::{
    ApiError, Shared,
    peers::{Peer, Place, Places},
};
use crate::{
    block::SealedBlock,
    chain::{Chain, Event},
    limits,
};
use alloy_primitives::B256;
use axum::{
    body::Bytes,
    extract::{
        Query, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::Response,
};
use ocelli_core::{message::StreamMessage, wire};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

/// The reader fell behind: connect again from the last height that arrived.
const CLOSE_LAGGED: u16 = 4_000;
/// The height asked for is too far below the head, or above it.
const CLOSE_RANGE: u16 = 4_001;
/// The sequencer goes down (RFC 6455).
const CLOSE_AWAY: u16 = 1_001;
/// The reader sent what a reader has no business to send (RFC 6455).
const CLOSE_POLICY: u16 = 1_008;
/// The sequencer could not read what it stores (RFC 6455).
const CLOSE_INTERNAL: u16 = 1_011;

/// An encoded message.
#[derive(Clone, Debug)]
enum Frame {
    /// A block at this height.
    Sealed(u64, Bytes),
    /// Anything else.
    Other(Bytes),
    /// Something was missed.
    Missed,
}

/// All open streams, and what they are sent.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    frames: broadcast::Sender<Frame>,
    /// Set when the sequencer goes down.
    stopping: watch::Receiver<bool>,
    open: Places,
}

impl Streams {
    /// Encodes what happens on `chain` from now on, for whoever listens.
    pub(super) fn follow(chain: &Chain, stopping: watch::Receiver<bool>) -> Self {
        let (frames, _) = broadcast::channel(limits::EVENT_QUEUE);
        let (mut events, sender) = (chain.subscribe(), frames.clone());
        tokio::spawn(async move {
            loop {
                let frame = match events.recv().await {
                    Ok(event) => encode(&event),
                    Err(RecvError::Lagged(_)) => Frame::Missed,
                    Err(RecvError::Closed) => return,
                };
                // Nobody listening is no error.
                let _ = sender.send(frame);
            }
        });
        let open = Places::new(limits::STREAMS, limits::STREAMS_A_PEER, "ocelli_streams");
        Self { frames, stopping, open }
    }

    /// Turns true when the sequencer goes down.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    fn admit(&self, peer: Peer) -> Result<Place, ApiError> {
        self.open.hold(peer).ok_or_else(|| {
            let message = "as many streams are open as may be, from this address or altogether";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message).retry_after(10)
        })
    }
}

fn encode(event: &Event) -> Frame {
    let other = |message: &StreamMessage| Frame::Other(wire::encode(message).into());
    match event {
        Event::Sealed(block) => Frame::Sealed(block.header().height, sealed(block)),
        Event::Attested(certificate) => other(&StreamMessage::Attested { certificate: certificate.encode().into() }),
        Event::Checked(attestation) => other(&StreamMessage::Checked { attestation: attestation.encode().into() }),
        Event::Fault(fault) => {
            let evidence: B256 = ocelli_core::hash::keccak256(&fault.evidence);
            other(&StreamMessage::Fault { height: fault.height, evidence })
        }
    }
}

fn sealed(block: &SealedBlock) -> Bytes {
    let manifest = &block.stored.manifest;
    let (rows, columns) = (manifest.rows.len() as u32, manifest.columns.len() as u32);
    wire::encode(&StreamMessage::Sealed { signed: Box::new(block.stored.signed.clone()), rows, columns }).into()
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The last height that it has; the head if it does not say.
    from: Option<u64>,
}

/// `GET /v1/stream?from=`: a WebSocket of encoded [`StreamMessage`]s.
pub(super) async fn stream(
    State(api): Shared,
    peer: Peer,
    range: Result<Query<From>, axum::extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let Query(From { from }) = range.map_err(|_| ApiError::malformed("ask for stream?from=HEIGHT"))?;
    let message = "the stream is a WebSocket; connect with ws:// or wss://";
    let upgrade = upgrade.map_err(|_| ApiError::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", message))?;
    let admitted = api.streams.admit(peer)?;
    let upgrade = upgrade.max_message_size(limits::STREAM_INCOMING_BYTES).max_frame_size(limits::STREAM_INCOMING_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        // Before the head is read, so that no block falls between.
        let frames = api.streams.frames.subscribe();
        let mut stopping = api.streams.stopping.clone();
        let mut reader = Reader { socket, heard: Instant::now() };
        let end = match reader.replay(&api, from).await {
            Ok(sent) => tokio::select! {
                end = reader.live(frames, sent) => end,
                // Nobody is left to say so when the sequencer is gone already.
                _ = stopping.wait_for(|stopping| *stopping) => going_away(),
            },
            Err(end) => end,
        };
        reader.close(end).await;
        drop(admitted);
    }))
}

/// Why a stream ends.
#[derive(Debug)]
enum End {
    /// The reader is gone, or as good as.
    Gone,
    /// This side ends it, and says why.
    Closed(u16, String),
}

fn going_away() -> End {
    End::Closed(CLOSE_AWAY, "the sequencer goes down".into())
}

struct Reader {
    socket: WebSocket,
    /// When the last frame came from the reader.
    heard: Instant,
}

impl Reader {
    /// Sends the blocks after `from` and the newest certificate; returns the height of the last block sent.
    async fn replay(&mut self, api: &Arc<super::Api>, from: Option<u64>) -> Result<u64, End> {
        let head = api.chain.head().header.height;
        let from = from.unwrap_or(head);
        let reason = if from > head {
            Some(format!("the chain ends at block {head}, below what you have: is this the chain you follow?"))
        } else if head - from > limits::STREAM_REPLAY {
            Some(format!("more than {} blocks behind: read /v1/headers first", limits::STREAM_REPLAY))
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(End::Closed(CLOSE_RANGE, reason));
        }
        for height in from + 1..=head {
            let chain = api.chain.clone();
            let read = api.gate.run(move || Ok(chain.block(height)?)).await;
            let Ok(Some(block)) = read else {
                return Err(End::Closed(CLOSE_INTERNAL, "a block could not be read; connect again".into()));
            };
            self.send(Message::Binary(sealed(&block))).await?;
        }
        if let Some(certificate) = api.chain.certificate() {
            let message = StreamMessage::Attested { certificate: certificate.encode().into() };
            self.send(Message::Binary(wire::encode(&message).into())).await?;
        }
        Ok(head)
    }

    /// Sends what happens, after the block at height `sent`.
    async fn live(&mut self, mut frames: broadcast::Receiver<Frame>, sent: u64) -> End {
        let mut ping = tokio::time::interval(limits::STREAM_PING);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                frame = frames.recv() => self.pass_on(frame, sent).await,
                incoming = self.socket.recv() => self.hear(incoming),
                _ = ping.tick() => self.ping().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn pass_on(&mut self, frame: Result<Frame, RecvError>, sent: u64) -> Result<(), End> {
        match frame {
            Ok(Frame::Sealed(height, _)) if height <= sent => Ok(()),
            Ok(Frame::Sealed(_, bytes) | Frame::Other(bytes)) => self.send(Message::Binary(bytes)).await,
            Ok(Frame::Missed) | Err(RecvError::Lagged(_)) => {
                self.send(Message::Binary(wire::encode(&StreamMessage::Lagged).into())).await?;
                Err(End::Closed(CLOSE_LAGGED, "fell behind; connect again from the last height you have".into()))
            }
            Err(RecvError::Closed) => Err(going_away()),
        }
    }

    fn hear(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        match incoming {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                Err(End::Closed(CLOSE_POLICY, "a stream is only read; POST /v1/attestations takes attestations".into()))
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > limits::STREAM_SILENCE {
            return Err(End::Gone);
        }
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(limits::STREAM_SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn close(mut self, end: End) {
        if let End::Closed(code, reason) = end {
            let _ = self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
            // The reader answers with a close frame of its own; without waiting for it, what was sent may be lost.
            let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), answered).await;
        }
    }
}
