//! The native verifier: follows a chain over the API, checks every task of every block, attests, and brings evidence of what is
//! wrong. What is true is for `ocelli-core` to say; what is here fetches, schedules and reports.
//!
//! Guaranteed: nothing is attested that was not checked here, header by header from the block that the run began at. A body
//! that is not the committed one is asked for again and elsewhere and is never called a fault; a fault is one that
//! [`Evidence::check`] confirms from the evidence alone.
//!
//! Assumed: the chain's configuration is the right one. Pin its genesis hash unless the server that names it is trusted.
//!
//! ```text
//! follow ──headers──► window ──jobs──► pool (fetch, check) ──► window ──► attester
//! ```

mod attester;
mod client;
mod follow;
mod pool;
mod task;
mod window;

use crate::limits;
use alloy_primitives::{B256, Bytes};
use client::{Client, ClientError};
use ocelli_core::{
    evidence::{Evidence, Fault, NotEvidence},
    genesis::ChainConfig,
    params::ParamsError,
    signature::SecretKey,
};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// Which of the tasks to check: those whose number, counted on over all blocks, leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Below `of`.
    pub index: u32,
    /// At least 1.
    pub of: u32,
}

impl Share {
    /// Every task.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether task `task` of the block at `height` is in this share.
    pub const fn includes(&self, height: u64, task: u32) -> bool {
        height.wrapping_add(task as u64) % (self.of as u64) == self.index as u64
    }
}

/// What to verify, and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Base URLs of servers, `http://` or `https://`, without `/v1`. The first is followed; bodies that it does not have are
    /// asked of the others.
    pub urls: Vec<String>,
    /// The genesis hash that the chain must have; if none, whatever the first server says.
    pub genesis: Option<B256>,
    /// The height of the block that is taken on trust; 0 for genesis.
    pub from: u64,
    /// The height after which to end; if none, goes on for ever.
    pub to: Option<u64>,
    /// End at the head that the chain has at the start, if `to` names no height.
    pub once: bool,
    /// Tasks checked at a time; 0 for one a core.
    pub workers: usize,
    /// Which tasks to check.
    pub share: Share,
    /// The key to attest with; without one, nothing is attested.
    pub key: Option<Arc<SecretKey>>,
    /// Least time between attestations; zero for one a block.
    pub attest_every: Duration,
    /// Ends the run when set.
    pub stop: Arc<AtomicBool>,
}

impl VerifyOptions {
    /// Follows the chain at `url` from genesis, checking everything and attesting nothing.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            genesis: None,
            from: 0,
            to: None,
            once: false,
            workers: 0,
            share: Share::ALL,
            key: None,
            attest_every: Duration::from_secs(1),
            stop: Arc::default(),
        }
    }

    fn worker_count(&self) -> usize {
        if self.workers > 0 { self.workers } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// What happens in a run, as it happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// The chain is known and the run begins.
    Started {
        /// The chain id.
        chain_id: u64,
        /// The genesis hash.
        genesis: B256,
        /// Whether the caller had pinned it.
        pinned: bool,
        /// The height of the head.
        head: u64,
    },
    /// The stream is open.
    Connected,
    /// The stream was closed or could not be opened.
    Disconnected {
        /// Why.
        reason: String,
        /// When it is tried again.
        retry: Duration,
    },
    /// The header of a further block arrived.
    Sealed {
        /// The height.
        height: u64,
    },
    /// Every task of the share was checked, and the block and all before it hold.
    Verified(VerifiedBlock),
    /// An attestation was accepted.
    Attested {
        /// The height voted for.
        height: u64,
    },
    /// An attestation was refused.
    AttestationRefused {
        /// The height voted for.
        height: u64,
        /// Why.
        reason: String,
    },
    /// A certificate was verified.
    Certified {
        /// The greatest height that it covers.
        height: u64,
    },
    /// Something that a block commits to cannot be had. It is asked for again.
    Withheld {
        /// The block's height.
        height: u64,
        /// What it is.
        what: String,
        /// What came instead.
        reason: String,
    },
}

/// One verified block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedBlock {
    /// Its height.
    pub height: u64,
    /// Its header's hash.
    pub hash: B256,
    /// Its tasks: rows and columns.
    pub tasks: u32,
    /// How many of them were checked here.
    pub checked: u32,
    /// Its transactions.
    pub transactions: u64,
    /// Its gas.
    pub gas: u64,
    /// Bytes of the bodies checked here.
    pub bytes: u64,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The last verified height; where it began if nothing was.
    pub height: u64,
    /// That header's hash.
    pub hash: B256,
    /// Blocks verified.
    pub blocks: u64,
    /// Tasks checked.
    pub tasks: u64,
    /// Transactions in those blocks.
    pub transactions: u64,
    /// Gas of those blocks.
    pub gas: u64,
    /// Bytes of bodies checked.
    pub bytes: u64,
    /// Attestations that were accepted.
    pub attestations: u64,
    /// The greatest height that a verified certificate covers.
    pub certified: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// A fault that was found or that others proved.
#[derive(Clone, Debug)]
pub struct FoundFault {
    /// The height of the faulty block.
    pub height: u64,
    /// Its header's hash.
    pub hash: B256,
    /// What is wrong.
    pub fault: Fault,
    /// The encoded evidence.
    pub evidence: Bytes,
    /// Whether somebody else had brought it already.
    pub announced: bool,
    /// What each server said to it, by URL.
    pub submitted: Vec<(String, Result<(), String>)>,
}

