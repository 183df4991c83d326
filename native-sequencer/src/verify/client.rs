//! The API's HTTP side, as a verifier asks it. Nothing that comes back is believed; all of it is bounded.

use super::backoff;
use crate::limits;
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    certificate::Certificate,
    genesis::ChainConfig,
    header::SignedHeader,
    limits::{
        BLOCK_DOCUMENT_BYTES, CERTIFICATE_BYTES, COLUMN_BODY_BYTES_ANY, EVIDENCE_BYTES, ROW_BODY_BYTES_ANY,
        ROW_CODE_BYTES, VERIFIERS,
    },
    message::BlockDocument,
    row::RowTask,
    wire,
};
use serde::{Serialize, de::DeserializeOwned};

/// Most bytes of an encoded configuration: its parameters, and an address and a weight for each verifier.
const CONFIG_BYTES: usize = VERIFIERS * 30 + (16 << 10);
/// Most bytes of an encoded header: hashes and numbers.
const HEADER_BYTES: usize = 1 << 10;
/// Most bytes of an encoded row task besides its body: for each of up to 2^14 columns a leaf and a path of 14 hashes.
const CELLS_BYTES: usize = (1 << 14) * 15 * 33;
/// Most bytes of a JSON answer.
const JSON_BYTES: usize = 8 << 20;

/// Why there is no answer, or none that is one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The server says no.
    #[error("{status} {code}: {message}")]
    Refused { status: u16, code: String, message: String },
    /// No answer came, or not a whole one.
    #[error("{0}")]
    Transport(String),
    /// The answer is not what was asked for.
    #[error("the answer is not {0}")]
    Malformed(&'static str),
}

impl ClientError {
    /// Whether the server may answer otherwise a little later: it cannot be reached, has too much to do, or has not seen yet
    /// what this is about.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => code == "unknown_block" || matches!(status, 429 | 502..=504),
            Self::Transport(_) => true,
            Self::Malformed(_) => false,
        }
    }

    /// Whether the server says that it had this and will not have it again.
    pub(super) fn is_not_kept(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "not_kept")
    }

    /// Whether the server says that it knew already.
    pub(super) fn is_repetition(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "nothing_new" || code == "stale")
    }
}

/// Servers, and the connections to them.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    urls: Vec<String>,
}

