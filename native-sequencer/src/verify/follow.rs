//! Following the chain: headers first, as long as the head is far away, then the stream, which is opened again whenever it ends.
//!
//! Every header that is passed on is the child of the one before and signed by the sequencer. Which bodies it commits to, and
//! whether they hold, is not looked at here.

use super::{
    VerifyError, backoff,
    client::Client,
    pool::{Note, Permits},
};
use crate::limits;
use alloy_primitives::B256;
use ocelli_core::{
    genesis::ChainConfig,
    header::{Header, SignedHeader},
    limits::STREAM_MESSAGE_BYTES,
    merkle::{self, Frontier},
    message::StreamMessage,
    wire,
};
use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};
use tungstenite::{Message, WebSocket, protocol::WebSocketConfig, stream::MaybeTlsStream};

/// The block that is taken on trust.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) header: Header,
    pub(super) ancestors: Frontier,
}

impl Start {
    /// Genesis, or the block at `height` as the server has it.
    pub(super) fn find(client: &Client, config: &ChainConfig, height: u64) -> Result<Self, VerifyError> {
        if height == 0 {
            return Ok(Self { header: config.genesis_header(), ancestors: Frontier::default() });
        }
        let begin = |reason: String| VerifyError::Begin { height, reason };
        let headers = client.headers(height, 1).map_err(|error| begin(error.to_string()))?;
        let signed = headers.into_iter().next().ok_or_else(|| begin("the chain is not that high".into()))?;
        let document = client.document(0, &signed.header.hash()).map_err(|error| begin(error.to_string()))?;
        if !is_signed(config, &signed) {
            return Err(VerifyError::NotSigned { height });
        }
        let mut ancestors = document.parent_ancestors;
        ancestors.append(merkle::leaf_hash(signed.header.parent.as_slice()));
        let header = signed.header;
        if header.height != height || ancestors.size() != height || ancestors.root() != header.ancestors {
            return Err(begin("the server's header and its log of ancestors do not fit".into()));
        }
        Ok(Self { header, ancestors })
    }
}

fn is_signed(config: &ChainConfig, signed: &SignedHeader) -> bool {
    let header = &signed.header;
    header.genesis == config.genesis_hash() && signed.signer() == Ok(config.params_at(header.height).sequencer)
}

/// Why the stream or the reading of headers ended.
enum End {
    /// The run is over, or nobody listens any more.
    Over,
    /// Something is lost that connecting again may bring back.
    Lost(String),
    /// Nothing can go on.
    Fatal(VerifyError),
}