impl std::fmt::Display for FoundFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "block {} ({}) is faulty: {}", self.height, self.hash, self.fault)
    }
}

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A committed block is wrong: the sequencer's fault, and proved.
    #[error("{0}")]
    Fault(Box<FoundFault>),
    /// The first server cannot be reached or does not speak this API.
    #[error("{url}: {reason}")]
    Server {
        /// Its URL.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The server's chain is another one than the one asked for.
    #[error("the server's chain has genesis {found}, not {expected}")]
    OtherGenesis {
        /// The server's.
        found: B256,
        /// The one asked for.
        expected: B256,
    },
    /// This build cannot check the chain.
    #[error("this build cannot check the chain: {0}")]
    Params(ParamsError),
    /// The block to begin at does not exist or does not fit its header.
    #[error("cannot begin at block {height}: {reason}")]
    Begin {
        /// Its height.
        height: u64,
        /// Why.
        reason: String,
    },
    /// The server now shows another chain than it did before: blocks that were verified are replaced.
    #[error("block {height} was {ours} and now is {theirs}; verify again, from a block that both have")]
    Replaced {
        /// The height.
        height: u64,
        /// The header verified.
        ours: B256,
        /// The one that the server shows now.
        theirs: B256,
    },
    /// A header that the sequencer did not sign.
    #[error("the header of block {height} is not signed by the chain's sequencer")]
    NotSigned {
        /// The height.
        height: u64,
    },
    /// Something that a block commits to cannot be had, and the run was to end at some height. It says nothing about the block.
    #[error(
        "block {height}: {what} cannot be had: {reason}. The block is neither verified nor faulty; try other servers"
    )]
    Withheld {
        /// The block's height.
        height: u64,
        /// What it is.
        what: String,
        /// What came instead.
        reason: String,
    },
    /// Something that a block commits to is kept by none of the servers any more. It says nothing about the block.
    #[error(
        "block {height}: {what} is not kept any more: {reason}. The block is neither verified nor faulty; name a server that keeps \
         more, or begin above it with --from"
    )]
    NotKept {
        /// The block's height.
        height: u64,
        /// What it is.
        what: String,
        /// What was answered.
        reason: String,
    },
    /// The options make no sense.
    #[error("{0}")]
    Options(&'static str),
}

/// Verifies a chain until the height to end at, a fault, or for ever; `events` is told what happens.
///
/// # Errors
/// [`VerifyError`]; with [`VerifyError::Fault`] the evidence was sent to every server.
pub fn run(options: VerifyOptions, events: &mut dyn FnMut(Event)) -> Result<Summary, VerifyError> {
    if options.urls.is_empty() {
        return Err(VerifyError::Options("name a server to verify"));
    }
    if options.share.of == 0 || options.share.index >= options.share.of {
        return Err(VerifyError::Options("a share is INDEX/COUNT with INDEX below COUNT"));
    }
    let client = Arc::new(Client::new(&options.urls));
    let config = fetch_config(&client, options.genesis)?;
    let start = follow::Start::find(&client, &config, options.from)?;
    let head = client.head().map_err(|error| error.of(client.url(0)))?;
    events(Event::Started {
        chain_id: config.params.chain_id,
        genesis: config.genesis_hash(),
        pinned: options.genesis.is_some(),
        head,
    });
    window::verify(options, client, config, start, head, events)
}

fn fetch_config(client: &Client, pinned: Option<B256>) -> Result<ChainConfig, VerifyError> {
    let config = client.config().map_err(|error| error.of(client.url(0)))?;
    let found = config.genesis_hash();
    if let Some(expected) = pinned.filter(|expected| *expected != found) {
        return Err(VerifyError::OtherGenesis { found, expected });
    }
    config.params.validate().map_err(VerifyError::Params)?;
    Ok(config)
}

/// Checks evidence from a file against the chain that `config` names. Returns the evidence and the fault that it proves.
///
/// # Errors
/// [`NotEvidence`] if it proves nothing.
pub fn check_evidence(config: &ChainConfig, bytes: &[u8]) -> Result<(Evidence, Fault), NotEvidence> {
    let evidence = Evidence::decode(bytes)?;
    let fault = evidence.check(config)?;
    Ok((evidence, fault))
}

/// The configuration of the chain that the server at `url` serves, for [`check_evidence`].
///
/// # Errors
/// [`VerifyError`] if it cannot be had or is another one than `pinned`.
pub fn config_of(url: &str, pinned: Option<B256>) -> Result<ChainConfig, VerifyError> {
    fetch_config(&Client::new(&[url.to_owned()]), pinned)
}

/// How long to wait before trying for the `tries`-th time again: doubling, bounded, and a little different for everyone.
fn backoff(tries: u32) -> Duration {
    let (least, most) = limits::VERIFY_BACKOFF;
    let wait = least.saturating_mul(1 << tries.min(16)).min(most);
    let mut random = [0];
    // Without randomness everyone waits equally long, which is no worse than that.
    let _ = getrandom::fill(&mut random);
    wait.mul_f32(0.75 + f32::from(random[0]) / 512.0)
}

impl ClientError {
    fn of(self, url: &str) -> VerifyError {
        VerifyError::Server { url: url.to_owned(), reason: self.to_string() }
    }
}

#[cfg(test)]
mod tests;