impl Client {
    pub(super) fn new(urls: &[String]) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(limits::VERIFY_REQUEST))
            .http_status_as_error(false)
            .max_idle_connections_per_host(256)
            .max_idle_connections(1_024)
            .user_agent(concat!("ocelli-verify/", env!("CARGO_PKG_VERSION")));
        let urls = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Self { agent: config.build().new_agent(), urls }
    }

    /// How many servers there are.
    pub(super) const fn servers(&self) -> usize {
        self.urls.len()
    }

    /// The URL of a server; counting on beyond the last one begins again.
    pub(super) fn url(&self, server: usize) -> &str {
        self.urls.get(server % self.urls.len().max(1)).map_or("", String::as_str)
    }

    /// The bytes at `path`, at most `limit` of them.
    fn get(&self, server: usize, path: &str, limit: usize) -> Result<Vec<u8>, ClientError> {
        let transport = |error: ureq::Error| ClientError::Transport(error.to_string());
        let mut response = self.agent.get(format!("{}{path}", self.url(server))).call().map_err(transport)?;
        let status = response.status();
        let limit = if status.is_success() { limit } else { JSON_BYTES };
        let bytes = response.body_mut().with_config().limit(limit as u64 + 1).read_to_vec().map_err(transport)?;
        if status.is_success() { Ok(bytes) } else { Err(refused(status.as_u16(), &bytes)) }
    }

    fn get_encoded<T: Serialize + DeserializeOwned>(
        &self,
        server: usize,
        path: &str,
        limit: usize,
        what: &'static str,
    ) -> Result<T, ClientError> {
        let bytes = self.get(server, path, limit)?;
        wire::decode(&bytes, limit).map_err(|_| ClientError::Malformed(what))
    }

    pub(super) fn config(&self) -> Result<ChainConfig, ClientError> {
        self.get_encoded(0, "/v1/chain", CONFIG_BYTES, "a chain's configuration")
    }

    /// The height of the head.
    pub(super) fn head(&self) -> Result<u64, ClientError> {
        let bytes = self.get(0, "/v1/chain.json", JSON_BYTES)?;
        let json: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| ClientError::Malformed("JSON"))?;
        json.pointer("/head/height")
            .and_then(serde_json::Value::as_u64)
            .ok_or(ClientError::Malformed("a chain's summary"))
    }

    /// Signed headers from `from` up; as many as the server likes to give, at most `count`.
    pub(super) fn headers(&self, from: u64, count: u64) -> Result<Vec<SignedHeader>, ClientError> {
        let path = format!("/v1/headers?from={from}&count={count}");
        let limit = HEADER_BYTES * usize::try_from(count).unwrap_or(usize::MAX / HEADER_BYTES).saturating_add(1);
        self.get_encoded(0, &path, limit, "a list of headers")
    }

    pub(super) fn document(&self, server: usize, hash: &B256) -> Result<BlockDocument, ClientError> {
        self.get_encoded(server, &format!("/v1/blocks/{hash}"), BLOCK_DOCUMENT_BYTES, "a block's document")
    }

    pub(super) fn row(&self, server: usize, block: &B256, index: u32) -> Result<RowTask, ClientError> {
        // A body above the limit is a fault that has to be seen, so a little more is read, here and below.
        let limit = ROW_BODY_BYTES_ANY + CELLS_BYTES + (1 << 20);
        self.get_encoded(server, &format!("/v1/blocks/{block}/rows/{index}"), limit, "a row's task")
    }

    pub(super) fn column(&self, server: usize, block: &B256, index: u32) -> Result<Vec<u8>, ClientError> {
        self.get(server, &format!("/v1/blocks/{block}/columns/{index}"), COLUMN_BODY_BYTES_ANY + (1 << 20))
    }

    pub(super) fn code(&self, server: usize, hash: &B256) -> Result<Bytes, ClientError> {
        self.get(server, &format!("/v1/codes/{hash}"), ROW_CODE_BYTES).map(Bytes::from)
    }

    /// The first certificate that covers the block at `height`.
    pub(super) fn certificate(&self, height: u64) -> Result<Certificate, ClientError> {
        self.get_encoded(0, &format!("/v1/certificates/{height}"), CERTIFICATE_BYTES, "a certificate")
    }

    pub(super) fn evidence(&self, hash: &B256) -> Result<Vec<u8>, ClientError> {
        self.get(0, &format!("/v1/evidence/{hash}"), EVIDENCE_BYTES)
    }

    fn post(&self, server: usize, path: &str, body: &[u8]) -> Result<(), ClientError> {
        let transport = |error: ureq::Error| ClientError::Transport(error.to_string());
        let request = self.agent.post(format!("{}{path}", self.url(server))).content_type("application/octet-stream");
        let mut response = request.send(body).map_err(transport)?;
        let status = response.status();
        let bytes = response.body_mut().with_config().limit(JSON_BYTES as u64).read_to_vec().map_err(transport)?;
        if status.is_success() { Ok(()) } else { Err(refused(status.as_u16(), &bytes)) }
    }

    /// Brings something to a server; again, unless `enough`, if the server was not ready for it.
    pub(super) fn post_patiently(
        &self,
        server: usize,
        path: &str,
        body: &[u8],
        enough: impl Fn() -> bool,
    ) -> Result<(), ClientError> {
        let mut tries = 0;
        loop {
            let answer = self.post(server, path, body);
            tries += 1;
            let again = answer.as_ref().is_err_and(ClientError::may_pass);
            if !again || tries >= limits::VERIFY_TRIES || enough() {
                return answer;
            }
            std::thread::sleep(backoff(tries));
        }
    }
}

fn refused(status: u16, body: &[u8]) -> ClientError {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer| json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    ClientError::Refused { status, code: text("/error/code"), message: text("/error/message") }
}