impl From<super::client::ClientError> for End {
    fn from(error: super::client::ClientError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Follows one server.
pub(super) struct Follower {
    pub(super) client: Arc<Client>,
    pub(super) config: ChainConfig,
    /// The last header passed on.
    pub(super) last: (u64, B256),
    /// Blocks that may still be passed on before others are done.
    pub(super) room: Arc<Permits>,
    pub(super) notes: SyncSender<Note>,
    pub(super) over: Arc<AtomicBool>,
}

impl Follower {
    /// Follows until the run is over.
    pub(super) fn run(mut self) {
        let mut tries = 0;
        while !self.is_over() {
            let before = self.last.0;
            let end = match self.catch_up().and_then(|()| self.stream()) {
                Ok(()) | Err(End::Over) => return,
                Err(End::Fatal(error)) => Note::Fatal(error),
                Err(End::Lost(reason)) => {
                    tries = if self.last.0 > before { 0 } else { tries + 1 };
                    Note::Disconnected(reason, backoff(tries))
                }
            };
            let wait = if let Note::Disconnected(_, wait) = &end { Some(*wait) } else { None };
            if self.notes.send(end).is_err() {
                return;
            }
            let Some(wait) = wait else { return };
            std::thread::sleep(wait);
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn tell(&self, note: Note) -> Result<(), End> {
        self.notes.send(note).map_err(|_| End::Over)
    }

    /// Reads headers until the server has no more than the stream would bring.
    fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let headers = self.client.headers(self.last.0 + 1, limits::API_HEADERS)?;
            let count = headers.len() as u64;
            for signed in headers {
                self.pass_on(signed)?;
            }
            if count < limits::API_HEADERS {
                return Ok(());
            }
        }
    }

    /// Links a header to those before and passes it on when there is room.
    fn pass_on(&mut self, signed: SignedHeader) -> Result<(), End> {
        let (height, hash) = (signed.header.height, signed.header.hash());
        let (last, last_hash) = self.last;
        if height > last + 1 {
            return Err(End::Lost(format!("block {height} came where {} was expected", last + 1)));
        }
        if !is_signed(&self.config, &signed) {
            return Err(End::Fatal(VerifyError::NotSigned { height }));
        }
        if height <= last {
            // It may be one that was passed on, and may be a second one: who has it looks.
            return self.tell(Note::OtherHeader(signed));
        }
        if signed.header.parent != last_hash {
            let replaced =
                self.client.headers(last, 1)?.into_iter().next().filter(|other| is_signed(&self.config, other));
            let theirs = signed.header.parent;
            if let Some(other) = replaced.filter(|other| other.header.height == last) {
                self.tell(Note::OtherHeader(other))?;
            }
            return Err(End::Fatal(VerifyError::Replaced { height: last, ours: last_hash, theirs }));
        }
        while !self.room.take_within(limits::VERIFY_TICK) {
            if self.is_over() {
                return Err(End::Over);
            }
        }
        self.last = (height, hash);
        self.tell(Note::Header(signed))
    }

    /// Reads the stream until it ends.
    fn stream(&mut self) -> Result<(), End> {
        let lost = |error: &dyn std::fmt::Display| End::Lost(error.to_string());
        let mut socket = connect(self.client.url(0), self.last.0).map_err(End::Lost)?;
        self.tell(Note::Connected)?;
        let mut heard = Instant::now();
        while !self.is_over() {
            match socket.read() {
                Ok(Message::Binary(frame)) => {
                    heard = Instant::now();
                    self.take(&frame)?;
                }
                Ok(Message::Close(frame)) => {
                    let reason = frame.map(|frame| frame.reason.to_string()).filter(|reason| !reason.is_empty());
                    return Err(End::Lost(reason.unwrap_or_else(|| "the server closed the stream".into())));
                }
                Ok(_) => heard = Instant::now(),
                Err(tungstenite::Error::Io(error)) if is_timeout(&error) => {
                    if heard.elapsed() > limits::STREAM_SILENCE {
                        return Err(End::Lost("the server is silent".into()));
                    }
                }
                Err(error) => return Err(lost(&error)),
            }
        }
        Err(End::Over)
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), End> {
        let malformed = |_| End::Lost("a message of the stream is malformed".into());
        match wire::decode(frame, STREAM_MESSAGE_BYTES).map_err(malformed)? {
            StreamMessage::Sealed { signed, .. } => self.pass_on(*signed),
            StreamMessage::Attested { certificate } => self.tell(Note::Certificate(certificate.to_vec())),
            StreamMessage::Fault { evidence, .. } => self.tell(Note::FaultAnnounced(evidence)),
            StreamMessage::Lagged => Err(End::Lost("fell behind".into())),
            // What others checked is for certificates to say.
            _ => Ok(()),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// Opens the stream of the server at `url` after the block at `height`. Reading from it takes no longer than a tick.
fn connect(url: &str, height: u64) -> Result<Socket, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let url = match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}/v1/stream?from={height}"),
        Some(("https", rest)) => format!("wss://{rest}/v1/stream?from={height}"),
        _ => return Err(format!("{url} is no http:// or https:// URL")),
    };
    let uri: tungstenite::http::Uri = url.parse().map_err(|error: tungstenite::http::uri::InvalidUri| text(&error))?;
    let host = uri.host().ok_or("the URL names no host")?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("wss") { 443 } else { 80 });
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| text(&error))?;
    let stream = addresses
        .find_map(|address| TcpStream::connect_timeout(&address, limits::STREAM_SEND).ok())
        .ok_or_else(|| format!("cannot connect to {host}:{port}"))?;
    let set = |wait: Duration| stream.set_read_timeout(Some(wait)).map_err(|error| text(&error));
    set(limits::STREAM_SEND)?;
    stream.set_write_timeout(Some(limits::STREAM_SEND)).map_err(|error| text(&error))?;
    stream.set_nodelay(true).map_err(|error| text(&error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(STREAM_MESSAGE_BYTES))
        .max_frame_size(Some(STREAM_MESSAGE_BYTES));
    let cloned = stream.try_clone().map_err(|error| text(&error))?;
    let (socket, _) =
        tungstenite::client_tls_with_config(uri, cloned, Some(config), None).map_err(|error| text(&error))?;
    set(limits::VERIFY_TICK)?;
    Ok(socket)
}
